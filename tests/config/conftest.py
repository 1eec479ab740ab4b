"""A registry with small kinds of the tests' own, and declared sets out of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gitopsd.config import documents, home
from gitopsd.config.declared_set import DeclaredSet
from gitopsd.plugin import (
    AppIntent,
    Body,
    Declared,
    Intent,
    ObjectRef,
    Outcome,
    ResourceId,
    SourceIntent,
    Spec,
    Treatment,
    digest,
    keys,
    spec,
)
from gitopsd.plugin.registry import Registry

Declare = Callable[..., DeclaredSet]


class Reference(Spec, frozen=True, kw_only=True):
    name: str
    kind: str = ""
    namespace: str = ""


class Branch(Spec, frozen=True, kw_only=True):
    branch: str = "master"


class RepositorySpec(Spec, frozen=True, kw_only=True):
    url: str
    interval: str
    timeout: str = "60s"
    ref: Branch = Branch()
    secret_ref: Reference | None = None


class KustomizationSpec(Spec, frozen=True, kw_only=True):
    interval: str
    source_ref: Reference
    prune: bool
    path: str = ""
    retry_interval: str = ""
    timeout: str = "5m"
    target_namespace: str = ""
    depends_on: tuple[Reference, ...] = ()
    wait: bool = False
    suspend: bool = False
    validation: str = ""
    health_checks: tuple[dict[str, str], ...] = ()
    patches: tuple[dict[str, Any], ...] = ()


class Document(Spec, frozen=True, kw_only=True):
    api_version: str
    kind: str
    metadata: dict[str, Any]


class RepositoryDocument(Document, frozen=True, kw_only=True):
    spec: RepositorySpec


class KustomizationDocument(Document, frozen=True, kw_only=True):
    spec: KustomizationSpec


@dataclass
class TestKind:
    """What both kinds share."""

    __test__ = False
    group: str
    kind: str
    versions: tuple[str, ...]
    to_intent: Callable[[Declared], Intent]
    document: type[Document]
    aliases: tuple[str, ...] = ()

    def read(self, declared: Declared) -> Intent:
        return self.to_intent(declared)

    def status(self, declared: Declared, outcome: Outcome, previous: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}

    def treatment(self, intent: AppIntent, id: ResourceId, body: Body) -> Treatment:
        return Treatment()

    def schema(self) -> Mapping[str, Any]:
        import msgspec

        return msgspec.json.schema(self.document)


@dataclass
class TestSource:
    __test__ = False
    kind: str

    async def resolve(self, intent: SourceIntent, ctx: Any) -> Any:
        raise NotImplementedError

    async def fetch(self, intent: SourceIntent, revision: Any, base: Any, ctx: Any) -> Any:
        raise NotImplementedError


@dataclass
class TestAccess:
    __test__ = False
    name: str

    def open(self, cluster: str, spec: Mapping[str, Any], ctx: Any) -> Any:
        raise NotImplementedError


def _source(declared: Declared) -> Intent:
    found = spec.decode(declared.document, RepositoryDocument).spec
    interval = spec.duration(found.interval, path=("spec", "interval"))
    return SourceIntent(
        ref=declared.ref,
        spec=found,
        content=digest.of_value(found.url),
        interval=interval,
        timeout=timedelta(seconds=60),
    )


def _app(declared: Declared) -> Intent:
    found = spec.decode(declared.document, KustomizationDocument).spec
    interval = spec.duration(found.interval, path=("spec", "interval"))
    here = declared.ref.namespace
    annotations = declared.document["metadata"].get("annotations") or {}
    return AppIntent(
        ref=declared.ref,
        source=_ref(found.source_ref, found.source_ref.kind, here),
        source_kinds=frozenset({"GitRepository", "OCIRepository"}),
        renderer="test",
        spec={"path": found.path},
        interval=interval,
        retry_interval=interval,
        timeout=timedelta(minutes=5),
        prune=found.prune,
        depends_on=tuple(_ref(d, "Kustomization", here) for d in found.depends_on),
        suspended=found.suspend,
        cluster=annotations.get(keys.CLUSTER),
    )


def _ref(reference: Reference, kind: str, namespace: str) -> ObjectRef:
    return ObjectRef(kind=kind, namespace=reference.namespace or namespace, name=reference.name)


GIT = TestKind("source.toolkit.fluxcd.io", "GitRepository", ("v1", "v1beta2"), _source, RepositoryDocument)
APP = TestKind("kustomize.toolkit.fluxcd.io", "Kustomization", ("v1", "v1beta2"), _app, KustomizationDocument)


@pytest.fixture
def registry() -> Registry:
    return Registry(
        kinds={(kind.group, kind.kind): kind for kind in (GIT, APP)},
        unserved=frozenset({("helm.toolkit.fluxcd.io", "HelmRelease"), ("source.toolkit.fluxcd.io", "OCIRepository")}),
        sources={"GitRepository": TestSource("GitRepository")},
        accesses={name: TestAccess(name) for name in ("kubeconfig", "inCluster", "sandbox")},
    )


@pytest.fixture
def declare(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Declare:
    """Write each argument as one `-c` file (a text), or one `-c` folder (texts by file name), and declare them."""
    monkeypatch.chdir(tmp_path)

    def declared(*layers: str | Mapping[str, str]) -> DeclaredSet:
        paths = [_write(Path(f"{number}"), layer) for number, layer in enumerate(layers)]
        return home.declare(documents.gather(paths), registry)

    return declared


def _write(path: Path, layer: str | Mapping[str, str]) -> Path:
    if isinstance(layer, str):
        path = path.with_suffix(".yaml")
        path.write_text(layer)
        return path
    for name, text in layer.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return path


@pytest.fixture
def git() -> Callable[..., str]:
    """A GitRepository as text; `extra` are lines of its spec."""

    def text(name: str = "app", *extra: str, meta: str = "") -> str:
        lines = "".join(f"  {line}\n" for line in extra)
        return (
            "apiVersion: source.toolkit.fluxcd.io/v1\n"
            "kind: GitRepository\n"
            f"metadata: {{name: {name}{meta}}}\n"
            f"spec:\n  url: https://example.com/{name}\n  interval: 1m\n{lines}---\n"
        )

    return text


@pytest.fixture
def app() -> Callable[..., str]:
    """A Kustomization as text; `extra` are lines of its spec."""

    def text(name: str = "app", *extra: str, source: str = "app", meta: str = "") -> str:
        lines = "".join(f"  {line}\n" for line in extra)
        return (
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\n"
            "kind: Kustomization\n"
            f"metadata: {{name: {name}{meta}}}\n"
            f"spec:\n  interval: 1m\n  prune: true\n  sourceRef: {{kind: GitRepository, name: {source}}}\n{lines}---\n"
        )

    return text
