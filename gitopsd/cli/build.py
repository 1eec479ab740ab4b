"""`gitopsd build`: render without a cluster. What can be built is a matter of plugins."""

from __future__ import annotations

from importlib.metadata import entry_points

import click

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
def build() -> None:
    """Render a folder and print the manifests; no cluster is needed.

    \b
    Examples:
      gitopsd build kustomization ./clusters/production
    """
