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
from gitopsd.runtime.live.watches import Watches
from gitopsd.runtime.schedule.wake import Reason

pytestmark = pytest.mark.asyncio

MAPS = "/api/v1/namespaces/default/configmaps/"
SERVICE = """apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {ports: [{port: 80}]}
"""
ARGO = {"argocd.argoproj.io/instance": "other"}


async def test_a_first_apply_sends_a_dry_run_and_an_apply_per_object_and_reads_none(either: World) -> None:
    either.repository.commit(maps("app", "a", "b"))
    either.declare(kustomization("app"))
    assert (await either.app()).phase is Phase.READY
    asked = [(r.method, r.query.get("dryRun", "")) for r in either.asked() if r.path.startswith(MAPS)]
    assert sorted(asked) == [("PATCH", ""), ("PATCH", ""), ("PATCH", "All"), ("PATCH", "All")]
    records = [r.method for r in either.asked() if r.path.startswith(f"{RECORDS}configmaps/")]
    assert records == ["PUT"]


async def test_an_object_of_another_engine_among_new_ones_is_judged_before_anything_is_written(either: World) -> None:
    await either.put_map("a", labels=ARGO)
    either.repository.commit(maps("app", "a", "b"))
    either.declare(kustomization("app"))
    outcome = await either.app()
    assert "Argo CD" in outcome.message
    found = await either.get(f"{MAPS}a")
    assert found is not None
    assert found["data"] == {"key": "theirs"}
    assert await either.exists("b")


async def test_a_dry_run_that_fails_on_a_foreign_object_holds_nothing_else_back(either: World) -> None:
    await either.put_map("a", labels=ARGO)
    await either.send("PATCH", f"{MAPS}a?fieldManager=argo", {"immutable": True}, "application/merge-patch+json")
    either.repository.commit({"app/a.yaml": config_map("a", key="ours"), "app/b.yaml": config_map("b")})
    either.declare(kustomization("app"))
    outcome = await either.app()
    assert "Argo CD" in outcome.message
    assert await either.exists("b")


async def test_an_unmanaged_object_among_new_ones_is_taken_over(either: World) -> None:
    await either.put_map("a")
    either.repository.commit(maps("app", "a", "b"))
    either.declare(kustomization("app"))
    outcome = await either.app()
    assert outcome.phase is Phase.READY
    assert {str(action): number for action, number in outcome.changed.items()} == {"adopt": 1, "create": 1}


async def test_after_a_restart_each_kind_is_listed_once_and_nothing_is_written(either: World) -> None:
    either.repository.commit(maps("app", *(f"m{number}" for number in range(12))) | {"app/web.yaml": SERVICE})
    either.declare(kustomization("app"))
    await either.once()
    either.running.journal.clear()
    async with either.engine(watch=True) as engine:
        await either.until("app", since=len(either.heard.outcomes))
        await engine.once()
    asked = [(r.method, r.path) for r in either.asked() if r.path != "/apis"]
    assert sorted(asked) == [
        ("GET", "/api"),
        ("GET", "/api/v1/configmaps"),
        ("GET", "/api/v1/namespaces/gitopsd-system/configmaps"),
        ("GET", "/api/v1/namespaces/kube-system"),
        ("GET", "/api/v1/services"),
    ]


async def test_a_revision_that_changes_ten_of_many_costs_thirty_requests(either: World) -> None:
    """While watches hold: a look at the ten, their dry runs, their writes; nothing else is asked about or written."""
    names = [f"m{number}" for number in range(100)]
    either.repository.commit(maps("app", *names))
    either.declare(kustomization("app"))
    await either.once()
    async with either.engine(watch=True) as engine:
        await engine.once()
        mirror = engine.world.mirror
        assert isinstance(mirror, Watches)
        await mirror.caught_up("test", 10)
        either.running.journal.clear()
        head = either.repository.commit({f"app/{name}.yaml": config_map(name, key="new") for name in names[:10]})
        seen = len(either.heard.outcomes)
        await engine.reconcile(SOURCE, "now")
        outcome = await either.until("app", since=seen, at=head)
    assert outcome.changed == {Action.UPDATE: 10}
    asked = [(r.method, r.query.get("dryRun", "")) for r in either.asked()]
    assert len(asked) <= 30
    assert asked.count(("PATCH", "All")) == asked.count(("PATCH", "")) == 10


async def test_values_from_the_cluster_are_not_asked_for_while_they_are_followed(either: World) -> None:
    await either.put_value("vars", region="north")
    substitute = (
        "postBuild: {substituteFrom: [{kind: ConfigMap, name: vars}, {kind: Secret, name: none, optional: true}]}"
    )
    either.repository.commit({"app/a.yaml": config_map("a", region="${region}")})
    either.declare(kustomization("app", substitute))
    async with either.engine(watch=True) as engine:
        await either.until("app")
        intent = engine.board.intents[app_ref("app")]
        assert isinstance(intent, AppIntent)
        mirror = engine.world.mirror
        assert isinstance(mirror, Watches)
        await mirror.caught_up("test", 10)
        with anyio.fail_after(PATIENCE):
            while await values.known(intent.values, intent, engine.world) is None:
                await anyio.lowlevel.checkpoint()
        either.running.journal.clear()
        engine.scheduler.wake(app_ref("app"), Reason.RELEASED)
        await engine.once()
        assert [request.path for request in either.asked()] == []
