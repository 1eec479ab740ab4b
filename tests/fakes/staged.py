"""The stages of one app on a real target: what an attempt does between render and prune, without a repository or a process.

Everything in it is the real thing; only what a whole attempt would bring along (claims, watches, a store) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fakes.things import AT

from gitopsd.model.change import Action, Applied, Change, Live
from gitopsd.model.declared import AppIntent, Declared, Place
from gitopsd.model.digest import Digest
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.inventory import Inventory, Owned
from gitopsd.model.manifest import Body, Manifest
from gitopsd.plugin import registry
from gitopsd.plugin.roles import Target
from gitopsd.reconcile import stage
from gitopsd.reconcile.conclude import Run
from gitopsd.reconcile.world import Board, Safety, World

APP = ObjectRef(kind="Kustomization", namespace="flux-system", name="apps")
REGISTRY = registry.load()


class _Unwatched:
    """Nothing is watched: every look asks the cluster."""

    def holds(self, *_: Any) -> bool:
        return False

    def writing(self, *_: Any) -> None:
        pass

    expect = writing


@dataclass(slots=True)
class _Memory:
    marks: dict[ResourceId, Applied] = field(default_factory=dict)

    def applied(self, *_: Any) -> Mapping[ResourceId, Applied]:
        return self.marks

    def keep_applied(self, uid: str, app: ObjectRef, marks: Mapping[ResourceId, Applied], gone: Any = ()) -> None:
        self.marks = {id: mark for id, mark in self.marks.items() if id not in gone} | dict(marks)


@dataclass(slots=True)
class Staged:
    """One app. `errors` are those of the last run."""

    target: Target
    memory: _Memory = field(default_factory=_Memory)
    owned: dict[ResourceId, Owned] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    async def plan(self, *bodies: Body, annotations: Mapping[str, str] | None = None, **spec: Any) -> list[Change]:
        """The changes that are planned, nothing written. `spec`: fields of the Kustomization."""
        return await self._run(bodies, annotations or {}, spec, plan_only=True)

    async def apply(self, *bodies: Body, annotations: Mapping[str, str] | None = None, **spec: Any) -> list[Change]:
        """The changes, carried out; `errors` has what went wrong."""
        return await self._run(bodies, annotations or {}, spec, plan_only=False)

    async def make(self, *bodies: Body, **spec: Any) -> list[Action]:
        """The same where nothing may go wrong; what was done, in the order in which it was done."""
        changes = await self.apply(*bodies, **spec)
        assert self.errors == []
        return [change.action for change in changes]

    async def look(self, body: Body) -> Live | None:
        """The object in the cluster."""
        [manifest] = (await self.target.qualify([Manifest.of(body)])).manifests
        return (await self.target.observe([(manifest.id, manifest.version)])).get(manifest.id)

    async def body(self, body: Body) -> Any:
        """The object in the cluster, which must be there."""
        live = await self.look(body)
        assert live is not None, body
        return live.body

    async def _run(
        self, bodies: tuple[Body, ...], annotations: Mapping[str, str], spec: Mapping[str, Any], *, plan_only: bool
    ) -> list[Change]:
        declared = _declared(annotations, spec)
        kind = REGISTRY.kind_named(APP.kind)
        assert kind is not None
        intent = kind.read(declared)
        assert isinstance(intent, AppIntent)
        record = Inventory(app=APP, cluster_uid=self.target.uid, owned=dict(self.owned), token="1")
        run, world = Run(declared=declared, started=AT, inventory=record), self._world()
        manifests = (await self.target.qualify([Manifest.of(body) for body in bodies])).manifests
        changes = await stage.all_of(intent, manifests, {}, run, self.target, world, plan_only=plan_only)
        failed = [change.error for change in changes] + [result.error for result in run.results.values()]
        self.errors = [str(error) for error in failed if error is not None]
        if not plan_only:
            await stage.keep_marks(run, changes, self.target, world)
            self.owned |= {m.id: Owned(id=m.id, version=m.version) for m in manifests}
        return [_done(change, run) for change in changes]

    def _world(self) -> World:
        unused: Any = None
        return World(
            registry=REGISTRY,
            store=unused,
            memory=self.memory,
            ctx=unused,
            safety=Safety(),
            limits=unused,
            slots=unused,
            additive_ready=False,
            board=Board(),
            statuses={},
            claims=unused,
            mirror=_Unwatched(),  # type: ignore[arg-type] # the rest of it is not asked
            target=unused,
            adopt_children=unused,
            elsewhere=unused,
            lookups=unused,
            wake=unused,
            has_read=unused,
            progress=unused,
        )


def _declared(annotations: Mapping[str, str], spec: Mapping[str, Any]) -> Declared:
    needed = {"interval": "10m", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "repo"}}
    document = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": APP.kind,
        "metadata": {"name": APP.name, "namespace": APP.namespace, "annotations": dict(annotations)},
        "spec": {**needed, **spec},
    }
    return Declared(ref=APP, document=document, place=Place(file="x.yaml"), spec=Digest(""))


def _done(change: Change, run: Run) -> Change:
    """What became of it: a forced apply may have re-created."""
    result = run.results.get(change.id)
    return change if result is None else replace(change, action=result.action)
