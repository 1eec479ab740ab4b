"""A child looks at a revision when its parent has read it: nothing is applied by a declaration that this revision changes or ends.

The parent reads a value that the cluster is slow to give, so that its child, which reads nothing, would always be quicker.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType

import anyio
import pytest
from fakes.world import PATIENCE, World, app_ref, gone, kustomization, maps

from gitopsd.model.outcome import Phase
from gitopsd.runtime.engine import Engine
from gitopsd_plugins.sandbox.faults import Fault
from gitopsd_plugins.sandbox.server import Running

pytestmark = pytest.mark.asyncio
VALUES = "postBuild: {substituteFrom: [{kind: ConfigMap, name: values}]}"
CHILD, PARENT = app_ref("child"), app_ref("parent")
NOWHERE = {
    "suspended": kustomization("parent", VALUES, "suspend: true"),
    "unrendered": kustomization("parent", VALUES, "path: ./missing"),
    "valueless": kustomization("parent", VALUES.replace("name: values", "name: missing")),
}
"""Parents that do not come to declare anything."""


@asynccontextmanager
async def at_work(world: World, files: Mapping[str, str] = MappingProxyType({})) -> AsyncIterator[Engine]:
    """An engine that has applied a parent, its child, and these; from now on the parent is slow to render."""
    assert isinstance(world.running, Running)
    world.settings = "  safety: {massDeletion: false, emptyRender: false}\n"
    await world.put_value("values", key="value")
    first = {"parent/child.yaml": kustomization("child"), **maps("parent", "p"), **maps("child", "c")}
    world.repository.commit({**first, **files})
    world.declare(kustomization("parent", VALUES))
    async with world.engine() as engine:
        assert {o.phase for o in (await engine.once()).values()} == {Phase.READY}
        path = "/api/v1/namespaces/flux-system/configmaps/values"
        world.running.faults.add(Fault(effect="pass", path=path, delay=0.3, times=-1))
        world.running.journal.clear()
        with anyio.fail_after(PATIENCE):
            yield engine


async def commit(world: World, engine: Engine, files: Mapping[str, str | None]) -> str:
    """A commit that the source has seen."""
    head = world.repository.commit(files)
    await engine.reconcile(engine.find("repo")[0], "now")
    return head


def written(world: World) -> list[str]:
    """The objects that were written, in order, those that went in parentheses."""
    there = "/api/v1/namespaces/default/configmaps/"
    writes = [r for r in world.asked() if r.path.startswith(there) and r.method in {"PATCH", "DELETE"}]
    names = [(r.path.removeprefix(there), r.method) for r in writes if r.query.get("dryRun") != "All"]
    return [f"({name})" if method == "DELETE" else name for name, method in names]


async def test_a_child_that_a_revision_ends_does_not_apply_it(world: World) -> None:
    async with at_work(world) as engine:
        await commit(world, engine, {"parent/child.yaml": None, **maps("child", "new")})
        assert CHILD not in await engine.once()
    assert written(world) == ["(c)"]


async def test_a_child_applies_a_revision_as_that_revision_declares_it(world: World) -> None:
    moved = kustomization("child", path="elsewhere")
    async with at_work(world) as engine:
        await commit(world, engine, {"parent/child.yaml": moved, **maps("child", "new"), **maps("elsewhere", "c", "d")})
        assert (await engine.once())[CHILD].phase is Phase.READY
    assert written(world) == ["d"]


async def test_who_asks_for_a_child_gets_the_answer_at_the_new_revision(world: World) -> None:
    async with at_work(world) as engine:
        head = await commit(world, engine, maps("child", "new"))
        outcome = await engine.reconcile(CHILD, "this")
    assert (outcome.phase, outcome.token, str(outcome.applied).endswith(head)) == (Phase.READY, "this", True)


async def test_grandchildren_wait_for_the_whole_line(world: World) -> None:
    more = {"child/grandchild.yaml": kustomization("grandchild"), **maps("grandchild", "g")}
    async with at_work(world, more) as engine:
        await commit(world, engine, {"parent/child.yaml": None, **maps("child", "new"), **maps("grandchild", "newer")})
        await engine.once()
    assert sorted(written(world)) == ["(c)", "(g)"]


async def test_a_child_that_its_parent_lets_go_of_and_leaves_there_goes_on(world: World) -> None:
    async with at_work(world) as engine:
        world.declare(kustomization("parent", VALUES, "prune: false"))
        engine.declare(world.load().declared)
        await commit(world, engine, {"parent/child.yaml": None, **maps("child", "new")})
        outcomes = await engine.once()
    assert {outcomes[ref].phase for ref in (PARENT, CHILD)} == {Phase.READY}
    assert written(world) == ["new"]


async def test_an_object_that_moves_from_parent_to_child_moves(world: World) -> None:
    async with at_work(world) as engine:
        await commit(world, engine, {**gone("parent", "p"), **maps("child", "p")})
        outcomes = await engine.once()
    assert {outcomes[ref].phase for ref in (PARENT, CHILD)} == {Phase.READY}
    assert "(p)" not in written(world)


async def test_a_parent_that_gets_nowhere_holds_no_child_up(world: World) -> None:
    async with at_work(world) as engine:
        for name, parent in NOWHERE.items():
            world.declare(parent)
            engine.declare(world.load().declared)
            await commit(world, engine, maps("child", name))
            outcomes = await engine.once()
            assert outcomes[CHILD].phase is Phase.READY, name
            assert outcomes[PARENT].phase is not Phase.READY, name
    assert written(world) == list(NOWHERE)
