"""`gitopsd sandbox up`, `down`, `reset`: the sandbox as a server of its own, for kubectl and for people."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitopsd_plugins.sandbox import instance, process
from gitopsd_plugins.sandbox.instance import Instance

if TYPE_CHECKING:
    from gitopsd_plugins.sandbox.server import Running

KUBECONFIG = click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("sandbox.kubeconfig"),
    show_default=True,
    help="The kubeconfig of the sandbox; it tells one sandbox from another.",
)
PERSIST = click.option(
    "--persist", type=click.Path(path_type=Path, file_okay=False), help="Folder that keeps the state over restarts."
)


@click.group()
def sandbox() -> None:
    """A Kubernetes cluster to play with, inside gitopsd: nothing is installed, nothing leaves this machine."""


@sandbox.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default="a free one", help="Port on 127.0.0.1.")
@KUBECONFIG
@PERSIST
@click.option(
    "--settling",
    type=click.FloatRange(min=0),
    default=0.3,
    show_default=True,
    help="Seconds until workloads become healthy.",
)
def up(port: int, kubeconfig: Path, persist: Path | None, settling: float) -> None:
    """Run a sandbox cluster until Ctrl-C or `gitopsd sandbox down`, and write a kubeconfig for it.

    \b
    Examples:
      gitopsd sandbox up
      gitopsd sandbox up --persist ~/.local/state/sandbox --port 6443

    Images whose name or tag contains `fail` or `broken` never start.
    """
    try:
        with instance.held(kubeconfig.absolute()) as held:
            asyncio.run(_serve(port, kubeconfig.absolute(), persist, settling, held))
    except (OSError, ValueError) as error:
        raise click.ClickException(f"the sandbox cannot run: {error}") from error


async def _serve(port: int, kubeconfig: Path, persist: Path | None, settling: float, held: Instance) -> None:
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (instance.STOP, instance.INTERRUPT):
        loop.add_signal_handler(number, stopped.set)
    async with AsyncExitStack() as stack:
        with process.starting():
            running = await _started(stack, port, persist, settling)

        def reset() -> None:
            running.reset()
            held.note_reset()

        loop.add_signal_handler(instance.RESET, reset)
        write_private(kubeconfig, running.kubeconfig())
        held.announce()
        click.echo(f"sandbox: a cluster in memory at {running.url}" + (f", kept in {persist}" if persist else ""))
        click.echo(f"  export KUBECONFIG={kubeconfig}")
        click.echo("  kubectl get namespaces")
        click.echo("Ctrl-C ends it.")
        await stopped.wait()


async def _started(stack: AsyncExitStack, port: int, persist: Path | None, settling: float) -> Running:
    # here, so that `gitopsd --help` does not load an HTTP server
    from gitopsd_plugins.sandbox.cluster import Settings
    from gitopsd_plugins.sandbox.server import serve

    return await stack.enter_async_context(
        serve(port=port, tls=True, persist=persist, settings=Settings(settling=settling))
    )


@sandbox.command()
@KUBECONFIG
def down(kubeconfig: Path) -> None:
    """End the sandbox that runs for a kubeconfig; what `--persist` keeps is written first.

    \b
    Examples:
      gitopsd sandbox down
      gitopsd sandbox down --kubeconfig other.kubeconfig
    """
    found = instance.running(kubeconfig.absolute())
    if found is None:
        raise click.ClickException(f"no sandbox runs for {kubeconfig}; name the kubeconfig of `gitopsd sandbox up`")
    _told(instance.stop, kubeconfig.absolute(), found)
    click.echo(f"sandbox: ended ({kubeconfig})")


@sandbox.command()
@KUBECONFIG
@PERSIST
def reset(kubeconfig: Path, persist: Path | None) -> None:
    """Empty the sandbox: a running one at once, with its address and token; else the folder that `--persist` names.

    \b
    Examples:
      gitopsd sandbox reset
      gitopsd sandbox reset --persist ~/.local/state/sandbox
    """
    found = instance.running(kubeconfig.absolute())
    if found is not None:
        _told(instance.reset, kubeconfig.absolute(), found)
    elif persist is not None:
        _forget(persist)
    else:
        raise click.ClickException(f"no sandbox runs for {kubeconfig}; name its kubeconfig, or a folder with --persist")
    click.echo("sandbox: as new")


def _told(tell: instance.Tell, kubeconfig: Path, found: instance.Found) -> None:
    try:
        tell(kubeconfig, found)
    except (TimeoutError, ProcessLookupError, PermissionError) as error:
        raise click.ClickException(f"the sandbox of {kubeconfig} (process {found.pid}): {error}") from error


def _forget(folder: Path) -> None:
    from gitopsd_plugins.sandbox.keeping import persistence

    try:
        persistence.forget(folder)
    except BlockingIOError as error:
        raise click.ClickException(f"{error}; or name its kubeconfig") from error


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, replacing it in one step."""
    temporary = path.with_name(f".{path.name}.new")
    with os.fdopen(
        os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w", encoding="utf-8"
    ) as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
    temporary.replace(path)
