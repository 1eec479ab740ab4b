"""`gitopsd history`, `events` and `logs`: what was done, what happens now, and what the daemon's log says of one object."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import click
from rich.table import Table
from rich.text import Text

from gitopsd.cli import client, options, output
from gitopsd.cli.client import SocketControl
from gitopsd.cli.completion import NAME
from gitopsd.cli.exits import Exit
from gitopsd.config import chosen as choice
from gitopsd.config.chosen import Chosen
from gitopsd.model.errors import UsageError
from gitopsd.runtime.shown.view import Happening

PATIENCE = 30.0
"""Seconds that one question about events waits in the daemon."""
_FAILED = {"retrying", "stalled"}
_COLOURS = {"ready": "green", "retrying": "red", "stalled": "red"}


@click.command()
@click.argument("names", nargs=-1, shell_complete=NAME)
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Rows at most.")
@options.MACHINE
@options.config
def history(chosen: Chosen, names: tuple[str, ...], *, limit: int, shape: str) -> None:
    """List what changed something, the newest first: when, what, at which revision, by whom and why. Decisions of people too.

    It is the ledger of the state folder, and needs no daemon.

    \b
    Examples:
      gitopsd history
      gitopsd history ks/apps -n 5 -o json
    """
    options.run(lambda: _history(chosen, names, limit, shape))


async def _history(chosen: Chosen, names: tuple[str, ...], limit: int, shape: str) -> Exit:
    files = choice.read(chosen)
    control = await client.running(files)
    if control is None:
        from gitopsd.cli import left  # what a daemon answers needs none of it

        rows = left.rows(choice.understood(files), names, limit)
    else:
        rows = await control.history(names, limit)
    if shape != "table":
        output.machine(list(rows), shape)
        return Exit.READY
    table = Table("WHEN", "OBJECT", "CHANGED", "REVISION", "BY", "WHY", box=None, pad_edge=False, header_style="bold")
    for row in rows:
        counts = ", ".join(f"{number} {action}" for action, number in row.counts.items())
        reason = output.clean(row.reason.removeprefix(f"{row.ref}: "))
        table.add_row(_time(row.at), str(row.ref), counts, output.short(row.revision), row.actor, reason)
    output.console().print(table)
    return Exit.READY


@click.command()
@click.argument("names", nargs=-1, shell_complete=NAME)
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@click.option("--failed", is_flag=True, help="Only what went wrong.")
@options.LINES
@options.config
def events(chosen: Chosen, names: tuple[str, ...], *, follow: bool, failed: bool, shape: str) -> None:
    """Show what happened lately in the daemon, about all objects or NAMES; with -f what happens from now on too.

    \b
    Examples:
      gitopsd events -f
      gitopsd events ks/apps --failed
      gitopsd events -f -o json | jq .message
    """

    async def show(control: SocketControl) -> Exit:
        after = 0
        while True:
            found = await control.events(names, after, PATIENCE if follow else 0)
            for row in found:
                if not failed or row.phase in _FAILED:
                    _event(row, shape)
            if not follow:
                return Exit.READY
            after = found[-1].number if found else after

    options.run(lambda: _with_daemon(chosen, show))


def _event(row: Happening, shape: str) -> None:
    if shape == "json":
        click.echo(output.line(row))
        return
    counts = ", ".join(f"{number} {action}" for action, number in row.changed.items())
    words = Text.assemble(
        (_time(row.at), "dim"), " ", (str(row.ref), "bold"), " ", (row.phase, _COLOURS.get(row.phase, "yellow"))
    )
    message = output.clean(row.message.removeprefix(f"{row.ref}: "))
    output.console().print(Text(" ").join([words, Text(message), Text(f"({counts})" if counts else "")]))


@click.command()
@click.argument("name", shell_complete=NAME)
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines, until Ctrl-C.")
@options.config
def logs(chosen: Chosen, name: str, *, follow: bool) -> None:
    """Show the daemon's log lines about NAME, as far back as it keeps them in memory.

    \b
    Examples:
      gitopsd logs ks/apps -f
    """

    async def show(control: SocketControl) -> Exit:
        after, heard = 0, 0
        while True:
            for line in await control.logs(name, after):
                click.echo(line.text)
                after = line.number
            if not follow:
                return Exit.READY
            happened = await control.events([name], heard, PATIENCE)
            heard = happened[-1].number if happened else heard

    options.run(lambda: _with_daemon(chosen, show))


async def _with_daemon(chosen: Chosen, show: Callable[[SocketControl], Awaitable[Exit]]) -> Exit:
    files = choice.read(chosen)
    control = await client.running(files)
    if control is None:
        raise UsageError(f"no daemon runs on {files.socket}; start it with `gitopsd run`, or see `gitopsd history`")
    return await show(control)


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
