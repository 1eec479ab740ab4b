"""What `gitopsd check` found, one line each, and what that means for its exit code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import click

from gitopsd.cli.exits import Exit


@dataclass(slots=True)
class Findings:
    """Says what was looked at, and counts what would go wrong and what would be regretted."""

    failed: int = 0
    warned: int = 0
    mask: Callable[[str], str] = str
    """What is known to be secret is masked in all of it."""

    def good(self, text: str) -> None:
        """It is as it should be."""
        click.echo(self.mask(f"✔ {text}"))

    def info(self, text: str) -> None:
        """Worth knowing; nothing that could be done about it here."""
        click.echo(self.mask(f"! {text}"))

    def warn(self, text: str) -> None:
        """Worth a look; stops nothing."""
        self.warned += 1
        click.echo(self.mask(f"! {text}"))

    def bad(self, text: str) -> None:
        """It would go wrong."""
        self.failed += 1
        click.echo(self.mask(f"✗ {text}"))

    def code(self, *, strict: bool) -> Exit:
        """What goes wrong goes first; warnings count where they are taken strictly."""
        if self.failed:
            return Exit.FAILED
        return Exit.WRONG if strict and self.warned else Exit.READY
