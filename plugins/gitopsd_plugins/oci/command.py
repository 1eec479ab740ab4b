"""`gitopsd pull artifact` and `gitopsd push artifact`: what Flux's own verbs of these names do, with the same artifacts."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import click
import msgspec

from gitopsd.plugin import GitopsdError, UsageError
from gitopsd.plugin.oci import Client, Reference, Registries, manifest
from gitopsd.plugin.oci import push as pushing
from gitopsd.plugin.sources import archive
from gitopsd_plugins.oci import packing, reach
from gitopsd_plugins.oci.output import OutputFolder
from gitopsd_plugins.oci.packing import Layer
from gitopsd_plugins.oci.reach import Login, Reach

T = TypeVar("T")

TIMEOUT = 300.0
NEVER = "1970-01-01T00:00:00Z"
_TITLE = "org.opencontainers.image."


@click.group()
def pull() -> None:
    """Bring something from a registry to this machine."""


@click.group()
def push() -> None:
    """Put something from this machine into a registry."""


@pull.command("artifact")
@click.argument("url", metavar="oci://HOST/REPOSITORY[:TAG][@DIGEST]")
@click.option(
    "--output", "folder", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for the files."
)
@click.option("--force", is_flag=True, help="Replace files that are there with other content.")
@reach.options
def pull_artifact(url: str, folder: Path, *, force: bool, reach: Reach, login: Login) -> None:
    """Write the files of an artifact into a folder, as `flux pull artifact` does.

    \b
    Examples:
      gitopsd pull artifact oci://ghcr.io/org/config/app:v1 --output ./app
    """
    place = _artifact(url)
    digest, files = _run(partial(_pull, place, folder, reach, login, replace=force))
    click.echo(f"{place.repository}@{digest}")
    click.echo(f"{files} files written to {folder}", err=True)


async def _pull(place: Reference, folder: Path, reach: Reach, login: Login, *, replace: bool) -> tuple[str, int]:
    with tempfile.TemporaryDirectory(prefix="gitopsd-") as held:
        layer = Path(held) / "layer"
        async with Registries().open(place.repository, login.way(place), reach, timeout=TIMEOUT) as client:
            found = await client.image(place.digest or place.tag or "latest")
            if not found.layers:
                raise UsageError(f"{place} holds no layer")
            await client.save(found.layers[0], layer)
        blobs = Path(held) / "files"
        blobs.mkdir()
        written = OutputFolder(folder, blobs, replace=replace)
        files = await anyio.to_thread.run_sync(partial(_unpacked, layer, written))
    return found.digest, files


def _unpacked(layer: Path, output: OutputFolder) -> int:
    with layer.open("rb") as stream:
        return archive.put(stream, output).stored.files


@push.command("artifact")
@click.argument("url", metavar="oci://HOST/REPOSITORY:TAG")
@click.option(
    "--path", "source", required=True, type=click.Path(path_type=Path, exists=True), help="Folder, or one file."
)
@click.option(
    "--source", "origin", required=True, help="Where it comes from, for example the URL of the Git repository."
)
@click.option("--revision", required=True, help="Which revision of that it is: main@sha1:COMMIT.")
@click.option("-a", "--annotations", multiple=True, metavar="KEY=VALUE", help="Further annotations of the manifest.")
@click.option(
    "--ignore-paths",
    multiple=True,
    metavar="PATTERN",
    help="Patterns as in .gitignore; may be repeated or joined by commas. Default: Git's own files, images and archives.",
)
@click.option("--reproducible", is_flag=True, help="Write no time into the manifest: equal content is an equal digest.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How to print the digest.")
@reach.options
def push_artifact(
    url: str,
    source: Path,
    origin: str,
    revision: str,
    annotations: Sequence[str],
    ignore_paths: Sequence[str],
    *,
    reproducible: bool,
    output: str,
    reach: Reach,
    login: Login,
) -> None:
    """Pack a folder and put it into a registry, as `flux push artifact` does.

    \b
    Examples:
      gitopsd push artifact oci://ghcr.io/org/config/app:v1 --path ./deploy \\
        --source https://github.com/org/app --revision main@sha1:4e8a...
    """
    place = _artifact(url)
    if not place.tag or place.digest:
        raise click.UsageError(f"{url} must end in a tag, and in no digest")
    created = NEVER if reproducible else reach.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    named = {f"{_TITLE}created": created, f"{_TITLE}source": origin, f"{_TITLE}revision": revision}
    named |= dict(_annotation(text) for text in annotations)
    ignored = [part for text in ignore_paths for part in text.split(",")] or packing.IGNORED
    digest = _run(partial(_push, place, source, named, ignored, reach, login))
    click.echo(_printed(place, digest, output))


async def _push(
    place: Reference, source: Path, annotations: dict[str, str], ignored: Sequence[str], reach: Reach, login: Login
) -> str:
    with tempfile.TemporaryDirectory(prefix="gitopsd-") as held:
        packed = Path(held) / "layer.tar.gz"
        layer = await anyio.to_thread.run_sync(partial(packing.pack, source, ignored, packed))
        for link in layer.links:
            click.echo(f"Warning: {link}: a symbolic link, left out", err=True)
        async with Registries().open(place.repository, login.way(place), reach, timeout=TIMEOUT) as client:
            return await _sent(client, place.tag, layer, packed, annotations)


async def _sent(client: Client, tag: str, layer: Layer, packed: Path, annotations: dict[str, str]) -> str:
    content = packing.config(layer)
    config = pushing.described(content, packing.CONFIG)
    await pushing.blob(client, config, content)
    await pushing.blob(client, layer.descriptor, packed)
    raw = packing.document(layer, config, annotations)
    return await pushing.put(client, raw, manifest.IMAGE, tag)


def _printed(place: Reference, digest: str, output: str) -> str:
    if output == "text":
        return f"{place.repository}@{digest}"
    whole = f"{place.repository.host}/{place.repository.path}"
    found = {"url": f"{place.repository}@{digest}", "repository": whole, "tag": place.tag, "digest": digest}
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()


def _annotation(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.UsageError(f"{text!r} is no annotation; write it as KEY=VALUE")
    return key, value


def _artifact(url: str) -> Reference:
    try:
        return reach.artifact(url)
    except UsageError as error:
        raise click.UsageError(str(error)) from error


def _run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run to the end; an error of ours is one clear message and exit code 1, or 2 for a wrong command line."""
    try:
        return anyio.run(main)
    except UsageError as error:
        raise click.UsageError(str(error)) from error
    except GitopsdError as error:
        click.echo(f"gitopsd: {error}", err=True)
        sys.exit(1)
