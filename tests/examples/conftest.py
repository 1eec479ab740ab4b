"""An example of config/examples in the field: its repositories made on this machine, its clusters sandboxes.

What the example declares stays as it is; a second `-c` file says where its repositories and clusters are here, as its
reader would do to try it out. Nothing is known about single examples, but for the content of repositories that are
somebody else's: what such a repository holds is written in `CONTENT`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
from fakes.git_repository import GitRepository
from fakes.registry import Registry, layer, serving

from gitopsd.config import chosen as choice
from gitopsd.config.chosen import Chosen
from gitopsd.daemon import compose
from gitopsd.daemon.compose import Mode
from gitopsd.model.identity import ObjectRef
from gitopsd.model.masking import Secrets
from gitopsd.model.outcome import Outcome
from gitopsd.plugin import yaml
from gitopsd.runtime import log
from gitopsd_plugins.sandbox.cluster import Settings
from gitopsd_plugins.sandbox.journal import Request
from gitopsd_plugins.sandbox.server import Running, serve

EXAMPLES = Path(__file__).parents[2] / "config" / "examples"
PATIENCE = 30.0
"""Seconds for one run of everything."""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: podinfo}
spec:
  replicas: 2
  selector: {matchLabels: {app: podinfo}}
  template:
    metadata: {labels: {app: podinfo}}
    spec:
      containers:
        - {name: podinfod, image: "ghcr.io/stefanprodan/podinfo:6.7.1", ports: [{name: http, containerPort: 9898}]}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: podinfo}
spec: {selector: {app: podinfo}, ports: [{name: http, port: 9898, targetPort: http}]}
"""
SCALER = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: podinfo}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}
  minReplicas: 2
  maxReplicas: 4
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 99}}}]
"""
PODINFO = {
    "kustomize/kustomization.yaml": "resources: [hpa.yaml, deployment.yaml, service.yaml]\n",
    "kustomize/deployment.yaml": DEPLOYMENT,
    "kustomize/service.yaml": SERVICE,
    "kustomize/hpa.yaml": SCALER,
}
PRIVATE = {
    "deploy/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: private}\n",
    "deploy/settings.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: private}\ndata: {colour: blue}\n"
    ),
}
CONTENT = {"podinfo": PODINFO, "private": PRIVATE}


@dataclass(slots=True, kw_only=True)
class Example:
    """One example, ready to be run."""

    folder: Path
    work: Path
    """Where everything that is made for it lies."""
    url: str
    """Of the repository that stands for all of the example's."""
    artifact: str
    """Of the artifact that stands for all of the example's."""
    clusters: Mapping[str, Running] = field(default_factory=dict)
    """The sandboxes that stand for the clusters; what is not among them stays as declared."""
    environment: dict[str, str] = field(default_factory=dict)
    secret: str = ""
    """The name of the Secret that the repository is read with; '' for none."""
    extra: list[dict[str, Any]] = field(default_factory=list)
    """Further documents of the second `-c`."""

    def paths(self) -> tuple[Path, ...]:
        """What a user names with -c: the example, and what is different on his machine."""
        documents = [*map(self._here, _documents(self.folder)), *self.extra, self._settings()]
        local = self.work / "local.yaml"
        local.write_text(yaml.write_all([each for each in documents if each]))
        return (_named(self.folder), local)

    def _here(self, document: dict[str, Any]) -> dict[str, Any] | None:
        match document["kind"]:
            case "GitRepository":
                spec = {key: value for key, value in document["spec"].items() if key != "secretRef"}
                secret = {"secretRef": {"name": self.secret}} if self.secret else {}
                return {**document, "spec": {**spec, **secret, "url": self.url}}
            case "OCIRepository":
                return {**document, "spec": {**document["spec"], "url": self.artifact}}
            case "Cluster" if (name := document["metadata"]["name"]) in self.clusters:
                kubeconfig = self.work / f"{name}.kubeconfig"
                kubeconfig.write_text(self.clusters[name].kubeconfig())
                return {**document, "spec": {"kubeconfig": {"path": str(kubeconfig), "context": "sandbox"}}}
        return None

    def _settings(self) -> dict[str, Any]:
        spec = {"stateDir": str(self.work / "state")}
        return {"apiVersion": "gitopsd.io/v1alpha1", "kind": "Settings", "metadata": {"name": "here"}, "spec": spec}

    async def once(self) -> Mapping[ObjectRef, Outcome]:
        """`reconcile --once` from a fresh start: what every declared object came to."""
        chosen = Chosen(paths=self.paths(), environment=self.environment, here=self.work)
        secrets = Secrets()
        logger = log.make(sys.stderr, json=False, secrets=secrets, level=logging.WARNING)
        mode = Mode(watch=False, log=logger, secrets=secrets)
        with anyio.fail_after(PATIENCE):
            found = await compose.engaged(
                choice.load(chosen), mode, lambda engine: engine.once(), on_outcome=lambda _: None
            )
        return dict(found)

    def applied(self) -> dict[str, set[str]]:
        """The objects that gitopsd labelled as its own in each cluster, as Kind/namespace/name."""
        return {name: set(_ours(running)) for name, running in self.clusters.items()}

    def writes(self) -> list[Request]:
        """Everything that would have changed a cluster since the journals were cleared, the lease left out."""
        return [
            request
            for running in self.clusters.values()
            for request in running.journal.requests()
            if request.method != "GET" and "dryRun" not in request.query and "/leases" not in request.path
        ]


def _named(folder: Path) -> Path:
    """The folder; the file in it where the repository's content lies beside."""
    return folder / "gitopsd.yaml" if (folder / "repository").exists() else folder


def _documents(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.yaml")):
        for document in yaml.read_all(file.read_bytes()):
            yield document.value


def _ours(running: Running) -> Iterator[str]:
    for stored in running.cluster.store.by_uid.values():
        metadata = stored.body["metadata"]
        if "gitopsd.io/name" in metadata.get("labels", {}):
            yield "/".join(filter(None, (stored.body["kind"], metadata.get("namespace"), metadata["name"])))


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], GitRepository]:
    """What an example's repositories hold: one that answers to every branch and tag which they follow."""
    made: dict[str, GitRepository] = {}

    def make(name: str) -> GitRepository:
        if name not in made:
            made[name] = GitRepository(tmp_path_factory.mktemp(name) / "repository.git")
            commit = made[name].commit(_content(EXAMPLES / name))
            made[name].branch("master", commit)
            made[name].tag("v1.0.0", commit, annotated=True)
            made[name].tag("v2.0.0-rc.1", made[name].commit({"README.md": "not released\n"}, branch="next"))
        return made[name]

    return make


def _content(folder: Path) -> dict[str, str]:
    """The files of the repository: those beside the example, else what is written here for the first one it names."""
    beside = folder / "repository"
    if beside.exists():
        return {str(file.relative_to(beside)): file.read_text() for file in beside.rglob("*") if file.is_file()}
    named = next(each for each in _documents(folder) if each["kind"] in {"GitRepository", "OCIRepository"})
    return CONTENT[named["metadata"]["name"]]


@pytest.fixture(scope="session")
def artifact() -> Iterator[str]:
    """The URL of what an example's artifacts hold: the files of podinfo, released and as a candidate."""
    files = {name.removeprefix("kustomize/"): text.encode() for name, text in PODINFO.items()}
    with serving(Registry()) as running:
        running.artifact(layer(files), tag="6.7.1")
        running.artifact(layer({"README.md": b"not released"}), tag="7.0.0-rc.1")
        yield running.url


@pytest.fixture
def prepared(repository: Callable[[str], GitRepository], artifact: str, tmp_path: Path) -> Callable[[str], Example]:
    """An example with its repository, and with the clusters that it declares."""
    return lambda name: Example(
        folder=EXAMPLES / name,
        work=tmp_path,
        url=repository(name).url,
        artifact=artifact,
        environment={"HOME": str(tmp_path)},
    )


@pytest.fixture
def opened(prepared: Callable[[str], Example]) -> Callable[[str], AbstractAsyncContextManager[Example]]:
    """An example whose clusters are sandboxes, which answer until the context ends."""

    @asynccontextmanager
    async def open_(name: str) -> AsyncIterator[Example]:
        example = prepared(name)
        declared = [each["metadata"]["name"] for each in _documents(example.folder) if each["kind"] == "Cluster"]
        async with AsyncExitStack() as stack:
            example.clusters = {
                cluster: await stack.enter_async_context(serve(settings=Settings(settling=0.05)))
                for cluster in declared
            }
            yield example

    return open_
