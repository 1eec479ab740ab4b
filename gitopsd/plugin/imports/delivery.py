"""What is done with an import: printed, written into a folder, or compared with a cluster. Nothing is ever applied.

Objects go to stdout, or to files; everything said about them goes to stderr. Secrets with values are written only where a
file was named for them, readable by its owner alone.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import anyio
import click

from gitopsd.model.errors import GitopsdError, UsageError
from gitopsd.model.identity import ResourceId
from gitopsd.model.manifest import Body
from gitopsd.plugin.imports import difference, written
from gitopsd.plugin.imports.imported import Import, Imported
from gitopsd.plugin.imports.reach import Reach, Reader

F = TypeVar("F", bound=Callable[..., Any])

FAILED, WRONG, DIFFERS = 1, 2, 4
"""Exit codes, as those of all verbs: something is lost; wrong input or usage; `--check` found differences."""
ACCOUNTS = "accounts.json"
"""What a cluster must have first. Not YAML, so that `-c DIR` does not take it for declared objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The options that all verbs below `gitopsd import` share."""

    shape: str = "yaml"
    to: Path | None = None
    check: bool = False
    secrets_out: Path | None = None
    lenient: bool = False
    kubeconfig: Path | None = None
    context: str = ""


_CLUSTER = (
    click.option(
        "--kubeconfig",
        type=click.Path(path_type=Path),
        envvar="KUBECONFIG",
        help="Kubeconfig file for --context ($KUBECONFIG).",
    ),
    click.option("--context", "context", default="", metavar="NAME", help="The cluster: a context of the kubeconfig."),
)
_OPTIONS = (
    click.option("-o", "--output", "shape", type=click.Choice(["yaml", "json"]), default="yaml", help="How to print."),
    click.option(
        "--to",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help=f"Write files into this folder, for `-c DIR`; what the cluster must have first goes to {ACCOUNTS} there.",
    ),
    click.option(
        "--check", is_flag=True, help="Print differences to what is in the cluster. Exit code 4: there are some."
    ),
    click.option(
        "--secrets-out",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write Secrets with their values there, readable by you alone. Without it they are named only.",
    ),
    click.option("--lenient", is_flag=True, help="Exit code 0 although parts of the input are not in the output."),
    *_CLUSTER,
)


def options(command: F) -> F:
    """Add the shared options; the command gets a `Delivery` as `delivery`."""

    @functools.wraps(command)
    def with_delivery(
        *args: Any,
        shape: str,
        to: Path | None,
        check: bool,
        secrets_out: Path | None,
        lenient: bool,
        kubeconfig: Path | None,
        context: str,
        **rest: Any,
    ) -> Any:
        delivery = Delivery(
            shape=shape,
            to=to,
            check=check,
            secrets_out=secrets_out,
            lenient=lenient,
            kubeconfig=kubeconfig,
            context=context,
        )
        return command(*args, delivery=delivery, **rest)

    decorated: Any = with_delivery
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]  # click hands on the same function


def run(make: Callable[[], Import], delivery: Delivery, reach: Reach) -> int:
    """Make an import, deliver it, and answer with the exit code; an error of ours is one message."""
    try:
        return deliver(make(), delivery, reach)
    except GitopsdError as error:
        click.echo(f"gitopsd: {error}", err=True)
        return WRONG if isinstance(error, UsageError) else FAILED


def deliver(found: Import, delivery: Delivery, reach: Reach) -> int:
    """Print, write or compare; answers with the exit code."""
    for note in found.notes:
        click.echo(f"{'lost' if note.lost else 'note'}: {note.text}", err=True)
    for wanted in found.wanted:
        click.echo(f"provide: {wanted}", err=True)
    _write_secrets(found, delivery)
    if delivery.check:
        differing = anyio.run(_compare, found, delivery, reach)
        return DIFFERS if differing else _code(found, delivery)
    if delivery.to is not None:
        _write_folder(found, delivery.to, delivery.shape)
    else:
        click.echo(_text(found.objects, delivery.shape), nl=False)
    return _code(found, delivery)


def _code(found: Import, delivery: Delivery) -> int:
    return FAILED if found.lost and not delivery.lenient else 0


def _text(objects: Iterable[Imported], shape: str) -> str:
    return written.as_json(objects) if shape == "json" else written.as_yaml(tuple(objects))


def _write_secrets(found: Import, delivery: Delivery) -> None:
    if delivery.secrets_out is None:
        for it in found.secrets:
            keys = ", ".join(it.body.get("data", {}))
            click.echo(f"secret: {it.id} with {keys} is not printed; write it with --secrets-out FILE", err=True)
    elif found.secrets:
        _write_private(delivery.secrets_out, _text(found.secrets, delivery.shape))
        click.echo(f"wrote {delivery.secrets_out}", err=True)


def _write_private(path: Path, text: str) -> None:
    """Readable by its owner from its first moment; an existing file is replaced whole."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def _write_folder(found: Import, folder: Path, shape: str) -> None:
    """A file for each configuration; equal content is left alone, so that importing twice changes nothing."""
    files: dict[str, list[Imported]] = {}
    for it in found.objects:
        name = f"{it.file or it.id.name}.yaml" if it.declared else ACCOUNTS
        files.setdefault(name, []).append(it)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, objects in sorted(files.items()):
            path = folder / name
            text = _text(objects, "json" if name == ACCOUNTS else shape)
            if path.exists() and path.read_text("utf-8") == text:
                click.echo(f"unchanged {path}", err=True)
                continue
            path.write_text(text, "utf-8")
            click.echo(f"wrote {path}", err=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}") from error
    if ACCOUNTS in files:
        click.echo(
            f"the cluster must have the objects of {folder / ACCOUNTS} first: kubectl apply -f {folder / ACCOUNTS}",
            err=True,
        )


async def _compare(found: Import, delivery: Delivery, reach: Reach) -> bool:
    """Print what differs; True when something does."""
    compared = (*found.objects, *found.secrets)

    async def look(cluster: Reader) -> Mapping[ResourceId, Body]:
        click.echo(f"cluster {delivery.context} {cluster.server}", err=True)
        return await cluster.found([(it.id, it.version) for it in compared])

    differences = list(difference.of(compared, await reach(delivery.kubeconfig, delivery.context, look)))
    for each in differences:
        click.echo(str(each))
    if not differences:
        click.echo(f"no difference in {len(compared)} objects", err=True)
    return bool(differences)
