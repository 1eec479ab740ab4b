"""Verbs of plugins below one of ours: listed from their entry points without being imported."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import click

from gitopsd.cli.lazy import LazyGroup


class PluginVerbs(LazyGroup):
    """One verb for each entry point of `group`, imported when it is called."""

    def __init__(self, *args: Any, group: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._group = group

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All that plugins offer."""
        return sorted(entry.name for entry in entry_points(group=self._group))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb of this name, imported now."""
        for entry in entry_points(group=self._group):
            if entry.name == cmd_name:
                command: click.Command = entry.load()
                return command
        return None
