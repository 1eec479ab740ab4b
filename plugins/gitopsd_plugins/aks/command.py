"""`gitopsd import aks`: reads a file or stdin and hands the objects to what all imports share."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from gitopsd.plugin.imports import Import, Reach
from gitopsd.plugin.imports import delivery as deliveries
from gitopsd.plugin.imports.delivery import Delivery
from gitopsd_plugins.aks import inputs, keypair, objects
from gitopsd_plugins.aks.inputs import Given
from gitopsd_plugins.aks.resource import InputError

_START = "az k8s-configuration flux create "


@click.command()
@click.argument("words", metavar="FILE | - | -- ARGS", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--param", multiple=True, metavar="NAME=VALUE", help="A parameter of the template; VALUE @FILE reads a file."
)
@click.option(
    "--parameters",
    "parameters_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="An ARM parameters file.",
)
@click.option("--var", multiple=True, metavar="NAME=VALUE", help="A variable of the az commands, such as $RG.")
@click.option(
    "--set", "settled", multiple=True, metavar="PATH=VALUE", help="A property, in the place of what the input says."
)
@click.option(
    "--no-multi-tenancy",
    is_flag=True,
    help="Act with gitopsd's own rights, as with the extension's multiTenancy.enforce=false: no flux-applier is used.",
)
@deliveries.options
@click.pass_obj
def aks(
    reach: Reach,
    *,
    words: tuple[str, ...],
    param: Sequence[str],
    parameters_file: Path | None,
    var: Sequence[str],
    settled: Sequence[str],
    no_multi_tenancy: bool,
    delivery: Delivery,
) -> None:
    """Print Flux objects for Azure's flux configurations (microsoft.flux on AKS and Arc). Nothing is applied.

    FILE is one of these, told apart by its content: az k8s-configuration flux commands (bash, PowerShell, cmd), an ARM
    template, Bicep, the JSON of `az k8s-configuration flux show` or `list`, `kubectl get fluxconfigs -A -o yaml`. After `--`
    stand the arguments of one `az k8s-configuration flux create`.

    Objects go to stdout, notes to stderr. Exit code 1: a part of the input is not in the output (see --lenient); 2: the input
    cannot be read.

    \b
    Examples:
      gitopsd import aks flux.bicep --param gitOpsBranch=main
      gitopsd import aks script.ps1 --to cluster
      az k8s-configuration flux list -g rg -c aks -t managedClusters | gitopsd import aks -
      gitopsd import aks -- -n app --url https://github.com/o/r --branch main -k name=app path=./app prune=true
    """

    def make() -> Import:
        given = Given(
            parameters={**_file_parameters(parameters_file), **_pairs(param, files=True)},
            variables=_pairs(var),
            settled=_pairs(settled),
        )
        text, file, folder = _text(words)
        found = inputs.read(text, file=file, folder=folder, given=given)
        made = objects.made(found, tenancy=not no_multi_tenancy)
        return made if delivery.secrets_out is None else keypair.completed(made, delivery.secrets_out)

    sys.exit(deliveries.run(make, delivery, reach))


def _text(words: Sequence[str]) -> tuple[str, str, Path]:
    """The input, its name in messages, and the folder from which files are named in it."""
    if not words:
        raise InputError("name a FILE, - for stdin, or arguments of `az k8s-configuration flux create` after --")
    if words == ("-",):
        return _decoded(sys.stdin.buffer.read(inputs.LARGEST + 1), "stdin"), "stdin", Path.cwd()
    if len(words) > 1 or words[0].startswith("-"):
        return _START + shlex.join(words), "arguments", Path.cwd()
    path = Path(words[0])
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    return _decoded(content, str(path)), str(path), path.parent


def _decoded(content: bytes, file: str) -> str:
    if len(content) > inputs.LARGEST:
        raise InputError(f"{file}: is larger than {inputs.LARGEST >> 20} MiB")
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: is not a text in UTF-8 or UTF-16") from error


def _pairs(given: Sequence[str], *, files: bool = False) -> Mapping[str, Any]:
    """NAME=VALUE, the value a boolean or number where it reads like one and `@FILE` its content."""
    found: dict[str, Any] = {}
    for pair in given:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise InputError(f"{pair!r} is not NAME=VALUE")
        if files and value.startswith("@"):
            found[name] = _content(Path(value[1:]))
        else:
            found[name] = {"true": True, "false": False}.get(value, value) if files else value
    return found


def _content(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _file_parameters(path: Path | None) -> Mapping[str, Any]:
    return {} if path is None else inputs.parameters(_content(path), str(path))
