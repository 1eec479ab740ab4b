"""What is asked of the cluster: nothing about objects that are not there, one list per kind after a restart."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest
from fakes.world import PATIENCE, RECORDS, SOURCE, World, app_ref, config_map, kustomization, maps

from gitopsd.model.change import Action
from gitopsd.model.declared import AppIntent
from gitopsd.model.outcome import Phase
from gitopsd.reconcile import values
from gitopsd.runtime.wake import Reason
from gitopsd.runtime.watches import Watches

pytestmark = pytest.mark.asyncio

MAPS = "/api/v1/namespaces/default/configmaps/"
SERVICE = """apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {ports: [{port: 80}]}
"""
ARGO = {"argocd.argoproj.io/instance": "other"}


async def test_a_first_apply_sends_a_dry_run_and_an_apply_per_object_and_reads_none(world: World) -> None:
    world.repository.commit(maps("app", "a", "b"))
    world.declare(kustomization("app"))
    assert (await world.app()).phase is Phase.READY
    asked = [(r.method, r.query.get("dryRun", "")) for r in world.asked() if r.path.startswith(MAPS)]
    assert sorted(asked) == [("PATCH", ""), ("PATCH", ""), ("PATCH", "All"), ("PATCH", "All")]
    records = [r.method for r in world.asked() if r.path.startswith(f"{RECORDS}configmaps/")]
    assert records == ["PUT"]


async def test_an_object_of_another_engine_among_new_ones_is_judged_before_anything_is_written(world: World) -> None:
    await world.put_map("a", labels=ARGO)
    world.repository.commit(maps("app", "a", "b"))
    world.declare(kustomization("app"))
    outcome = await world.app()
    assert "Argo CD" in outcome.message
    found = await world.get(f"{MAPS}a")
    assert found is not None
    assert found["data"] == {"key": "theirs"}
    assert await world.exists("b")


async def test_a_dry_run_that_fails_on_a_foreign_object_holds_nothing_else_back(world: World) -> None:
    await world.put_map("a", labels=ARGO)
    await world.send("PATCH", f"{MAPS}a?fieldManager=argo", {"immutable": True}, "application/merge-patch+json")
    world.repository.commit({"app/a.yaml": config_map("a", key="ours"), "app/b.yaml": config_map("b")})
    world.declare(kustomization("app"))
    outcome = await world.app()
    assert "Argo CD" in outcome.message
    assert await world.exists("b")


async def test_an_unmanaged_object_among_new_ones_is_taken_over(world: World) -> None:
    await world.put_map("a")
    world.repository.commit(maps("app", "a", "b"))
    world.declare(kustomization("app"))
    outcome = await world.app()
    assert outcome.phase is Phase.READY
    assert {str(action): number for action, number in outcome.changed.items()} == {"adopt": 1, "create": 1}


async def test_after_a_restart_each_kind_is_listed_once_and_nothing_is_written(world: World) -> None:
    world.repository.commit(maps("app", *(f"m{number}" for number in range(12))) | {"app/web.yaml": SERVICE})
    world.declare(kustomization("app"))
    await world.once()
    world.running.journal.clear()
    async with world.engine(watch=True) as engine:
        await world.until("app", since=len(world.heard.outcomes))
        await engine.once()
    asked = [(r.method, r.path) for r in world.asked() if r.path != "/apis"]
    assert sorted(asked) == [
        ("GET", "/api"),
        ("GET", "/api/v1/configmaps"),
        ("GET", "/api/v1/namespaces/gitopsd-system/configmaps"),
        ("GET", "/api/v1/namespaces/kube-system"),
        ("GET", "/api/v1/services"),
    ]


async def test_a_revision_that_changes_ten_of_many_costs_thirty_requests(world: World) -> None:
    """While watches hold: a look at the ten, their dry runs, their writes; nothing else is asked about or written."""
    names = [f"m{number}" for number in range(100)]
    world.repository.commit(maps("app", *names))
    world.declare(kustomization("app"))
    await world.once()
    async with world.engine(watch=True) as engine:
        await engine.once()
        mirror = engine.world.mirror
        assert isinstance(mirror, Watches)
        await mirror.caught_up("test", 10)
        world.running.journal.clear()
        head = world.repository.commit({f"app/{name}.yaml": config_map(name, key="new") for name in names[:10]})
        seen = len(world.heard.outcomes)
        await engine.reconcile(SOURCE, "now")
        outcome = await world.until("app", since=seen, at=head)
    assert outcome.changed == {Action.UPDATE: 10}
    asked = [(r.method, r.query.get("dryRun", "")) for r in world.asked()]
    assert len(asked) <= 30
    assert asked.count(("PATCH", "All")) == asked.count(("PATCH", "")) == 10


async def test_values_from_the_cluster_are_not_asked_for_while_they_are_followed(world: World) -> None:
    await world.send("POST", "/api/v1/namespaces", {"metadata": {"name": "flux-system"}})
    made = {"metadata": {"name": "vars"}, "data": {"region": "north"}}
    await world.send("POST", "/api/v1/namespaces/flux-system/configmaps", made)
    substitute = (
        "postBuild: {substituteFrom: [{kind: ConfigMap, name: vars}, {kind: Secret, name: none, optional: true}]}"
    )
    world.repository.commit({"app/a.yaml": config_map("a", region="${region}")})
    world.declare(kustomization("app", substitute))
    async with world.engine(watch=True) as engine:
        await world.until("app")
        intent = engine.board.intents[app_ref("app")]
        assert isinstance(intent, AppIntent)
        mirror = engine.world.mirror
        assert isinstance(mirror, Watches)
        await mirror.caught_up("test", 10)
        with anyio.fail_after(PATIENCE):
            while await values.known(intent.values, intent, engine.world) is None:
                await anyio.lowlevel.checkpoint()
        world.running.journal.clear()
        engine.scheduler.wake(app_ref("app"), Reason.RELEASED)
        await engine.once()
        assert [request.path for request in world.asked()] == []
