"""Declared objects among an app's manifests: shown with their parent, and a broken one is told by the parent too."""

from __future__ import annotations

import pytest
from fakes.world import World, app_ref, kustomization, maps

from gitopsd.model.outcome import Phase
from gitopsd.runtime.asked import forest

pytestmark = pytest.mark.asyncio

PARENT, GOOD, BAD = app_ref("parent"), app_ref("good"), app_ref("bad")
BROKEN = kustomization("bad", "interval: often")


def files(**children: str) -> dict[str, str]:
    return {f"parent/{name}.yaml": text for name, text in children.items()}


async def test_a_broken_child_is_told_by_its_parent_which_is_applied_all_the_same(world: World) -> None:
    children = files(good=kustomization("good"), bad=BROKEN)
    world.repository.commit({**children, **maps("parent", "p"), **maps("good", "g")})
    world.declare(kustomization("parent"))
    async with world.engine() as engine:
        outcomes = await engine.once()
        shown = {view.ref: view for view in engine.views()}
    parent = outcomes[PARENT]
    assert (parent.phase, parent.reason) == (Phase.STALLED, "BrokenChild")
    assert (
        "Kustomization/flux-system/parent: everything else was applied, but what it declares is broken: "
        "Kustomization/flux-system/bad: $.spec.interval: 'often' is not a duration; write it as 30s, 5m or 1h30m. "
        "Correct it in GitRepository/flux-system/repo; until then it is left alone"
    ) in parent.message
    assert outcomes[GOOD].phase is Phase.READY
    assert await world.exists("p", "g")
    assert (shown[BAD].ready, shown[BAD].parent) == (False, PARENT)
    assert "$.spec.interval" in shown[BAD].message


async def test_a_child_that_is_not_even_named_well_is_told_by_its_parent(world: World) -> None:
    world.repository.commit({**files(bad=kustomization("Bad")), **maps("parent", "p")})
    world.declare(kustomization("parent"))
    parent = (await world.once())[PARENT]
    assert "Kustomization/Bad: $.metadata.name: 'Bad' is not a name" in parent.message
    assert await world.exists("p")


async def test_a_child_that_breaks_is_left_alone_and_goes_on_when_it_is_mended(world: World) -> None:
    world.repository.commit({**files(bad=kustomization("bad")), **maps("parent", "p"), **maps("bad", "b")})
    world.declare(kustomization("parent"))
    await world.once()
    world.repository.commit({**files(bad=BROKEN), "bad/b.yaml": None, **maps("bad", "c")})
    outcomes = await world.once()
    assert (outcomes[PARENT].phase, outcomes[BAD].phase) == (Phase.STALLED, Phase.STALLED)
    assert await world.exists("b")
    assert world.deleted == []
    world.repository.commit(files(bad=kustomization("bad")))
    outcomes = await world.once()
    assert (outcomes[PARENT].phase, outcomes[BAD].phase) == (Phase.READY, Phase.READY)
    assert await world.exists("c")


async def test_a_broken_child_that_its_parent_drops_goes_and_what_it_applied_stays(world: World) -> None:
    world.repository.commit({**files(bad=kustomization("bad")), **maps("parent", "p"), **maps("bad", "b")})
    world.declare(kustomization("parent"))
    await world.once()
    world.repository.commit(files(bad=BROKEN))
    async with world.engine() as engine:
        await engine.once()
        world.repository.commit({"parent/bad.yaml": None})
        await engine.reconcile(engine.find("repo")[0], "now")
        outcomes = await engine.once()
        assert outcomes[PARENT].phase is Phase.READY, outcomes[PARENT].message
        assert engine.view(BAD).phase is Phase.ORPHANED
    assert await world.exists("b")
    assert world.deleted == []


async def test_a_look_shows_what_the_last_run_came_to_with_the_health_of_now(world: World) -> None:
    world.repository.commit({**files(child=kustomization("child")), **maps("parent", "p"), **maps("child", "c")})
    world.declare(kustomization("parent"))
    await world.once()
    world.repository.commit({"child/bad.yaml": "kind: ConfigMap\n"})
    before = (await world.once())[app_ref("child")]
    assert before.phase is Phase.RETRYING
    world.repository.commit({"child/bad.yaml": None})
    await world.send("DELETE", "/api/v1/namespaces/default/configmaps/c")
    async with world.engine(write=False) as engine:
        await engine.reached()
        await engine.once()
        [tree] = [branch for branch in await forest.grown(engine) if branch.branches]
    [child] = tree.branches
    assert tree.view.ready is True
    assert (child.view.ready, child.view.message) == (False, before.message)
    assert [(leaf.name, leaf.health) for leaf in child.leaves] == [("c", "NotFound")]
