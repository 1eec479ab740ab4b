"""Dependencies decide the order, and whoever waits for one is woken by it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from fakes.world import SOURCE, World, app_ref, config_map, kustomization

pytestmark = pytest.mark.asyncio
CHAIN = ("a", "b", "c")


def files(value: str) -> dict[str, str]:
    return {f"{name}/map.yaml": config_map(name, value=value) for name in CHAIN}


def written(world: World) -> Sequence[str]:
    """The ConfigMaps in the order in which they were written, dry runs left out."""
    sent = [request for request in world.asked("PATCH") if not request.query.get("dryRun")]
    return [request.path.rpartition("/")[2] for request in sent if "/namespaces/default/" in request.path]


@pytest.mark.parametrize("wait", ["true", "false"])
async def test_a_new_revision_goes_through_three_levels_in_one_go(world: World, wait: str) -> None:
    world.repository.commit(files("1"))
    world.declare(
        kustomization("c", "dependsOn: [{name: b}]", f"wait: {wait}"),
        kustomization("b", "dependsOn: [{name: a}]", f"wait: {wait}"),
        kustomization("a", f"wait: {wait}"),
    )
    async with world.engine(watch=True) as engine:
        await world.until("c")
        assert written(world) == ["a", "b", "c"]
        for number in range(5):
            head, seen = world.repository.commit(files(f"next {number}")), len(world.heard.outcomes)
            world.running.journal.clear()
            await engine.reconcile(SOURCE, f"token {number}")
            await world.until("c", since=seen, at=head)
            assert written(world) == ["a", "b", "c"]
            assert str(engine.board.outcomes[app_ref("a")].applied).endswith(head)


async def test_a_revision_that_changes_only_the_last_level_reaches_it_at_once(world: World) -> None:
    world.repository.commit(files("1"))
    world.declare(
        kustomization("c", "dependsOn: [{name: b}]"),
        kustomization("b", "dependsOn: [{name: a}]"),
        kustomization("a"),
    )
    async with world.engine(watch=True) as engine:
        await world.until("c")
        world.running.journal.clear()
        head = world.repository.commit({"c/map.yaml": config_map("c", value="2")})
        await engine.reconcile(SOURCE, "token")
        await world.until("c", at=head)
        assert written(world) == ["c"]
