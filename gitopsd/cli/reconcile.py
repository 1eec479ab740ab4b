"""`gitopsd reconcile`: named objects now, or everything once in dependency order."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

import anyio
import click

from gitopsd.cli import client, exits, options, output
from gitopsd.cli.completion import NAME
from gitopsd.cli.exits import Exit
from gitopsd.config import chosen as choice
from gitopsd.config.chosen import Chosen
from gitopsd.model.errors import UsageError
from gitopsd.runtime.asked.control import Control
from gitopsd.runtime.shown.view import Report, View


@click.command()
@click.argument("names", nargs=-1, shell_complete=NAME)
@click.option("--once", is_flag=True, help="Everything that is declared, once, in dependency order; for CI.")
@click.option("--read-only", is_flag=True, help="With --once: send no write; say what would change.")
@click.option(
    "--timeout",
    metavar="DURATION",
    callback=options.duration,
    default="10m",
    show_default=True,
    help="Longest time for the whole run.",
)
@options.OUTPUT
@options.cluster
def reconcile(
    chosen: Chosen, names: tuple[str, ...], *, once: bool, read_only: bool, timeout: timedelta, output: str
) -> None:
    """Reconcile NAMES now (through the daemon when one runs), or everything once.

    \b
    Examples:
      gitopsd reconcile --once -c config.yaml
      gitopsd reconcile --once -c config.yaml --sandbox
      gitopsd reconcile --once -c config.yaml --read-only
      gitopsd reconcile ks/flux-system/apps
    """
    if once == bool(names):
        raise click.UsageError("name objects, or say --once for everything")
    if read_only and not once:
        raise click.UsageError("--read-only goes with --once; for single objects see `gitopsd diff NAME`")
    limit = timeout.total_seconds()
    if once:
        options.run(lambda: _once(chosen, limit, output, read_only=read_only))
    else:
        options.run(lambda: _named(chosen, names, limit, output))


async def _once(chosen: Chosen, limit: float, shape: str, *, read_only: bool) -> Exit:
    files = choice.read(chosen)
    if await client.running(files) is not None:
        raise UsageError(f"a daemon runs on {files.socket}; name objects, or stop it before --once")
    from gitopsd.cli import own_engine  # 0.3 s that nobody waits for beside a daemon

    async def settle(control: Control, late: bool) -> Exit:
        return await _summary(control, shape, late=late)

    return await own_engine.once(files, settle, limit=limit, write=not read_only)


async def _named(chosen: Chosen, names: tuple[str, ...], limit: float, shape: str) -> Exit:
    async def ask(control: Control) -> Exit:
        reports: list[Report] = []
        with anyio.move_on_after(limit) as late:
            for name in names:
                reports.extend(await control.reconcile(name, uuid.uuid4().hex))
        found = [report.view for report in reports]
        if shape == "table":
            output.clusters(await control.clusters())
            for report in reports:
                if report.changes:
                    output.report(report)
        output.views(found, shape)
        return _ended(found, late=late.cancelled_caught)

    return await client.asked(chosen, ask, names=names)


async def _summary(control: Control, shape: str, *, late: bool) -> Exit:
    found = await control.views()
    if shape == "table":
        output.clusters(await control.clusters())
    output.views(found, shape)
    return _ended(found, late=late)


def _ended(found: Sequence[View], *, late: bool) -> Exit:
    if late:
        click.echo("gitopsd: not everything was done within --timeout; `gitopsd get` says what is waited for", err=True)
    return Exit.HELD if late else exits.of_views(found)
