"""`gitopsd get`: every object and how it is."""

from __future__ import annotations

from collections.abc import Sequence

import click

from gitopsd.cli import client, exits, options, output
from gitopsd.cli.completion import NAME
from gitopsd.cli.exits import Exit
from gitopsd.config import chosen as choice
from gitopsd.config.chosen import Chosen
from gitopsd.runtime.shown.view import ClusterView


@click.command()
@click.argument("names", nargs=-1, shell_complete=NAME)
@options.OUTPUT
@options.cluster
def get(chosen: Chosen, names: tuple[str, ...], *, output: str) -> None:
    """List objects and how they are, all or NAMES; as YAML or JSON with the status that Flux would write.

    Asks the daemon when one runs; otherwise shows what the last run left behind.

    \b
    Examples:
      gitopsd get
      gitopsd get ks/apps -o yaml
      gitopsd get -o name
    """
    options.run(lambda: _get(chosen, names, output))


async def _get(chosen: Chosen, names: tuple[str, ...], shape: str) -> Exit:
    files = choice.read(chosen)
    control = await client.running(files)
    if control is None:
        from gitopsd.cli import left  # what a daemon answers needs none of it

        loaded = choice.understood(files)
        found = left.views(loaded, names)
        clusters: Sequence[ClusterView] = [ClusterView(name=name) for name in sorted(loaded.declared.clusters)]
    else:
        found, clusters = await control.views(names), await control.clusters()
    if shape == "table":
        output.clusters(clusters)
    output.views(found, shape)
    return exits.of_views(found)
