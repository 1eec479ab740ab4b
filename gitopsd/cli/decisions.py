"""What a person decides about an app: approve, suspend, resume, delete."""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import click

from gitopsd.cli import client, exits, options, output
from gitopsd.cli.completion import NAME
from gitopsd.cli.exits import Exit
from gitopsd.config.chosen import Chosen
from gitopsd.runtime.asked.control import Control

_REASON = click.option("--reason", default="", help="Why; kept with the decision.")
_UNTIL = "A moment (2026-01-31T08:00:00Z) or a time from now (8h)."


@click.command()
@click.argument("name", shell_complete=NAME)
@click.option("--plan", default="", metavar="DIGEST", help="Approve only the plan with this digest.")
@click.option("--until", metavar="TIME", callback=options.moment, help=f"The approval lapses then. {_UNTIL}")
@_REASON
@options.cluster
def approve(chosen: Chosen, name: str, *, plan: str, until: datetime | None, reason: str) -> None:
    """Approve the deletions of the app NAME that wait for it, and carry them out.

    `gitopsd diff NAME` shows what waits. An approval holds for exactly that plan, and is kept in the cluster with who and why.

    \b
    Examples:
      gitopsd approve ks/apps --reason "the old stack goes"
      gitopsd approve ks/apps --plan sha256:0f3a...
    """

    async def ask(control: Control) -> Exit:
        await control.approve(name, _actor(), reason, plan, until)
        return await _reconciled(control, name)

    _decide(chosen, name, ask)


@click.command()
@click.argument("name", shell_complete=NAME)
@click.option(
    "--for",
    "duration",
    metavar="DURATION",
    callback=options.duration,
    help="Resume by itself after this time, for example 8h.",
)
@click.option("--until", metavar="TIME", callback=options.moment, help=f"Resume by itself then. {_UNTIL}")
@_REASON
@options.cluster
def suspend(chosen: Chosen, name: str, *, duration: timedelta | None, until: datetime | None, reason: str) -> None:
    """Leave the app NAME alone until it is resumed; kept in the cluster beside its inventory, with who, why, until when.

    \b
    Examples:
      gitopsd suspend ks/apps --for 8h --reason "incident 42"
      gitopsd suspend ks/apps --until 2026-01-31T08:00:00Z
    """
    if duration and until:
        raise click.UsageError("--for and --until say the same thing; give one of them")
    until = datetime.now(UTC) + duration if duration else until

    async def ask(control: Control) -> Exit:
        found = await control.suspend(name, _actor(), reason, until)
        output.clusters(await control.clusters())
        output.views(found, "table")
        return Exit.READY

    _decide(chosen, name, ask)


@click.command()
@click.argument("name", shell_complete=NAME)
@click.option("--until", metavar="TIME", callback=options.moment, help=f"Suspend it again then. {_UNTIL}")
@_REASON
@options.cluster
def resume(chosen: Chosen, name: str, *, until: datetime | None, reason: str) -> None:
    """End the suspension of the app NAME, and reconcile it. One in its declaration stays.

    \b
    Examples:
      gitopsd resume ks/apps
    """

    async def ask(control: Control) -> Exit:
        await control.resume(name, _actor(), reason, until)
        return await _reconciled(control, name)

    _decide(chosen, name, ask)


@click.command()
@click.argument("name", shell_complete=NAME)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--until", metavar="TIME", callback=options.moment, help=f"What still stands then is kept. {_UNTIL}")
@_REASON
@options.cluster
def delete(chosen: Chosen, name: str, *, yes: bool, until: datetime | None, reason: str) -> None:
    """Delete the orphan NAME, an app whose declaration is gone, with all that it owns.

    What cannot be deleted at once is tried again, by the next gitopsd too, until --until or until it is declared again.
    A declared app is refused, as its declaration brings it back: remove that first, or set gitopsd.io/delete: confirmed there.

    \b
    Examples:
      gitopsd delete ks/old-app
      gitopsd delete ks/old-app --yes --until 1h --reason "replaced by ks/new-app"
    """

    async def ask(control: Control) -> Exit:
        found = await control.tree([name])
        output.clusters(await control.clusters())
        output.tree(found)
        if not yes and all(branch.view.phase == "orphaned" for branch in found):  # else it is refused anyway
            try:
                click.confirm("Delete this, and the objects below it?", abort=True)
            except click.Abort:  # here, since what leaves the engine leaves it in a group of exceptions
                click.echo("Aborted!", err=True)
                return Exit.FAILED
        reports = await control.delete(name, uuid.uuid4().hex, _actor(), reason, until)
        for report in reports:
            output.report(report)
        output.views([report.view for report in reports], "table")
        return exits.of_views([report.view for report in reports])

    _decide(chosen, name, ask)


def _decide(chosen: Chosen, name: str, ask: Callable[[Control], Awaitable[Exit]]) -> None:
    options.run(lambda: client.asked(chosen, ask, names=[name], actor=_actor()))


async def _reconciled(control: Control, name: str) -> Exit:
    """Look at it now, and show how it is."""
    found = [report.view for report in await control.reconcile(name, uuid.uuid4().hex)]
    output.clusters(await control.clusters())
    output.views(found, "table")
    return exits.of_views(found)


def _actor() -> str:
    """Who decides: the name of the user of this terminal."""
    try:
        return getpass.getuser()
    except OSError:
        return "unknown"
