"""An object that moves from one app to another is handed over, whoever looks first."""

from __future__ import annotations

import pytest
from fakes.world import World, app_ref, gone, kustomization, maps

from gitopsd.model.outcome import Phase

pytestmark = pytest.mark.asyncio

OWNER = "gitopsd.io/name"


async def owner(world: World, name: str) -> str:
    found = await world.get(f"/api/v1/namespaces/default/configmaps/{name}")
    assert found is not None, f"{name} is gone"
    return found["metadata"]["labels"].get(OWNER, "")


@pytest.mark.parametrize(("first", "then"), [("left", "right"), ("right", "left")])
@pytest.mark.parametrize("watch", [False, True])
async def test_an_object_that_moves_in_one_commit_is_adopted_whoever_renders_first(
    either: World, first: str, then: str, watch: bool
) -> None:
    after = f"[{{name: {first}}}]"
    either.repository.commit({**maps("left", "x", "l1", "l2", "l3"), **maps("right", "r1")})
    either.declare(kustomization(first), kustomization(then, f"dependsOn: {after}"))
    async with either.engine(watch=watch) as engine:
        await either.until("left")
        await either.until("right")
        before = await either.get("/api/v1/namespaces/default/configmaps/x")
        head = either.repository.commit({**gone("left", "x"), **maps("right", "x")})
        seen = len(either.heard.outcomes)
        await engine.reconcile(engine.find("repo")[0], "now")
        await either.heard.until(
            lambda o: o.ref == app_ref("right") and str(o.applied).endswith(head) and _tracks(o, "x"), seen
        )
        await engine.once()
        assert engine.board.outcomes[app_ref("left")].phase is Phase.READY
        assert not _tracks(engine.board.outcomes[app_ref("left")], "x")
    after_move = await either.get("/api/v1/namespaces/default/configmaps/x")
    assert before is not None
    assert after_move is not None
    assert after_move["metadata"]["uid"] == before["metadata"]["uid"]
    assert await owner(either, "x") == "right"
    assert either.deleted == []


def _tracks(outcome: object, name: str) -> bool:
    return any(id.name == name for id in outcome.inventory.owned)  # type: ignore[attr-defined]


async def test_two_apps_that_want_one_object_leave_it_to_the_first_and_say_so(either: World) -> None:
    either.repository.commit({**maps("left", "x"), **maps("right", "x", "y")})
    either.declare(kustomization("left"), kustomization("right", "dependsOn: [{name: left}]"))
    outcomes = await either.once()
    assert outcomes[app_ref("left")].phase is Phase.READY
    refused = outcomes[app_ref("right")]
    assert refused.phase is Phase.STALLED
    assert "ConfigMap/default/x" in refused.message
    assert "Kustomization/flux-system/left" in refused.message
    assert await owner(either, "x") == "left"
    assert await either.exists("y")


async def test_who_was_refused_an_object_gets_it_when_the_other_lets_go(either: World) -> None:
    either.repository.commit({**maps("left", "x", "l"), **maps("right", "x", "y")})
    either.declare(kustomization("left"), kustomization("right", "dependsOn: [{name: left}]"))
    await either.once()
    either.repository.commit(gone("left", "x"))
    outcomes = await either.once()
    assert {o.phase for o in outcomes.values()} == {Phase.READY}
    assert await owner(either, "x") == "right"
    assert either.deleted == []
