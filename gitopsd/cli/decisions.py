"""What a person decides about an app: approve, suspend, resume, delete."""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import click

from gitopsd.cli import client, exits, options, output
from gitopsd.cli.exits import Exit
from gitopsd.config.chosen import Chosen
from gitopsd.plugin import spec
from gitopsd.runtime.control import Control
from gitopsd.runtime.view import Report, View

_REASON = click.option("--reason", default="", help="Why; kept with the decision.")


@click.command()
@click.argument("name")
@click.option("--plan", default="", help="Approve only the plan with this digest.")
@_REASON
@options.cluster
def approve(chosen: Chosen, name: str, *, plan: str, reason: str) -> None:
    """Approve the deletions of NAME that wait for it.

    \b
    Examples:
      gitopsd approve ks/apps --reason "the old stack goes"
    """
    _decide(chosen, lambda control: control.approve(name, _actor(), reason, plan), settled=True)


@click.command()
@click.argument("name")
@click.option("--for", "duration", default="", help="Resume by itself after this time, for example 8h.")
@_REASON
@options.cluster
def suspend(chosen: Chosen, name: str, *, duration: str, reason: str) -> None:
    """Leave the app NAME alone; kept in the cluster beside its inventory, with who and why.

    \b
    Examples:
      gitopsd suspend ks/apps --for 8h --reason "incident 42"
    """
    until = datetime.now(UTC) + spec.duration(duration) if duration else None
    _decide(chosen, lambda control: control.suspend(name, _actor(), reason, until))


@click.command()
@click.argument("name")
@options.cluster
def resume(chosen: Chosen, name: str) -> None:
    """End the suspension of the app NAME."""
    _decide(chosen, lambda control: control.resume(name))


@click.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.cluster
def delete(chosen: Chosen, name: str, *, yes: bool) -> None:
    """Delete the app NAME with what it applied, by its deletion policy; of an orphan, all that it owns.

    \b
    Examples:
      gitopsd delete ks/old-app
    """
    options.run(lambda: _delete(chosen, name, yes=yes))


def _decide(chosen: Chosen, ask: Callable[[Control], Awaitable[Sequence[View]]], *, settled: bool = False) -> None:
    async def decided(control: Control) -> Exit:
        output.views(await ask(control), "table")
        return Exit.READY

    options.run(lambda: client.asked(chosen, options.mode(watch=False, actor=_actor()), decided, settled=settled))


async def _delete(chosen: Chosen, name: str, *, yes: bool) -> Exit:
    async def ask(control: Control) -> Exit:
        found = await control.tree([name])
        output.clusters(await control.clusters())
        output.tree(found)
        if not yes:
            click.confirm("Delete this, and the objects below it by its deletion policy?", abort=True)
        reports: Sequence[Report] = await control.delete(name, uuid.uuid4().hex)
        for report in reports:
            output.report(report, fields=False)
        return exits.of_views([report.view for report in reports])

    return await client.asked(chosen, options.mode(watch=False, actor=_actor()), ask)


def _actor() -> str:
    """Who decides: the name of the user of this terminal."""
    try:
        return getpass.getuser()
    except OSError:
        return "unknown"
