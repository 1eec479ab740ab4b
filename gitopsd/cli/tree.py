"""`gitopsd tree`: what was applied, with health."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from gitopsd.cli import client, options, output
from gitopsd.cli.completion import NAME
from gitopsd.cli.exits import Exit
from gitopsd.config.chosen import Chosen
from gitopsd.runtime.asked.control import Control
from gitopsd.runtime.shown.view import Branch


@click.command()
@click.argument("names", nargs=-1, shell_complete=NAME)
@options.OUTPUT
@options.cluster
def tree(chosen: Chosen, names: tuple[str, ...], *, output: str) -> None:
    """Show what objects applied and declared, as a tree with the health of now. `-o name` lists what was applied.

    \b
    Examples:
      gitopsd tree
      gitopsd tree ks/apps -o json
    """
    options.run(lambda: _tree(chosen, names, output))


async def _tree(chosen: Chosen, names: tuple[str, ...], shape: str) -> Exit:
    async def ask(control: Control) -> Exit:
        found = await control.tree(names)
        match shape:
            case "json" | "yaml":
                output.machine(list(found), shape)
            case "name":
                output.names(_names(found))
            case _:
                output.clusters(await control.clusters())
                output.tree(found)
        return Exit.READY

    return await client.asked(chosen, ask, names=names, recalled=True, write=False)


def _names(found: Sequence[Branch]) -> Iterator[str]:
    """The objects in the clusters, of all branches."""
    for branch in found:
        yield from _names(branch.branches)
        for leaf in branch.leaves:
            yield "/".join(part for part in (leaf.kind, leaf.namespace, leaf.name) if part)
