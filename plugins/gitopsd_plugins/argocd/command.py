"""`gitopsd import argocd`: Applications from files or a cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import click

from gitopsd.plugin import UsageError, yaml
from gitopsd.plugin.imports import Import, Imported, Note, Reach, Reader
from gitopsd.plugin.imports import delivery as deliveries
from gitopsd.plugin.imports.delivery import Delivery
from gitopsd_plugins.argocd import application

GROUP = "argoproj.io"
CREDENTIALS = "how repositories are signed in to is kept in Argo CD's own Secrets and is not read; add a secretRef where one is private"


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--namespace", default="flux-system", show_default=True, help="The namespace of the objects that are made."
)
@click.option("--head", default="main", show_default=True, metavar="BRANCH", help="The branch that HEAD stands for.")
@deliveries.options
@click.pass_obj
def argocd(reach: Reach, *, files: tuple[Path, ...], namespace: str, head: str, delivery: Delivery) -> None:
    """Print Flux objects for Argo CD's Applications, from FILES (- for stdin) or from a cluster. Nothing is applied.

    Directory and kustomize sources are imported, Helm sources are listed. Exit code 1: a part of the input is not in the
    output (see --lenient).

    \b
    Examples:
      gitopsd import argocd applications.yaml
      kubectl get applications -A -o yaml | gitopsd import argocd -
      gitopsd import argocd --context staging --to cluster
    """

    def make() -> Import:
        bodies = (
            list(_of_files(files)) if files else anyio.run(reach, delivery.kubeconfig, delivery.context, _of_cluster)
        )
        return made(bodies, namespace=namespace, head=head)

    sys.exit(deliveries.run(make, delivery, reach))


def _of_files(files: Sequence[Path]) -> Iterator[Mapping[str, Any]]:
    for path in files:
        try:
            content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
        try:
            documents = yaml.read_all(content, file=str(path))
        except yaml.YamlError as error:
            raise UsageError(str(error)) from error
        for document in documents:
            yield from _flat(document.value)


def _flat(value: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(value, Mapping):
        return
    items = value.get("items")
    if isinstance(items, list) and str(value.get("kind", "")).endswith("List"):
        yield from (item for item in items if isinstance(item, Mapping))
    else:
        yield value


async def _of_cluster(cluster: Reader) -> Sequence[Mapping[str, Any]]:
    found = await cluster.listed(GROUP, "", "Application")
    return [*found, *(await cluster.listed(GROUP, "", "ApplicationSet"))]


def made(bodies: Iterable[Mapping[str, Any]], *, namespace: str, head: str) -> Import:
    """The objects of all Applications; a repository that several follow is made once. Raises `UsageError` for none."""
    repositories: dict[str, Imported] = {}
    apps: dict[str, Imported] = {}
    secrets: dict[str, Imported] = {}
    notes: list[Note] = []
    for body in bodies:
        kind, name = str(body.get("kind", "")), str((body.get("metadata") or {}).get("name", ""))
        if not str(body.get("apiVersion", "")).startswith(f"{GROUP}/") or kind != "Application" or not name:
            notes.append(Note(text=f"{kind or 'a document'}/{name}: is no Application and not imported", lost=True))
            continue
        for repository, app, said in application.mapped(body, namespace=namespace, head=head):
            notes += said
            if repository is None or app is None:
                continue
            if app.id.name in apps:
                raise UsageError(
                    f"two Applications make a Kustomization {app.id.name}; import them into namespaces of their own"
                )
            origins: dict[tuple[str | int, ...], str] = {("spec", "url"): "spec.source.repoURL"}
            origins[("spec", "ref", repository.ref[0])] = "spec.source.targetRevision"
            repositories.setdefault(
                repository.name, Imported(body=repository.body(namespace), origins=origins, file=namespace)
            )
            if repository.login:
                said_of = f"the login in the repoURL of {repository.name}"
                secrets[repository.name] = Imported(body=repository.credentials(namespace), heading=said_of)
            apps[app.id.name] = app
    if not apps and not notes:
        raise UsageError("no Application was found; name files, or a cluster with --context")
    if repositories:
        notes.append(Note(text=CREDENTIALS))
    return Import(
        objects=(*repositories.values(), *apps.values()),
        secrets=tuple(secrets.values()),
        notes=tuple(dict.fromkeys(notes)),
    )
