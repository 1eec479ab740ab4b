"""`gitopsd diff`: the plan of the revision that is declared now, nothing written."""

from __future__ import annotations

import click

from gitopsd.cli import client, options, output
from gitopsd.cli.exits import Exit
from gitopsd.config.chosen import Chosen
from gitopsd.runtime.control import Control
from gitopsd.runtime.view import Report


@click.command()
@click.argument("names", nargs=-1)
@options.OUTPUT
@options.cluster
def diff(chosen: Chosen, names: tuple[str, ...], *, output: str) -> None:
    """Show what a reconcile would change now, for all apps or NAMES; nothing is written.

    Exit code 0: no change, 4: there are changes, 1: something could not be planned. `-o name` lists the apps that would
    change something.

    \b
    Examples:
      gitopsd diff -c config.yaml
      gitopsd diff ks/apps
      gitopsd diff -o json | jq '.[].changes[].action'
    """
    options.run(lambda: _diff(chosen, names, output))


async def _diff(chosen: Chosen, names: tuple[str, ...], shape: str) -> Exit:
    async def ask(control: Control) -> Exit:
        apps = names or [str(view.ref) for view in await control.views() if view.app]
        reports = [report for name in apps for report in await control.plan(name)]
        match shape:
            case "json" | "yaml":
                output.machine(reports, shape)
            case "name":
                output.names(report.view.ref for report in reports if _changes(report))
            case _:
                output.clusters(await control.clusters())
                for report in reports:
                    output.report(report, fields=True)
        return _code(reports)

    return await client.asked(chosen, options.mode(write=False, watch=False), ask, names=names, settled=True)


def _code(reports: list[Report]) -> Exit:
    if any(not report.view.ready for report in reports):
        return Exit.FAILED
    return Exit.CHANGES if any(map(_changes, reports)) else Exit.READY


def _changes(report: Report) -> bool:
    return any(change.action in {"create", "update", "recreate", "adopt", "delete"} for change in report.changes)
