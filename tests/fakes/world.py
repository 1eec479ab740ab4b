"""A world for whole-way tests: a Git repository, a sandbox cluster, a configuration, and the engine put together over them.

Every part is the real one; the cluster's journal tells what it was asked for, and by whom.
"""

from __future__ import annotations

import logging
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import anyio
from fakes.git_repository import GitRepository
from fakes.real_cluster import RealCluster

from gitopsd.config import chosen as choice
from gitopsd.config.chosen import Chosen, Loaded
from gitopsd.daemon import compose
from gitopsd.daemon.compose import Mode
from gitopsd.model.identity import ObjectRef
from gitopsd.model.masking import Secrets
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.runtime import log
from gitopsd.runtime.asked import foreseen, whatif
from gitopsd.runtime.asked.whatif import Question
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.shown.view import PlanView
from gitopsd_plugins.sandbox.journal import Request
from gitopsd_plugins.sandbox.server import Running

PATIENCE = 20.0
"""Seconds until a wait for an event counts as failed."""
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
RECORDS = "/api/v1/namespaces/gitopsd-system/"
SOURCE = ObjectRef(kind="GitRepository", namespace="flux-system", name="repo")


def app_ref(name: str) -> ObjectRef:
    return ObjectRef(kind="Kustomization", namespace="flux-system", name=name)


def config_map(name: str, *, namespace: str = "default", annotations: str = "{}", **data: str) -> str:
    """A ConfigMap as the text of a file."""
    lines = "".join(f"  {key}: {value!r}\n" for key, value in (data or {"key": "value"}).items())
    metadata = f"{{name: {name}, namespace: {namespace}, annotations: {annotations}}}"
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {metadata}\ndata:\n{lines}"


def maps(folder: str, *names: str) -> dict[str, str]:
    """ConfigMaps, one file each, as a commit takes them."""
    return {f"{folder}/{name}.yaml": config_map(name) for name in names}


def gone(folder: str, *names: str) -> dict[str, str | None]:
    """The same files removed."""
    return {f"{folder}/{name}.yaml": None for name in names}


def kustomization(name: str, *spec: str, path: str = "", annotations: str = "{}") -> str:
    """A Kustomization of the world's repository as text; `spec` are further lines of its spec, winning over the defaults."""
    given = dict(line.split(": ", 1) for line in spec)
    fields = {
        "interval": "1h",
        "retryInterval": "1h",
        "timeout": "20s",
        "prune": "true",
        "path": f"./{path or name}",
        "sourceRef": "{kind: GitRepository, name: repo}",
        **given,
    }
    lines = "".join(f"  {key}: {value}\n" for key, value in fields.items())
    return (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        f"metadata: {{name: {name}, namespace: flux-system, annotations: {annotations}}}\nspec:\n{lines}"
    )


def repository(url: str, *spec: str, name: str = "repo") -> str:
    """A GitRepository as text."""
    lines = "".join(f"  {line}\n" for line in spec)
    return (
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
        f'metadata: {{name: {name}, namespace: flux-system}}\nspec:\n  interval: 1h\n  url: "{url}"\n{lines}'
    )


@dataclass(slots=True)
class Heard:
    """Outcomes, as they come."""

    outcomes: list[Outcome] = field(default_factory=list)
    news: anyio.Event = field(default_factory=anyio.Event)

    def note(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.news.set()

    async def until(self, wanted: Callable[[Outcome], bool], since: int = 0) -> Outcome:
        """The first outcome from `since` on that is wanted, waiting for it to come."""
        with anyio.move_on_after(PATIENCE):
            while True:
                for outcome in self.outcomes[since:]:
                    if wanted(outcome):
                        return outcome
                since = len(self.outcomes)
                self.news = anyio.Event()
                await self.news.wait()
        said = [f"{o.ref.name} {o.phase} {o.message}" for o in self.outcomes[-8:]]
        raise AssertionError(f"not within {PATIENCE:g} s; the last outcomes were: {said}")


@dataclass(slots=True)
class World:
    """One test's world. `declare` writes the configuration; `engine` runs what it says."""

    folder: Path
    running: Running | RealCluster
    http: aiohttp.ClientSession
    repository: GitRepository
    settings: str = ""
    instance: str = "default"
    through: str = ""
    """The URL under which gitopsd reaches the cluster, where that is not its own."""
    environment: dict[str, str] = field(default_factory=dict)
    """What gitopsd's environment holds besides."""
    heard: Heard = field(default_factory=Heard)
    level: int = logging.ERROR
    """What the engine's log tells on the standard error output."""

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def context(self) -> str:
        """The name of the cluster's context in its kubeconfig."""
        return self.running.context if isinstance(self.running, RealCluster) else "sandbox"

    @property
    def tls(self) -> ssl.SSLContext | None:
        """How the cluster's administrator speaks to it, where that is not in the clear."""
        return self.running.tls if isinstance(self.running, RealCluster) else None

    @property
    def user(self) -> str:
        """Who gitopsd is to the cluster."""
        return "admin" if isinstance(self.running, RealCluster) else "sandbox-admin"

    def declare(self, *objects: str, source: str | None = None, cluster: str = "test") -> None:
        """Write the configuration: settings, cluster, the repository, and these objects."""
        instance = "" if self.instance == "default" else f"  instance: '{self.instance}'\n"
        settings = (
            "apiVersion: gitopsd.io/v1alpha1\nkind: Settings\nmetadata: {name: settings}\n"
            f"spec:\n  stateDir: {self.folder / 'state'}\n{instance}{self.settings}"
        )
        origin = repository(self.repository.url, "ref: {branch: main}") if source is None else source
        self.config.write_text(
            "---\n".join(part for part in (settings, self.declared_as(cluster), origin, *objects) if part)
        )

    def declared_as(self, name: str) -> str:
        """This world's cluster as a Cluster object, in its own configuration or in another one's."""
        kubeconfig = self.folder / "kubeconfig"
        kubeconfig.write_text(self.running.kubeconfig().replace(self.running.url, self.through or self.running.url))
        return (
            f"apiVersion: gitopsd.io/v1alpha1\nkind: Cluster\nmetadata: {{name: {name}}}\n"
            f"spec: {{kubeconfig: {{path: {kubeconfig}, context: {self.context}}}}}\n"
        )

    def load(self, *, offline: bool = False) -> Loaded:
        environment = {"HOME": str(self.folder), **self.environment}
        return choice.load(Chosen(paths=(self.config,), environment=environment, here=self.folder, offline=offline))

    @asynccontextmanager
    async def engine(
        self, *, watch: bool = False, write: bool = True, resume: bool = False, loaded: Loaded | None = None
    ) -> AsyncIterator[Engine]:
        """The engine at work on what is declared."""
        begun, over = anyio.Event(), anyio.Event()
        found: list[Engine] = []

        async def body(engine: Engine) -> None:
            found.append(engine)
            begun.set()
            await over.wait()

        secrets = Secrets()
        logger = log.make(sys.stderr, json=False, secrets=secrets, level=self.level)
        mode = Mode(write=write, watch=watch, resume=resume, log=logger, secrets=secrets)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(compose.engaged, loaded or self.load(), mode, body, on_outcome=self.heard.note))
            await begun.wait()
            try:
                yield found[0]
            finally:
                over.set()

    async def once(self, *, write: bool = True, loaded: Loaded | None = None) -> Mapping[ObjectRef, Outcome]:
        """`reconcile --once`: everything that is declared, until all of it rests."""
        async with self.engine(write=write, loaded=loaded) as engine:
            with anyio.fail_after(PATIENCE):
                return dict(await engine.once())

    async def plan(
        self, *names: str, revisions: Sequence[str] = (), folders: Sequence[str] = (), offline: bool = False
    ) -> PlanView:
        """`gitopsd plan`: with an engine of its own."""
        question = Question(names=names, revisions=tuple(revisions), folders=tuple(folders))
        secrets = Secrets()
        logger = log.make(sys.stderr, json=False, secrets=secrets, level=logging.WARNING)
        mode = Mode(write=False, watch=False, work=False, log=logger, secrets=secrets)

        async def body(engine: Engine) -> PlanView:
            return await whatif.asked(engine, question, foreseen.view)

        with anyio.fail_after(PATIENCE):
            return await compose.engaged(self.load(offline=offline), mode, body, on_outcome=lambda _: None)

    async def app(self, name: str = "app") -> Outcome:
        """What one app comes to in a run of everything."""
        return (await self.once())[app_ref(name)]

    async def until(self, name: str, phase: Phase = Phase.READY, *, since: int = 0, at: str = "") -> Outcome:
        """The app's next outcome in this phase, at this commit where one is given."""

        def wanted(outcome: Outcome) -> bool:
            right = outcome.ref == app_ref(name) and outcome.phase is phase
            return right and str(outcome.attempted or "").endswith(at)

        return await self.heard.until(wanted, since)

    # --- the cluster, as somebody else sees and changes it ------------------------------------------------------------

    async def get(self, path: str) -> dict[str, Any] | None:
        """An object; None where there is none."""
        async with self.http.get(self.running.url + path) as response:
            return None if response.status == 404 else await response.json()

    async def exists(self, *names: str) -> bool:
        """True when all these ConfigMaps are in the namespace default."""
        return all([await self.get(f"/api/v1/namespaces/default/configmaps/{name}") is not None for name in names])

    async def send(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> dict[str, Any]:
        """Change something behind gitopsd's back."""
        async with self.http.request(
            method, self.running.url + path, json=body, headers={"Content-Type": kind}
        ) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status < 300, answer
            return answer

    async def put_value(self, name: str, **data: str) -> None:
        """A ConfigMap beside the apps, for `substituteFrom`; both it and its namespace may be there from another test."""
        place = "/api/v1/namespaces/flux-system"
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system"}}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        for path, wanted in ((place, namespace), (f"{place}/configmaps/{name}", body)):
            await self.send("PATCH", f"{path}?fieldManager=test&force=true", wanted, "application/apply-patch+yaml")

    async def put_map(self, name: str, *, manager: str = "kubectl-edit", **metadata: Any) -> None:
        """Somebody else's ConfigMap."""
        body = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"key": "theirs"}}
        body["metadata"] = {"name": name, "namespace": "default", **metadata}
        await self.send("POST", f"/api/v1/namespaces/default/configmaps?fieldManager={manager}", body)

    def asked(self, method: str = "*") -> list[Request]:
        """What gitopsd asked of the cluster; its lease and the opening of watches are not counted."""
        return [
            request
            for request in self.running.journal.requests(method)
            if request.agent.startswith("gitopsd/") and "/leases" not in request.path and "watch" not in request.query
        ]

    @property
    def deleted(self) -> list[str]:
        """The paths of objects that gitopsd sent a DELETE for, its own records left out."""
        return [request.path for request in self.asked("DELETE") if not request.path.startswith(RECORDS)]
