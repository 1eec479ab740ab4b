"""Answers that go wrong on the way to a second commit, for one kind only.

While they do, the app of the other kind is not affected; afterwards all is as Git says, nothing is lost, and nothing was
deleted that was not to go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from fakes import proxy
from fakes.proxy import Proxy
from fakes.world import SOURCE, World, app_ref, gone, kustomization, maps

from gitopsd.model.outcome import Phase
from gitopsd.runtime.engine import Engine

pytestmark = pytest.mark.asyncio

MAPS = "/configmaps/m[0-9]+$"
"""The app's objects, and none of gitopsd's records."""
RECORDS = "/namespaces/gitopsd-system/configmaps"
SERVICE = (
    "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: default}}\n"
    "spec: {{ports: [{{port: 80}}], selector: {{app: {name}}}}}\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Rules in front of the server. `passes`: the attempt gets over it by itself; else the app fails with these words."""

    rules: Callable[[Proxy], object]
    passes: bool = False
    words: tuple[str, ...] = ()


def rule(effect: proxy.Effect, path: str = MAPS, **how: object) -> Callable[[Proxy], object]:
    return lambda it: it.add(effect, path=path, **how)


FAULTS = {
    "429 for a while": Fault(rules=rule(proxy.status(429, retry_after=1), times=1), passes=True),
    "429 for long": Fault(rules=rule(proxy.status(429, retry_after=600), method="PATCH"), words=("TooManyRequests",)),
    "503 for a while": Fault(rules=rule(proxy.status(503), times=3), passes=True),
    "500": Fault(rules=rule(proxy.status(500, message="etcd sulks"), method="PATCH"), words=("etcd sulks",)),
    "a reset now and then": Fault(rules=rule(proxy.reset, times=2), passes=True),
    "resets": Fault(rules=rule(proxy.reset), words=("cannot be reached",)),
    "written, but nobody hears of it": Fault(rules=rule(proxy.reset_after, method="PATCH", times=2), passes=True),
    "written, and half of the answer comes": Fault(rules=rule(proxy.half, method="PATCH", times=2), passes=True),
    "half answers": Fault(rules=rule(proxy.half, method="PATCH"), words=("cannot be reached",)),
    "slow answers": Fault(rules=rule(proxy.slow(0.1)), passes=True),
    "403 for one kind": Fault(
        rules=rule(proxy.status(403, reason="Forbidden", message="no configmaps"), method="PATCH"),
        words=("ConfigMap/default/", "Forbidden", "no configmaps"),
    ),
    "a webhook for one kind is down": Fault(
        rules=rule(proxy.status(500, reason="InternalError", message='failed calling webhook "x": no endpoints')),
        words=("failed calling webhook",),
    ),
    "somebody else wrote the record": Fault(
        rules=rule(proxy.status(409, reason="Conflict"), RECORDS, method="PUT", times=1), passes=True
    ),
    "the record's answer is lost": Fault(rules=rule(proxy.reset_after, RECORDS, method="PUT", times=1), passes=True),
    "the record's answer is halved": Fault(rules=rule(proxy.half, RECORDS, method="PUT", times=1), passes=True),
    "the record cannot be written": Fault(
        rules=rule(proxy.status(500), RECORDS, method="PUT"), words=("inventory", "could not be written")
    ),
}


@dataclass(slots=True)
class Story:
    """One engine that lives through commits: each brings one object of either kind, and takes the one before away."""

    world: World
    number: int = 0

    def commit(self) -> str:
        self.number += 1
        new, old = f"m{self.number}", f"m{self.number - 1}"
        service = {f"other/{new}.yaml": SERVICE.format(name=new), f"other/{old}.yaml": None}
        return self.world.repository.commit({**maps("app", new), **gone("app", old), **service})

    async def there(self, plural: str) -> set[str]:
        found = await self.world.get(f"/api/v1/namespaces/default/{plural}")
        assert found is not None
        names = {item["metadata"]["name"] for item in found["items"]}
        return {name for name in names if name.startswith("m")}

    async def settled(self, oid: str) -> None:
        """What went is gone; an app that was ready first deletes nothing until the other one has said what it wants."""
        wanted = {f"m{self.number}"}
        for plural, name in (("configmaps", "app"), ("services", "other")):
            seen = len(self.world.heard.outcomes)
            while await self.there(plural) != wanted:
                await self.world.until(name, Phase.READY, since=seen, at=oid)
                seen = len(self.world.heard.outcomes)


@pytest.mark.parametrize("passes", [True, False], ids=["over by itself", "until repaired"])
async def test_other_kinds_are_not_affected_nothing_is_lost_and_it_converges(
    world: World, faulty: Proxy, passes: bool
) -> None:
    story = Story(world)
    story.commit()
    world.declare(kustomization("app", "retryInterval: 1s"), kustomization("other", "retryInterval: 1s"))
    async with world.engine() as engine:
        await engine.once()
        for case, fault in FAULTS.items():
            if fault.passes is passes:
                await lived_through(story, engine, faulty, case, fault)
    before = faulty.writes("PATCH")
    assert {outcome.phase for outcome in (await world.once()).values()} == {Phase.READY}
    assert faulty.writes("PATCH") == before


async def lived_through(story: Story, engine: Engine, faulty: Proxy, case: str, fault: Fault) -> None:
    world, seen = story.world, len(story.world.heard.outcomes)
    was = await story.there("configmaps")
    oid = story.commit()
    fault.rules(faulty)
    await engine.reconcile(SOURCE, case)
    if all(rule.path == MAPS for rule in faulty.rules):
        await world.until("other", Phase.READY, since=seen, at=oid)
    if not fault.passes:
        failed = await world.until("app", Phase.RETRYING, since=seen, at=oid)
        assert [word for word in fault.words if word not in failed.message] == [], (case, failed.message)
        assert await story.there("configmaps") >= was, case
        assert faulty.rules[0].met, case
        faulty.rules.clear()
        await engine.reconcile(app_ref("app"), f"{case}: again")
    await world.until("app", Phase.READY, since=seen, at=oid)
    await world.until("other", Phase.READY, since=seen, at=oid)
    assert not fault.passes or faulty.rules[0].met, case
    faulty.rules.clear()
    await story.settled(oid)
