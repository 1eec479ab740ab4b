"""Nothing is deleted by accident: each way in which it could happen, with no DELETE sent and a status that says why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import anyio
import pytest
import pytest_asyncio
from fakes.world import APPLY, MERGE, RECORDS, SOURCE, World, app_ref, config_map, gone, kustomization, maps

from gitopsd.config import reload
from gitopsd.model.change import Action
from gitopsd.model.errors import UsageError
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.runtime.asked.decisions import Decisions

pytestmark = pytest.mark.asyncio

FOUR = ("a", "b", "c", "d")


async def applied(world: World, *spec: str, names: tuple[str, ...] = FOUR, annotations: str = "{}") -> Outcome:
    """One app at rest with these ConfigMaps."""
    world.repository.commit(maps("app", *names))
    world.declare(kustomization("app", *spec, annotations=annotations))
    outcome = await world.app()
    assert outcome.phase is Phase.READY, outcome.message
    assert await world.exists(*names)
    return outcome


async def test_what_an_app_applied_is_kept_when_its_declaration_vanishes_while_running(either: World) -> None:
    either.repository.commit({**maps("app", "a"), **maps("other", "b")})
    either.declare(kustomization("app"), kustomization("other"))
    async with either.engine() as engine:
        await engine.once()
        either.declare(kustomization("other"))
        engine.declare(either.load().declared)
        await engine.once()
        view = engine.view(app_ref("app"))
    assert view.phase is Phase.ORPHANED
    assert "its declaration vanished; what it applied is kept" in view.message
    assert await either.exists("a")
    assert either.deleted == []


async def test_a_vanished_declaration_ends_its_app_where_the_settings_say_so(either: World) -> None:
    either.settings = "  safety: {orphanVanished: false}\n"
    either.repository.commit({**maps("app", "a"), **maps("other", "b")})
    either.declare(kustomization("app"), kustomization("other"))
    async with either.engine() as engine:
        await engine.once()
        either.declare(kustomization("other"))
        engine.declare(either.load().declared)
        await engine.once()
        assert app_ref("app") not in engine.board.intents
    assert await either.exists("b")
    assert not await either.exists("a")


async def test_what_an_app_applied_is_kept_when_its_declaration_vanished_before_the_start(either: World) -> None:
    await applied(either)
    either.declare()
    async with either.engine() as engine:
        await engine.reached()
        await engine.once()
        assert engine.view(app_ref("app")).phase is Phase.ORPHANED
        deleted = await Decisions(engine).delete(app_ref("app"), "now")
    assert deleted.phase is Phase.DELETED
    assert not await either.exists("a")


@pytest.mark.parametrize("left", [0, 1])
async def test_a_set_that_shrinks_at_a_reload_is_not_taken(world: World, left: int) -> None:
    apps = [kustomization(name) for name in FOUR]
    world.declare(*apps)
    before = world.load().declared
    world.declare(*apps[:left], source=None if left else "")
    with pytest.raises(UsageError, match="the declared set shrank from 5 to") as caught:
        reload.check(before, world.load().declared)
    assert caught.value.reason == "SetShrunken"


EMPTY: dict[str, tuple[dict[str, Any], str, Phase]] = {
    "every file is gone": (gone("app", *FOUR), "spec.path: './app' is not a folder of the artifact", Phase.RETRYING),
    "an empty kustomization": (
        {**gone("app", *FOUR), "app/kustomization.yaml": "resources: []\n"},
        "the render is empty although 4 objects are in the inventory; nothing was deleted",
        Phase.STALLED,
    ),
    "files without objects": (
        {**gone("app", *FOUR), "app/empty.yaml": "# nothing\n"},
        "the render is empty although 4 objects are in the inventory; nothing was deleted",
        Phase.STALLED,
    ),
    "a file that is no YAML": ({**gone("app", *FOUR), "app/z.yaml": "a: [\n"}, "app/z.yaml", Phase.RETRYING),
    "a resource that is missing": (
        {**gone("app", *FOUR), "app/kustomization.yaml": "resources: [missing.yaml]\n"},
        "missing.yaml",
        Phase.RETRYING,
    ),
}


@pytest.mark.parametrize("case", EMPTY)
async def test_an_empty_or_failed_render_prunes_nothing(either: World, case: str) -> None:
    changes, words, phase = EMPTY[case]
    await applied(either)
    either.repository.commit(changes)
    outcome = await either.app()
    assert (outcome.phase, words in outcome.message) == (phase, True), outcome.message
    assert outcome.message.count("Kustomization/flux-system/app") >= 1
    assert await either.exists(*FOUR)
    assert either.deleted == []


async def test_another_holder_of_the_lease_is_left_alone(either: World) -> None:
    await applied(either)
    lease = f"/apis/coordination.k8s.io/v1/namespaces/gitopsd-system/leases/actor.{either.instance}"
    found = await either.get(lease)
    assert found is not None
    renewed = datetime.now(UTC)
    found["spec"] |= {
        "holderIdentity": "elsewhere/default",
        "renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "leaseDurationSeconds": 30,
    }
    await either.send("PUT", lease, found)
    either.repository.commit(gone("app", "a"))
    either.running.journal.clear()
    outcome = await either.app()
    assert (outcome.reason, outcome.phase) == ("HeldElsewhere", Phase.RETRYING)
    assert "'elsewhere/default'" in outcome.message
    assert [r for r in either.asked() if r.method != "GET"] == []


async def test_a_second_process_on_the_same_state_is_refused(world: World) -> None:
    await applied(world)
    async with world.engine() as engine:
        await engine.once()
        with pytest.raises(BaseExceptionGroup) as caught:
            await world.once()
    assert caught.group_contains(Exception, match="another gitopsd works with")


async def test_objects_of_another_instance_are_refused_by_name(either: World) -> None:
    await applied(either)
    before, either.instance = either.instance, f"{either.instance}2"
    either.declare(kustomization("app"))
    outcome = await either.app()
    assert outcome.phase is Phase.STALLED
    assert f"it is managed by gitopsd instance {before}" in outcome.message
    assert either.deleted == []


async def test_a_record_of_another_cluster_behind_the_same_name_prunes_nothing(world: World, remote: World) -> None:
    await applied(world)
    record = f"inventory.{world.instance}.kustomization.flux-system.app"
    copied = [
        await world.get(path)
        for path in (f"{RECORDS}configmaps/{record}", *(f"/api/v1/namespaces/default/configmaps/{n}" for n in FOUR))
    ]
    world.repository.commit(gone("app", "a"))
    behind = replace(world, running=remote.running, http=remote.http)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gitopsd-system"}}
    await behind.send("PATCH", "/api/v1/namespaces/gitopsd-system?fieldManager=somebody", namespace, APPLY)
    for body in copied:
        assert body is not None
        for key in ("uid", "resourceVersion", "managedFields"):
            body["metadata"].pop(key, None)
        await behind.send("POST", f"/api/v1/namespaces/{body['metadata']['namespace']}/configmaps", body)
    behind.declare(kustomization("app"))
    outcome = await behind.app()
    assert outcome.phase is Phase.READY, outcome.message
    assert await behind.exists(*FOUR)
    assert behind.deleted == []
    assert outcome.inventory is not None
    assert {id.name for id in outcome.inventory.owned} == {"b", "c", "d"}


ENGINES: dict[str, dict[str, Any]] = {
    "Flux": {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "f"}},
    "Argo CD": {"annotations": {"argocd.argoproj.io/tracking-id": "apps:/ConfigMap:default/a"}},
    "Helm": {"annotations": {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "default"}},
    "gitopsd instance other": {"labels": {"gitopsd.io/instance": "other", "gitopsd.io/name": "app"}},
}


@pytest.mark.parametrize("engine", ENGINES)
async def test_an_object_of_another_engine_is_refused_by_name_and_the_others_are_applied(
    either: World, engine: str
) -> None:
    await either.put_map("a", **ENGINES[engine])
    either.repository.commit(maps("app", "a", "b"))
    either.declare(kustomization("app"))
    outcome = await either.app()
    assert outcome.phase is Phase.STALLED
    assert f"ConfigMap/default/a: it is managed by {engine}" in outcome.message
    assert "gitopsd.io/adopt" in outcome.message
    assert await either.exists("b")
    theirs = await either.get("/api/v1/namespaces/default/configmaps/a")
    assert theirs is not None
    assert theirs["data"] == {"key": "theirs"}
    either.repository.commit(gone("app", "a"))
    assert (await either.app()).phase is Phase.READY
    assert either.deleted == []


async def test_an_object_of_another_engine_is_taken_over_where_the_user_says_so(either: World) -> None:
    await either.put_map("a", **ENGINES["Flux"])
    either.repository.commit(maps("app", "a"))
    either.declare(kustomization("app", annotations='{gitopsd.io/adopt: "true"}'))
    outcome = await either.app()
    assert outcome.phase is Phase.READY, outcome.message
    ours = await either.get("/api/v1/namespaces/default/configmaps/a")
    assert ours is not None
    assert ours["data"] == {"key": "value"}


async def test_deleting_most_of_an_app_waits_for_an_approval_and_the_rest_goes_on(either: World) -> None:
    await applied(either)
    either.repository.commit({**gone("app", "a", "b", "c"), **maps("app", "new")})
    outcome = await either.app()
    assert outcome.plan is not None
    assert (outcome.phase, outcome.reason) == (Phase.WAITING, "DeletionNotApproved")
    assert "deleting 3 of 4 objects is more than half of the app" in outcome.message
    assert outcome.plan.digest in outcome.message
    assert await either.exists(*FOUR, "new")
    assert either.deleted == []


async def test_an_approved_deletion_is_carried_out_once(either: World) -> None:
    await applied(either)
    either.repository.commit(gone("app", "a", "b", "c"))
    async with either.engine() as engine:
        refused = (await engine.once())[app_ref("app")]
        assert refused.plan is not None
        assert await Decisions(engine).approve(app_ref("app"), actor="ada", reason="they go") == refused.plan.digest
        done = (await engine.once())[app_ref("app")]
    assert done.phase is Phase.READY, done.message
    assert sorted(path.rpartition("/")[2] for path in either.deleted) == ["a", "b", "c"]
    assert done.inventory is not None
    assert done.inventory.approvals == ()


async def test_an_approval_of_another_plan_is_refused(either: World) -> None:
    await applied(either)
    either.repository.commit(gone("app", "a", "b", "c"))
    async with either.engine() as engine:
        await engine.once()
        with pytest.raises(UsageError, match="no such plan waits"):
            await Decisions(engine).approve(app_ref("app"), actor="ada", plan="sha256:other")
    assert either.deleted == []


async def test_a_deletion_is_approved_in_git_by_the_plans_digest(either: World) -> None:
    await applied(either)
    either.repository.commit(gone("app", "a", "b", "c"))
    refused = await either.app()
    assert refused.plan is not None
    either.declare(kustomization("app", annotations=f"{{gitopsd.io/approve: '{refused.plan.digest}'}}"))
    assert (await either.app()).phase is Phase.READY
    assert len(either.deleted) == 3


NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: SHOP}\n"
CLAIM = (
    "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data, namespace: SHOP}\n"
    "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n"
)


@pytest_asyncio.fixture
async def shop(either: World) -> AsyncIterator[str]:
    """The name of a namespace that the test's app brings along."""
    name = f"shop-{uuid4().hex[:8]}"
    yield name
    if await either.get(f"/api/v1/namespaces/{name}") is not None:
        await either.send("DELETE", f"/api/v1/namespaces/{name}")


async def in_shop(world: World, shop: str, text: str) -> None:
    """An app of a namespace, one object in it, and others elsewhere; then without these two."""
    files = {"app/ns.yaml": NAMESPACE.replace("SHOP", shop), "app/own.yaml": text}
    world.repository.commit({**files, **maps("app", "x1", "x2", "x3", "x4")})
    world.declare(kustomization("app"))
    assert (await world.app()).phase is Phase.READY
    world.repository.commit(dict.fromkeys(files))


async def test_a_namespace_that_would_take_others_objects_along_is_kept(either: World, shop: str) -> None:
    await in_shop(either, shop, config_map("own", namespace=shop))
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "precious", "namespace": shop}}
    await either.send("POST", f"/api/v1/namespaces/{shop}/configmaps", body)
    outcome = await either.app()
    assert (outcome.phase, outcome.reason) == (Phase.WAITING, "DeletionNotApproved")
    assert f"not in the plan: ConfigMap/{shop}/precious" in outcome.message
    assert either.deleted == [f"/api/v1/namespaces/{shop}/configmaps/own"]


async def test_a_namespace_goes_with_what_is_in_the_plan(either: World, shop: str) -> None:
    await in_shop(either, shop, config_map("own", namespace=shop))
    assert (await either.app()).phase is Phase.READY
    assert either.deleted[-1] == f"/api/v1/namespaces/{shop}"


async def test_a_volume_is_kept_and_its_namespace_with_it(either: World, shop: str) -> None:
    await in_shop(either, shop, CLAIM.replace("SHOP", shop))
    outcome = await either.app()
    assert outcome.reason == "DeletionNotApproved"
    assert f"PersistentVolumeClaim/{shop}/data" in outcome.message
    assert either.deleted == []


@pytest.mark.parametrize(
    "marker", [f"kustomize.toolkit.fluxcd.io/{it}" for it in ("prune: disabled", "ssa: Ignore", "reconcile: disabled")]
)
async def test_a_marked_object_is_never_pruned(either: World, marker: str) -> None:
    either.repository.commit({**maps("app", *FOUR), "app/keep.yaml": config_map("keep", annotations=f"{{{marker}}}")})
    either.declare(kustomization("app"))
    await either.app()
    either.repository.commit({"app/keep.yaml": None})
    assert (await either.app()).phase is Phase.READY
    assert either.deleted == []


@pytest.mark.parametrize("marker", ["prune: disabled", "ssa: Ignore", "reconcile: disabled"])
async def test_an_object_that_is_marked_in_the_cluster_is_never_pruned(either: World, marker: str) -> None:
    await applied(either)
    key, value = f"kustomize.toolkit.fluxcd.io/{marker}".split(": ")
    path = "/api/v1/namespaces/default/configmaps/a"
    await either.send("PATCH", f"{path}?fieldManager=somebody", {"metadata": {"annotations": {key: value}}}, MERGE)
    either.repository.commit(gone("app", "a"))
    outcome = await either.app()
    assert outcome.phase is Phase.READY, outcome.message
    assert await either.exists("a")
    assert either.deleted == []


async def test_without_prune_nothing_is_deleted(either: World) -> None:
    await applied(either, "prune: false")
    either.repository.commit(gone("app", "a"))
    assert (await either.app()).phase is Phase.READY
    assert await either.exists("a")
    assert either.deleted == []


async def test_an_object_that_lost_our_labels_is_let_go(either: World) -> None:
    await applied(either)
    path = "/api/v1/namespaces/default/configmaps/a"
    labels = {f"gitopsd.io/{key}": None for key in ("instance", "kind", "namespace", "name")}
    await either.send("PATCH", path, {"metadata": {"labels": labels}}, MERGE)
    either.repository.commit(gone("app", "a"))
    assert (await either.app()).phase is Phase.READY
    assert await either.exists("a")
    assert either.deleted == []
    await either.send("DELETE", path)  # nobody would find it by its labels


async def test_an_app_is_left_alone_while_it_is_suspended_and_goes_on_when_it_is_resumed(either: World) -> None:
    await applied(either)
    async with either.engine() as engine:
        await engine.once()
        await Decisions(engine).suspend(app_ref("app"), actor="ada", reason="incident 42")
        either.repository.commit(gone("app", "a"))
        await engine.reconcile(SOURCE, "1")
        held = (await engine.once())[app_ref("app")]
        assert (held.phase, held.message) == (Phase.SUSPENDED, "suspended by ada: incident 42")
        assert either.deleted == []
        await Decisions(engine).resume(app_ref("app"))
        assert (await engine.once())[app_ref("app")].phase is Phase.READY
    assert len(either.deleted) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What becomes of an app's objects when it is deleted."""

    policy: str
    prune: bool
    kept: bool

    @property
    def app(self) -> str:
        return f"{self.policy.lower()}-{str(self.prune).lower()}"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{self.app}-{number}" for number in range(4))

    def declared(self, annotations: str) -> str:
        spec = (f"prune: {str(self.prune).lower()}", f"deletionPolicy: {self.policy}")
        return kustomization(self.app, *spec, annotations=annotations)


ENDINGS = (
    Ending(policy="MirrorPrune", prune=True, kept=False),
    Ending(policy="MirrorPrune", prune=False, kept=True),
    Ending(policy="Delete", prune=False, kept=False),
    Ending(policy="WaitForTermination", prune=False, kept=False),
    Ending(policy="Orphan", prune=True, kept=True),
)
CONFIRMED = "{gitopsd.io/delete: confirmed}"


async def test_a_declared_app_is_not_deleted_by_hand_as_its_declaration_would_bring_it_back(world: World) -> None:
    await applied(world)
    async with world.engine() as engine:
        await engine.once()
        with pytest.raises(
            UsageError, match=r"its declaration brings it back \(.*config\.yaml:\d+\); remove that first"
        ):
            await Decisions(engine).delete(app_ref("app"), "now")
    assert world.deleted == []


async def test_deleting_an_app_follows_its_deletion_policy(either: World) -> None:
    files = [maps(ending.app, *ending.names) for ending in ENDINGS]
    either.repository.commit({name: text for some in files for name, text in some.items()})
    for marks, phase in (("{}", Phase.READY), (CONFIRMED, Phase.DELETED)):
        either.declare(*(ending.declared(marks) for ending in ENDINGS))
        outcomes = await either.once()
        assert {outcomes[app_ref(e.app)].phase for e in ENDINGS} == {phase}, [o.message for o in outcomes.values()]
    for ending in ENDINGS:
        assert [await either.exists(name) for name in ending.names] == [ending.kept] * 4, ending
        record = f"inventory.{either.instance}.kustomization.flux-system.{ending.app}"
        assert await either.get(f"{RECORDS}configmaps/{record}") is None
    gone = [name for ending in ENDINGS if not ending.kept for name in ending.names]
    assert sorted(path.rpartition("/")[2] for path in either.deleted) == sorted(gone)


async def test_the_end_of_an_app_waits_for_what_ends_slowly_where_it_is_asked_to(either: World) -> None:
    await applied(either, "deletionPolicy: WaitForTermination")
    path = "/api/v1/namespaces/default/configmaps/a"
    await either.send("PATCH", path, {"metadata": {"finalizers": ["example.com/slow"]}}, MERGE)
    async with either.engine() as engine:
        await engine.once()
        seen = len(either.heard.outcomes)
        either.declare(kustomization("app", "deletionPolicy: WaitForTermination", annotations=CONFIRMED))
        engine.declare(either.load().declared)
        with anyio.fail_after(10):
            while not (found := await either.get(path)) or "deletionTimestamp" not in found["metadata"]:
                await anyio.lowlevel.checkpoint()
        assert [o for o in either.heard.outcomes[seen:] if o.ref == app_ref("app")] == []
        await either.send("PATCH", path, {"metadata": {"finalizers": None}}, MERGE)
        await either.until("app", Phase.DELETED, since=seen)


async def test_a_plan_of_an_app_that_is_to_be_deleted_deletes_nothing(either: World) -> None:
    await applied(either)
    either.declare(kustomization("app", annotations="{gitopsd.io/delete: confirmed}"))
    async with either.engine(write=False) as engine:
        outcome = (await engine.once())[app_ref("app")]
    assert outcome.plan is not None
    assert len(outcome.plan.changes) == 4
    assert either.deleted == []


async def test_a_plan_of_what_was_never_applied_shows_creates_and_writes_nothing(either: World, shop: str) -> None:
    files = {"one/ns.yaml": NAMESPACE.replace("SHOP", shop), "one/map.yaml": config_map("own", namespace=shop)}
    either.repository.commit({**files, **maps("two", "x")})
    either.declare(kustomization("one"), kustomization("two", "dependsOn: [{name: one}]"))
    outcomes = await either.once(write=False)
    for name, created in (("one", 2), ("two", 1)):
        plan = outcomes[app_ref(name)].plan
        assert plan is not None, outcomes[app_ref(name)].message
        assert plan.count() == {Action.CREATE: created}
    assert [r for r in either.asked() if r.method != "GET" and r.query.get("dryRun") != "All"] == []


async def test_a_plan_shows_the_deletions_of_now_and_sends_none(either: World) -> None:
    either.repository.commit({**maps("one", "a", "b", "c"), **maps("two", "x")})
    either.declare(kustomization("one"), kustomization("two"))
    await either.once()
    either.repository.commit(gone("one", "a"))
    outcome = (await either.once(write=False))[app_ref("one")]
    assert outcome.plan is not None
    assert outcome.plan.count() == {Action.UNCHANGED: 2, Action.DELETE: 1}
    assert either.deleted == []


async def test_a_suspended_app_holds_back_the_deletion_of_what_it_may_want(either: World) -> None:
    either.repository.commit({**maps("one", "a", "b", "c"), **maps("two", "x")})
    either.declare(kustomization("one"), kustomization("two"))
    await either.once()
    either.declare(kustomization("one"), kustomization("two", "suspend: true"))
    either.repository.commit({**gone("one", "a"), **maps("two", "a")})
    outcomes = await either.once()
    held = outcomes[app_ref("one")]
    assert held.phase is Phase.READY
    assert held.plan is not None
    [change] = [c for c in held.plan.changes if c.deletion]
    assert change.reason == f"held: {app_ref('two')} has not rendered this revision yet"
    assert either.deleted == []
    either.declare(kustomization("one"), kustomization("two"))
    outcomes = await either.once()
    assert {o.phase for o in outcomes.values()} == {Phase.READY}
    assert either.deleted == []
    assert await either.exists("a", "b", "c", "x")


async def test_after_the_hold_timeout_a_held_deletion_waits_for_an_approval(either: World) -> None:
    either.settings += "  holdTimeout: 0s\n"
    either.repository.commit({**maps("one", "a", "b", "c"), **maps("two", "x")})
    either.declare(kustomization("one"), kustomization("two"))
    await either.once()
    either.declare(kustomization("one"), kustomization("two", "suspend: true"))
    either.repository.commit(gone("one", "a"))
    outcome = (await either.once())[app_ref("one")]
    assert outcome.reason == "DeletionNotApproved"
    assert f"{app_ref('two')} may want it and has not rendered this revision for long" in outcome.message
    assert either.deleted == []


async def test_deleting_an_app_leaves_what_another_wants(either: World) -> None:
    either.repository.commit({**maps("one", "a", "b"), **maps("two", "x")})
    either.declare(kustomization("one"), kustomization("two"))
    async with either.engine() as engine:
        await engine.once()
        either.repository.commit(maps("two", "a"))
        await engine.reconcile(SOURCE, "now")
        assert (await engine.once())[app_ref("two")].phase is Phase.STALLED
        either.declare(kustomization("one", annotations=CONFIRMED), kustomization("two"))
        engine.declare(either.load().declared)
        outcomes = await engine.once()
        assert outcomes[app_ref("one")].phase is Phase.DELETED, outcomes[app_ref("one")].message
        assert outcomes[app_ref("two")].phase is Phase.READY, outcomes[app_ref("two")].message
    assert [path.rpartition("/")[2] for path in either.deleted] == ["b"]
    assert await either.exists("a", "x")
