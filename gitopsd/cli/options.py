"""The options that verbs share, what they mean together, and how a verb's coroutine is run: errors become one line and a code."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import anyio
import click

from gitopsd.cli import exits
from gitopsd.cli.exits import Exit
from gitopsd.config.chosen import Chosen
from gitopsd.model.errors import GitopsdError
from gitopsd.plugin import SpecError, spec

F = TypeVar("F", bound=Callable[..., Any])

_CONFIG = click.option(
    "-c",
    "--config",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File or folder with settings and objects; may be repeated, later ones override earlier ones by identity. "
    "Default: $GITOPSD_CONFIG, ./gitopsd.yaml, /etc/gitopsd.",
)
_CLUSTER = (
    click.option("--kubeconfig", type=click.Path(path_type=Path), help="Kubeconfig file for --context ($KUBECONFIG)."),
    click.option(
        "--context", "kube_context", default="", metavar="NAME", help="The cluster: a context of the kubeconfig."
    ),
    click.option("--sandbox", is_flag=True, help="The cluster: the embedded sandbox, for every declared cluster."),
)
OUTPUT = click.option(
    "-o", "--output", type=click.Choice(["table", "json", "yaml", "name"]), default="table", help="How to print."
)
MACHINE = click.option(
    "-o", "--output", "shape", type=click.Choice(["table", "json", "yaml"]), default="table", help="How to print."
)
LINES = click.option(
    "-o",
    "--output",
    "shape",
    type=click.Choice(["table", "json"]),
    default="table",
    help="Text, or one JSON object a line.",
)

OFFLINE = click.option(
    "--offline", is_flag=True, help="Ask no cluster: an empty sandbox stands for it, and everything is new."
)
PLANNED = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "unified", "side-by-side", "markdown", "json", "yaml", "name"]),
    default="table",
    help="How to print: a summary, diffs of the objects, a comment for a pull request, everything for programs.",
)


def config(command: F) -> F:
    """Add -c; the command gets a `Chosen` as `chosen`."""
    return _CONFIG(_choosing(command))


def cluster(command: F) -> F:
    """Add -c and the options that name a cluster; the command gets a `Chosen` as `chosen`."""
    command = _choosing(command)
    for option in (*_CLUSTER, _CONFIG):
        command = option(command)
    return command


def _choosing(command: F) -> F:
    @functools.wraps(command)
    def chosen(
        *args: Any,
        paths: tuple[Path, ...],
        kubeconfig: Path | None = None,
        kube_context: str = "",
        sandbox: bool = False,
        offline: bool = False,
        **rest: Any,
    ) -> Any:
        choice = Chosen(
            paths=paths,
            kubeconfig=kubeconfig,
            context=kube_context,
            sandbox=sandbox,
            offline=offline,
            environment=dict(os.environ),
            root=os.geteuid() == 0,
            here=Path.cwd(),
        )
        return command(*args, chosen=choice, **rest)

    return chosen  # type: ignore[return-value]  # click passes the options that `chosen` takes over


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> timedelta | None:
    """The time that an option was given, written as everywhere else: 30s, 5m, 1h30m."""
    if value is None:
        return None
    try:
        return spec.duration(value)
    except SpecError as error:
        raise click.BadParameter(str(error), ctx, param) from error


def moment(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """The time that an option was given: a moment with its zone, or a duration from now on."""
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        span = duration(ctx, param, value)
        return datetime.now(UTC) + span if span is not None else None
    if found.tzinfo is None:
        raise click.BadParameter(f"{value!r} says no time zone; write 2026-01-31T08:00:00Z", ctx, param)
    if found <= datetime.now(UTC):
        raise click.BadParameter(f"{value!r} is over", ctx, param)
    return found.astimezone(UTC)


def run(main: Callable[[], Coroutine[Any, Any, Exit]]) -> None:
    """Run a verb to its end and exit with its code; an error of ours is one clear message."""
    try:
        code = anyio.run(main)
    except GitopsdError as error:
        click.echo(f"gitopsd: {error}", err=True)
        code = exits.of_error(error)
    except KeyboardInterrupt:
        code = Exit.FAILED
    sys.exit(code)
