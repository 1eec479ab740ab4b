"""A child looks at a revision when its parent has read it: nothing is applied by a declaration that this revision changes or ends.

The parent reads a value that the cluster is slow to give, so that its child, which reads nothing, would always be quicker.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType

import anyio
import pytest
from fakes.proxy import proxy, slow
from fakes.world import PATIENCE, World, app_ref, gone, kustomization, maps

from gitopsd.model.outcome import Phase
from gitopsd.runtime.engine import Engine

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
    world.settings = "  safety: {massDeletion: false, emptyRender: false}\n"
    await world.put_value("values", key="value")
    first = {"parent/child.yaml": kustomization("child"), **maps("parent", "p"), **maps("child", "c")}
    world.repository.commit({**first, **files})
    async with proxy(world.running.url, world.tls) as way:
        world.through = way.url
        world.declare(kustomization("parent", VALUES))
        async with world.engine() as engine:
            with anyio.fail_after(PATIENCE):
                assert {o.phase for o in (await engine.once()).values()} == {Phase.READY}
                way.add(slow(0.15), path="/namespaces/flux-system/configmaps/values$")
                world.running.journal.clear()
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


async def test_a_child_that_a_revision_ends_does_not_apply_it(either: World) -> None:
    async with at_work(either) as engine:
        await commit(either, engine, {"parent/child.yaml": None, **maps("child", "new")})
        assert CHILD not in await engine.once()
    assert written(either) == ["(c)"]


async def test_a_child_applies_a_revision_as_that_revision_declares_it(either: World) -> None:
    moved = kustomization("child", path="elsewhere")
    async with at_work(either) as engine:
        await commit(
            either, engine, {"parent/child.yaml": moved, **maps("child", "new"), **maps("elsewhere", "c", "d")}
        )
        assert (await engine.once())[CHILD].phase is Phase.READY
    assert written(either) == ["d"]


async def test_who_asks_for_a_child_gets_the_answer_at_the_new_revision(either: World) -> None:
    async with at_work(either) as engine:
        head = await commit(either, engine, maps("child", "new"))
        outcome = await engine.reconcile(CHILD, "this")
    assert (outcome.phase, outcome.token, str(outcome.applied).endswith(head)) == (Phase.READY, "this", True)


async def test_grandchildren_wait_for_the_whole_line(either: World) -> None:
    more = {"child/grandchild.yaml": kustomization("grandchild"), **maps("grandchild", "g")}
    async with at_work(either, more) as engine:
        await commit(either, engine, {"parent/child.yaml": None, **maps("child", "new"), **maps("grandchild", "newer")})
        await engine.once()
    assert sorted(written(either)) == ["(c)", "(g)"]


async def test_a_child_that_its_parent_lets_go_of_and_leaves_there_goes_on(either: World) -> None:
    async with at_work(either) as engine:
        either.declare(kustomization("parent", VALUES, "prune: false"))
        engine.declare(either.load().declared)
        await commit(either, engine, {"parent/child.yaml": None, **maps("child", "new")})
        outcomes = await engine.once()
    assert {outcomes[ref].phase for ref in (PARENT, CHILD)} == {Phase.READY}
    assert written(either) == ["new"]


async def test_an_object_that_moves_from_parent_to_child_moves(either: World) -> None:
    async with at_work(either) as engine:
        await commit(either, engine, {**gone("parent", "p"), **maps("child", "p")})
        outcomes = await engine.once()
    assert {outcomes[ref].phase for ref in (PARENT, CHILD)} == {Phase.READY}
    assert "(p)" not in written(either)


async def test_a_parent_that_gets_nowhere_holds_no_child_up(either: World) -> None:
    async with at_work(either) as engine:
        for name, parent in NOWHERE.items():
            either.declare(parent)
            engine.declare(either.load().declared)
            await commit(either, engine, maps("child", name))
            outcomes = await engine.once()
            assert outcomes[CHILD].phase is Phase.READY, name
            assert outcomes[PARENT].phase is not Phase.READY, name
    assert written(either) == list(NOWHERE)
