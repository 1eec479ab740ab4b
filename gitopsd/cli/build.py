"""`gitopsd build`: render without a cluster. What can be built is a matter of plugins."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import TypeVar

import click

from gitopsd.plugin.tree import Remotes

T = TypeVar("T")
GROUP = "gitopsd.commands.build"


class Builds(click.Group):
    """One verb per thing that some plugin builds, imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Everything that plugins build."""
        return sorted(entry.name for entry in entry_points(group=GROUP))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb of this name, imported now."""
        for entry in entry_points(group=GROUP):
            if entry.name == cmd_name:
                command: click.Command = entry.load()
                return command
        return None


@click.group(cls=Builds)
@click.pass_context
def build(ctx: click.Context) -> None:
    """Render a folder and print the manifests; no cluster is needed.

    \b
    Examples:
      gitopsd build kustomization ./clusters/production
    """
    ctx.obj = _Fetching()


class _Fetching:
    """`Fetching`, imported when it is used."""

    def rendered(self, make: Callable[[Remotes], T], hosts: Sequence[str], *, plain: bool) -> T:
        """See there."""
        from gitopsd.daemon.fetching import Fetching

        return Fetching(os.environ).rendered(make, hosts, plain=plain)
