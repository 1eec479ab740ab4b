"""`gitopsd sandbox up`: the sandbox as a server of its own, for kubectl and for people."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import click


@click.group()
def sandbox() -> None:
    """A Kubernetes cluster to play with, inside gitopsd: nothing is installed, nothing leaves this machine."""


@sandbox.command()
@click.option("--port", default=0, show_default="a free one", help="Port on 127.0.0.1.")
@click.option("--kubeconfig", type=click.Path(path_type=Path, dir_okay=False), help="Where to write the kubeconfig.")
@click.option(
    "--persist", type=click.Path(path_type=Path, file_okay=False), help="Folder that keeps the state over restarts."
)
@click.option("--settling", default=0.3, show_default=True, help="Seconds until workloads become healthy.")
def up(port: int, kubeconfig: Path | None, persist: Path | None, settling: float) -> None:
    """Run a sandbox cluster until Ctrl-C and write a kubeconfig for it.

    \b
    Examples:
      gitopsd sandbox up
      gitopsd sandbox up --persist ~/.local/state/sandbox --kubeconfig sandbox.yaml

    Images whose name or tag contains `fail` or `broken` never start.
    """
    path = (kubeconfig or Path("sandbox.kubeconfig")).absolute()
    try:
        asyncio.run(_serve(port, path, persist, settling))
    except (OSError, ValueError) as error:
        raise click.ClickException(f"the sandbox cannot run: {error}") from error


async def _serve(port: int, kubeconfig: Path, persist: Path | None, settling: float) -> None:
    # here, so that `gitopsd --help` does not load an HTTP server
    from gitopsd_plugins.sandbox.cluster import Settings
    from gitopsd_plugins.sandbox.server import serve

    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with serve(port=port, tls=True, persist=persist, settings=Settings(settling=settling)) as running:
        write_private(kubeconfig, running.kubeconfig())
        click.echo(f"sandbox: a cluster in memory at {running.url}" + (f", kept in {persist}" if persist else ""))
        click.echo(f"  export KUBECONFIG={kubeconfig}")
        click.echo("  kubectl get namespaces")
        click.echo("Ctrl-C ends it.")
        await stopped.wait()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, replacing it in one step."""
    temporary = path.with_name(f".{path.name}.new")
    with os.fdopen(
        os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w", encoding="utf-8"
    ) as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
    temporary.replace(path)
