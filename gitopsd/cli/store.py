"""`gitopsd store`: the local cache of trees and rendered sets, and the ledger."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from gitopsd.cli import options
from gitopsd.cli.exits import Exit
from gitopsd.config import chosen as choice
from gitopsd.config.chosen import Chosen
from gitopsd.store import Store


@click.group()
def store() -> None:
    """Look after the local store. Everything in it but the ledger may be lost at any time.

    \b
    Examples:
      gitopsd store gc -c /etc/gitopsd
      gitopsd store verify
    """


@store.command()
@options.config
def gc(chosen: Chosen) -> None:
    """Remove what no artifact needs and nobody used for the grace period of the settings.

    \b
    Examples:
      gitopsd store gc -c /etc/gitopsd
    """
    options.run(lambda: _gc(chosen))


@store.command()
@options.config
def verify(chosen: Chosen) -> None:
    """Check every file, tree and reference; what is damaged is dropped and fetched again. Exit code 1: there was damage.

    \b
    Examples:
      gitopsd store verify -c /etc/gitopsd
    """
    options.run(lambda: _verify(chosen))


async def _gc(chosen: Chosen) -> Exit:
    loaded = choice.load(chosen)
    with Store.open(loaded.state) as opened:
        report = opened.gc(loaded.settings.gc.grace, datetime.now(UTC))
    click.echo(f"{report.removed} pieces removed, {report.freed} bytes freed")
    return Exit.READY


async def _verify(chosen: Chosen) -> Exit:
    loaded = choice.load(chosen)
    with Store.open(loaded.state) as opened:
        report = opened.verify()
    click.echo(
        f"{report.artifacts} artifacts, {report.nodes} directories, {report.blobs} files, {report.rendered} rendered sets checked"
    )
    for problem in report.problems:
        click.echo(problem, err=True)
    return Exit.READY if report.sound else Exit.FAILED
