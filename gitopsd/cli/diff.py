"""`gitopsd diff`: the plan of the revision that is declared now, nothing written."""

from __future__ import annotations

import click

from gitopsd.cli import client, options, output_plan, tally
from gitopsd.cli.completion import NAME
from gitopsd.cli.exits import Exit
from gitopsd.config import chosen as choice
from gitopsd.config.chosen import Chosen


@click.command()
@click.argument("names", nargs=-1, shell_complete=NAME)
@options.OFFLINE
@options.PLANNED
@options.cluster
def diff(chosen: Chosen, names: tuple[str, ...], *, output: str) -> None:
    """Show what a reconcile would change now, for all apps or NAMES; nothing is written. Asks the daemon when one runs.

    `gitopsd plan` does the same for any other revision or a local folder. An app that is suspended is planned only when it is named.

    Exit code 0: no change, 4: there are changes, 1: something could not be planned. `-o name` lists the apps that would
    change something.

    \b
    Examples:
      gitopsd diff -c config.yaml
      gitopsd diff ks/apps -o unified
      gitopsd diff -o json | jq '.apps[].changes[].action'
    """
    options.run(lambda: _diff(chosen, names, output))


async def _diff(chosen: Chosen, names: tuple[str, ...], shape: str) -> Exit:
    files = choice.read(chosen)
    daemon = None if chosen.offline else await client.daemon(files)
    if daemon is not None:
        found = await daemon.plan(names)
    else:
        from gitopsd.cli import own_engine  # 0.3 s that nobody waits for beside a daemon
        from gitopsd.runtime.asked.whatif import Question

        found = await own_engine.planned(files, Question(names=names))
    output_plan.show(found, shape)
    return tally.code(found)
