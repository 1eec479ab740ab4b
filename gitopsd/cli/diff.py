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
    """Show what a reconcile would change now, for all apps or NAMES. Exit code 4: there are changes.

    \b
    Examples:
      gitopsd diff -c config.yaml
      gitopsd diff ks/apps
    """
    options.run(lambda: _diff(chosen, names, output))


async def _diff(chosen: Chosen, names: tuple[str, ...], shape: str) -> Exit:
    async def ask(control: Control) -> Exit:
        apps = names or [str(view.ref) for view in await control.views() if view.app]
        reports = [report for name in apps for report in await control.plan(name)]
        if shape in {"json", "yaml"}:
            output.machine(reports, shape)
        else:
            output.clusters(await control.clusters())
            for report in reports:
                output.report(report, fields=True)
        return _code(reports)

    return await client.asked(chosen, options.mode(write=False, watch=False), ask, settled=True)


def _code(reports: list[Report]) -> Exit:
    if any(not report.view.ready for report in reports):
        return Exit.FAILED
    changes = any(c.action in {"create", "update", "recreate", "adopt", "delete"} for r in reports for c in r.changes)
    return Exit.CHANGES if changes else Exit.READY
