"""`gitopsd tree`: what was applied, with health."""

from __future__ import annotations

import click

from gitopsd.cli import client, options, output
from gitopsd.cli.exits import Exit
from gitopsd.config.chosen import Chosen
from gitopsd.runtime.control import Control


@click.command()
@click.argument("names", nargs=-1)
@options.OUTPUT
@options.cluster
def tree(chosen: Chosen, names: tuple[str, ...], *, output: str) -> None:
    """Show what objects applied and declared, as a tree with the health of now.

    \b
    Examples:
      gitopsd tree
      gitopsd tree ks/apps -o json
    """
    options.run(lambda: _tree(chosen, names, output))


async def _tree(chosen: Chosen, names: tuple[str, ...], shape: str) -> Exit:
    async def ask(control: Control) -> Exit:
        found = await control.tree(names)
        if shape in {"json", "yaml"}:
            output.machine(list(found), shape)
            return Exit.READY
        output.clusters(await control.clusters())
        output.tree(found)
        return Exit.READY

    return await client.asked(chosen, options.mode(write=False, watch=False, work=False), ask)
