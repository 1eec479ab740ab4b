"""Answers that go wrong on the way to a second commit, for one kind only.

While they do, the app of the other kind is not affected; afterwards all is as Git says, nothing is lost, and nothing was
deleted that was not to go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import anyio
import pytest
from fakes import proxy
from fakes.proxy import Proxy
from fakes.world import SOURCE, World, app_ref, gone, kustomization, maps

from gitopsd.model.outcome import Phase

pytestmark = pytest.mark.asyncio

MAPS = "/configmaps/(a|b|new|old)$"
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
    "the record's answer is lost": Fault(rules=rule(proxy.reset_after, RECORDS, method="PUT", times=1), passes=True),
    "the record's answer is halved": Fault(rules=rule(proxy.half, RECORDS, method="PUT", times=1), passes=True),
    "the record cannot be written": Fault(
        rules=rule(proxy.status(500), RECORDS, method="PUT"), words=("inventory", "could not be written")
    ),
}


@pytest.mark.parametrize("case", FAULTS)
async def test_other_kinds_are_not_affected_nothing_is_lost_and_it_converges(
    world: World, faulty: Proxy, case: str
) -> None:
    fault = FAULTS[case]
    world.repository.commit(
        {
            **maps("app", "a", "b", "old"),
            "other/a.yaml": SERVICE.format(name="a"),
            "other/b.yaml": SERVICE.format(name="b"),
        }
    )
    world.declare(kustomization("app", "retryInterval: 1s"), kustomization("other", "retryInterval: 1s"))
    async with world.engine() as engine:
        await engine.once()
        oid = world.repository.commit(
            {
                **gone("app", "old"),
                **maps("app", "new"),
                **gone("other", "b"),
                "other/new.yaml": SERVICE.format(name="new"),
            }
        )
        fault.rules(faulty)
        seen = len(world.heard.outcomes)
        await engine.reconcile(SOURCE, "now")
        if not any(rule.path == RECORDS for rule in faulty.rules):
            await world.until("other", Phase.READY, since=seen, at=oid)
        if not fault.passes:
            failed = await world.until("app", Phase.RETRYING, since=seen, at=oid)
            assert [word for word in fault.words if word not in failed.message] == [], failed.message
            assert world.deleted in ([], ["/api/v1/namespaces/default/services/b"])
            faulty.rules.clear()
            if failed.retry_after:
                await engine.reconcile(app_ref("app"), "again")
        with anyio.fail_after(20):
            await world.until("app", Phase.READY, since=seen, at=oid)
            await world.until("other", Phase.READY, since=seen, at=oid)
    await converged(world)


async def converged(world: World) -> None:
    """All is as Git says, and the record knows all of it."""
    found = {item["metadata"]["name"] for item in (await world.get("/api/v1/namespaces/default/configmaps"))["items"]}
    assert found - {"kube-root-ca.crt"} == {"a", "b", "new"}
    services = (await world.get("/api/v1/namespaces/default/services"))["items"]
    assert {item["metadata"]["name"] for item in services} - {"kubernetes"} == {"a", "new"}
    assert sorted(world.deleted) == [
        "/api/v1/namespaces/default/configmaps/old",
        "/api/v1/namespaces/default/services/b",
    ]
    before = len(world.asked("PATCH"))
    assert {outcome.phase for outcome in (await world.once()).values()} == {Phase.READY}
    assert len(world.asked("PATCH")) == before
