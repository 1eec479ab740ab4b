"""`gitopsd why` and `trace`: what an object waits for, and where one in a cluster comes from."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.table import Table
from rich.text import Text

from gitopsd.cli import client, options, output
from gitopsd.cli.completion import NAME
from gitopsd.cli.exits import Exit
from gitopsd.config.chosen import Chosen
from gitopsd.runtime.asked.control import Control
from gitopsd.runtime.shown.view import Link, TraceStep

_COLOURS = {"ready": "green", "waiting": "yellow", "progressing": "yellow", "suspended": "dim", "unknown": "yellow"}


@click.command()
@click.argument("name", shell_complete=NAME)
@options.MACHINE
@options.cluster
def why(chosen: Chosen, name: str, *, shape: str) -> None:
    """Say what NAME waits for: the whole chain, since when, and what would unblock it.

    Asks the daemon when one runs; otherwise shows what the last run left behind.

    \b
    Examples:
      gitopsd why ks/apps
      gitopsd why ks/apps -o json
    """

    async def ask(control: Control) -> Exit:
        found = await control.why(name)
        if shape == "table":
            for chain in found:
                _chain(chain)
        else:
            output.machine([list(chain) for chain in found], shape)
        return Exit.READY

    options.run(lambda: client.asked(chosen, ask, names=[name], recalled=True, write=False))


def _chain(chain: Sequence[Link]) -> None:
    for depth, link in enumerate(chain):
        lead = "" if depth == 0 else "  " * (depth - 1) + "└ "
        since = f" since {link.since}" if link.since else ""
        head = Text.assemble(
            lead, (str(link.ref), "bold"), " is ", (link.state, _COLOURS.get(link.state, "red")), since
        )
        output.console().print(head)
        last = depth == len(chain) - 1
        if link.message and (last or link.state != "waiting"):
            output.console().print(Text("  " * depth + f"  {output.clean(link.message)}"))
    output.console().print(Text(f"unblocks it: {chain[-1].unblock}", style="bold"))


@click.command()
@click.argument("object_name", metavar="OBJECT")
@options.MACHINE
@options.cluster
def trace(chosen: Chosen, object_name: str, *, shape: str) -> None:
    """Say where OBJECT of a cluster comes from: the app, the apps that declared it, the source, the revision.

    OBJECT is KIND/NAMESPACE/NAME, of kinds of the whole cluster KIND/NAME, as `gitopsd tree -o name` lists them.

    \b
    Examples:
      gitopsd trace Deployment/web/frontend
    """

    async def ask(control: Control) -> Exit:
        steps = await control.trace(object_name)
        if shape == "table":
            _steps(steps)
        else:
            output.machine(list(steps), shape)
        return Exit.READY

    options.run(lambda: client.asked(chosen, ask, recalled=True, write=False))


def _steps(steps: Sequence[TraceStep]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for column in ("what", "name", "ready", "where"):
        table.add_column(column, no_wrap=column != "where", overflow="fold")
    for step in steps:
        told = step.message if step.ready != "True" else ""
        where = "  ".join(part for part in (step.place, step.revision, output.clean(told)) if part)
        table.add_row(Text(step.what, style="dim"), Text(step.name, style="bold"), step.ready, where)
    output.console().print(table)
