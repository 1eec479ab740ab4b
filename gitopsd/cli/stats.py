"""`gitopsd stats`: the daemon in numbers."""

from __future__ import annotations

import click
import msgspec
from rich.table import Table

from gitopsd.cli import client, options, output
from gitopsd.cli.exits import Exit
from gitopsd.config import chosen as choice
from gitopsd.config.chosen import Chosen
from gitopsd.model.errors import UsageError


@click.command()
@options.MACHINE
@options.config
def stats(chosen: Chosen, *, shape: str) -> None:
    """Show the daemon in numbers: objects by phase, what is owned, memory, disk, time since its start.

    \b
    Examples:
      gitopsd stats
      gitopsd stats -o json
    """
    options.run(lambda: _stats(chosen, shape))


async def _stats(chosen: Chosen, shape: str) -> Exit:
    files = choice.read(chosen)
    control = await client.running(files)
    if control is None:
        raise UsageError(f"no daemon runs on {files.socket}; start it with `gitopsd run`")
    found = await control.stats()
    if shape != "table":
        output.machine(found, shape)
        return Exit.READY
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in msgspec.to_builtins(found).items():
        if name == "phases":
            value = ", ".join(f"{number} {phase}" for phase, number in value.items())
        elif name in {"memory", "store"}:
            value = f"{value / (1 << 20):.1f} MiB"
        elif name == "uptime":
            value = f"{value:.0f} s"
        table.add_row(name, str(value))
    output.console().print(table)
    return Exit.READY
