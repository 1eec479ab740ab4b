"""`gitopsd plan`: what any revision, branch or folder would do to the clusters, before it is merged; nothing written."""

from __future__ import annotations

import click

from gitopsd.cli import options, output_plan, own_engine, tally
from gitopsd.cli.completion import NAME
from gitopsd.cli.exits import Exit
from gitopsd.config import chosen as choice
from gitopsd.config.chosen import Chosen
from gitopsd.runtime.asked.whatif import Question


@click.command()
@click.argument("names", nargs=-1, shell_complete=NAME)
@click.option(
    "--revision",
    "revisions",
    multiple=True,
    metavar="[SOURCE=]REF",
    help="A branch, tag, full ref or commit (of an artifact: a tag or digest, of a chart: a version) in the place of the declared "
    "one. SOURCE is needed where several could be meant.",
)
@click.option(
    "--path",
    "folders",
    multiple=True,
    metavar="[SOURCE=]DIR",
    help="A local folder in the place of the source's root (of a chart: of its folder), as a commit of it would be.",
)
@options.OFFLINE
@options.PLANNED
@options.cluster
def plan(
    chosen: Chosen, names: tuple[str, ...], *, revisions: tuple[str, ...], folders: tuple[str, ...], output: str
) -> None:
    """Show what a revision, a branch or a local folder would change, in all apps that it touches or NAMES.

    Children and objects that move between apps are followed; nothing is written. It runs by itself, beside a running daemon too.

    Exit code 0: no change, 4: there are changes, 1: something could not be planned.

    \b
    Examples:
      gitopsd plan --revision feature/x -c config.yaml
      gitopsd plan --path . -c config.yaml -o unified
      gitopsd plan --path . -c config.yaml --offline
      gitopsd plan --revision apps=refs/pull/7/head --revision infra=v2 -c /etc/gitopsd -o markdown
    """
    question = Question(names=names, revisions=revisions, folders=folders, here=chosen.here)
    options.run(lambda: _plan(chosen, question, output))


async def _plan(chosen: Chosen, question: Question, shape: str) -> Exit:
    found = await own_engine.planned(choice.read(chosen), question)
    output_plan.show(found, shape)
    return tally.code(found)
