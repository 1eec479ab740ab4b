"""One kind of an app's objects cannot be read: the others go on, each of that kind says why, and nothing of it is deleted or lost."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fakes import proxy
from fakes.proxy import Effect, Proxy
from fakes.real_cluster import RealCluster
from fakes.world import MERGE, SOURCE, World, app_ref, config_map, kustomization

from gitopsd.model.change import Action
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.plugin.conformance.scene import eventually
from gitopsd.runtime.asked import forest

pytestmark = pytest.mark.asyncio

MAPS, CRONS = "/api/v1/namespaces/default/configmaps", "/apis/batch/v1/namespaces/default/cronjobs"
CAUSES: dict[str, tuple[Effect, str]] = {
    "403": (proxy.status(403, reason="Forbidden", message="no cronjobs for you"), "no cronjobs for you"),
    "a conversion webhook is down": (
        proxy.status(500, reason="InternalError", message="conversion webhook for batch/v1, Kind=CronJob failed"),
        "conversion webhook for batch/v1, Kind=CronJob failed",
    ),
}
ATOMIC = "{gitopsd.io/atomic: object}"
PRUNE_ALL = "  safety: {massDeletion: false}\n"


def cron(name: str) -> str:
    return (
        f"apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: {name}, namespace: default}}\n"
        "spec: {schedule: '0 * * * *', suspend: true, jobTemplate: {spec: {template: {spec: {restartPolicy: Never, "
        "containers: [{name: main, image: x}]}}}}}\n"
    )


@pytest_asyncio.fixture
async def faulty(either: World) -> AsyncIterator[Proxy]:
    """A proxy on the way to either server; what the test made there is taken away."""
    tls = None
    if isinstance(either.running, RealCluster):
        folder = either.running.plane.folder
        tls = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        tls.load_cert_chain(folder / "admin.crt", folder / "admin.key")
    async with proxy.proxy(either.running.url, tls) as it:
        either.through = it.url
        yield it
    for path in (f"{MAPS}/u1", f"{MAPS}/u2", f"{CRONS}/u1", f"{CRONS}/u2"):
        if await either.get(path) is not None:
            await either.send("DELETE", path)


def unreadable(faulty: Proxy, cause: str) -> str:
    """From now on nobody reads CronJobs; answers with the words of the cause."""
    effect, words = CAUSES[cause]
    faulty.add(effect, method="GET", path="/cronjobs")
    return words


def about(outcome: Outcome, name: str, kind: str = "CronJob") -> tuple[Action, str]:
    assert outcome.plan is not None
    [change] = [c for c in outcome.plan.changes if (c.id.kind, c.id.name) == (kind, name)]
    return change.action, change.reason


async def value(world: World, name: str) -> object:
    found = await world.get(f"{MAPS}/{name}")
    return None if found is None else found["data"]["key"]


@pytest.mark.parametrize("cause", CAUSES)
async def test_where_objects_stand_alone_those_of_other_kinds_are_written(
    either: World, faulty: Proxy, cause: str
) -> None:
    either.repository.commit({"app/u1.yaml": config_map("u1"), "app/c1.yaml": cron("u1")})
    either.declare(kustomization("app", "retryInterval: 1s", annotations=ATOMIC))
    async with either.engine() as engine:
        await either.until("app")
        words = unreadable(faulty, cause)
        oid = either.repository.commit({"app/u1.yaml": config_map("u1", key="next")})
        await engine.reconcile(SOURCE, "now")
        outcome = await either.until("app", Phase.RETRYING, at=oid)
        assert about(outcome, "u1") == (Action.REFUSE, next(c.reason for c in outcome.plan.changes if c.error))  # type: ignore[union-attr]
        assert words in about(outcome, "u1")[1]
        assert words in outcome.message
        assert "CronJob/default/u1" in outcome.message
        assert await value(either, "u1") == "next"
        faulty.rules.clear()
        await either.until("app", at=oid)


STAGES = {
    "in the same stage": ("a conversion webhook is down", "{}"),
    "in the stage before": ("403", "{gitopsd.io/stage-kinds: batch/CronJob}"),
}


@pytest.mark.parametrize("case", STAGES)
async def test_a_stage_is_refused_as_a_whole_but_drift_in_it_is_put_back(
    either: World, faulty: Proxy, case: str
) -> None:
    cause, annotations = STAGES[case]
    either.repository.commit(
        {"app/u1.yaml": config_map("u1"), "app/u2.yaml": config_map("u2"), "app/c.yaml": cron("u1")}
    )
    either.declare(kustomization("app", "retryInterval: 1s", annotations=annotations))
    async with either.engine(watch=True) as engine:
        await either.until("app")
        words = unreadable(faulty, cause)
        oid = either.repository.commit({"app/u1.yaml": config_map("u1", key="next")})
        await engine.reconcile(SOURCE, "now")
        outcome = await either.until("app", Phase.RETRYING, at=oid)
        assert words in outcome.message
        assert about(outcome, "u1", "ConfigMap")[0] is Action.HOLD
        assert await value(either, "u1") == "value"
        for text in ("once", "and once more"):
            seen = len(either.heard.outcomes)
            await either.send("PATCH", f"{MAPS}/u2", {"data": {"key": text}}, MERGE)
            while await value(either, "u2") != "value":
                await either.until("app", Phase.RETRYING, since=seen)
                seen = len(either.heard.outcomes)
        faulty.rules.clear()
        await either.until("app", at=oid)
        assert await value(either, "u1") == "next"


@pytest.mark.parametrize("cause", CAUSES)
async def test_nothing_of_the_kind_is_pruned_or_forgotten_until_it_can_be_read(
    either: World, faulty: Proxy, cause: str
) -> None:
    either.settings += PRUNE_ALL
    files = {"u1.yaml": config_map("u1"), "u2.yaml": config_map("u2"), "c1.yaml": cron("u1"), "c2.yaml": cron("u2")}
    either.repository.commit({f"app/{name}": text for name, text in files.items()})
    either.declare(kustomization("app", "retryInterval: 1s"))
    async with either.engine() as engine:
        await either.until("app")
        words = unreadable(faulty, cause)
        oid = either.repository.commit({"app/u2.yaml": None, "app/c1.yaml": None, "app/c2.yaml": None})
        await engine.reconcile(SOURCE, "now")
        outcome = await either.until("app", Phase.RETRYING, at=oid)
        for name in ("u1", "u2"):
            action, reason = about(outcome, name)
            assert action is Action.HOLD
            assert words in reason
        assert await value(either, "u2") is None
        owned = engine.board.inventories[app_ref("app")].owned
        assert {id.name for id in owned if id.kind == "CronJob"} == {"u1", "u2"}
        faulty.rules.clear()
        await either.until("app", at=oid)
        assert await either.get(f"{CRONS}/u1") is None
        assert await either.get(f"{CRONS}/u2") is None


async def test_a_tree_shows_the_others_and_why_of_these_nothing_is_known(either: World, faulty: Proxy) -> None:
    either.repository.commit({"app/u1.yaml": config_map("u1"), "app/c1.yaml": cron("u1")})
    either.declare(kustomization("app"))
    async with either.engine() as engine:
        await either.until("app")
        words = unreadable(faulty, "403")
        [branch] = await forest.grown(engine, [app_ref("app")])
    shown = {leaf.kind: (leaf.health, leaf.message) for leaf in branch.leaves}
    assert shown["ConfigMap"] == ("Current", "")
    assert shown["CronJob"][0] == "Unknown"
    assert words in shown["CronJob"][1]


async def test_an_object_that_a_cut_run_may_have_made_stays_on_record(either: World, faulty: Proxy) -> None:
    either.repository.commit({"app/u1.yaml": config_map("u1")})
    either.declare(kustomization("app", "retryInterval: 1s", annotations=ATOMIC))
    async with either.engine() as engine:
        await either.until("app")
        words = unreadable(faulty, "403")
        oid = either.repository.commit({"app/c1.yaml": cron("u1")})
        await engine.reconcile(SOURCE, "now")
        outcome = await either.until("app", Phase.RETRYING, at=oid)
        assert words in outcome.message
        owned = engine.board.inventories[app_ref("app")].owned
        assert {id.name for id, it in owned.items() if id.kind == "CronJob" and it.intended} == {"u1"}


async def test_an_app_of_which_nothing_can_be_read_fails_as_one(either: World, faulty: Proxy) -> None:
    either.repository.commit({"app/c1.yaml": cron("u1")})
    either.declare(kustomization("app", "retryInterval: 1s", annotations=ATOMIC))
    words = unreadable(faulty, "403")
    outcome = await either.app()
    assert outcome.phase is Phase.RETRYING
    assert words in outcome.message
    assert await either.get(f"{CRONS}/u1") is None


NUTS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/nuts.unreadable.example.org"
SCHEMA = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
DEFINITION = {
    "metadata": {"name": "nuts.unreadable.example.org"},
    "spec": {
        "group": "unreadable.example.org",
        "scope": "Namespaced",
        "names": {"kind": "Nut", "plural": "nuts"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": SCHEMA},
            {"name": "v2", "served": True, "storage": False, "schema": SCHEMA},
        ],
    },
}
DOWN = {
    "strategy": "Webhook",
    "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {"url": "https://127.0.0.1:1/convert"}},
}


def nut(size: int) -> str:
    return (
        "apiVersion: unreadable.example.org/v2\nkind: Nut\nmetadata: {name: u1, namespace: default}\n"
        f"spec: {{size: {size}}}\n"
    )


@pytest_asyncio.fixture
async def nuts(either: World) -> AsyncIterator[str]:
    """A kind in two versions, and the collection of the one that is not stored."""
    collection = "/apis/unreadable.example.org/v2/namespaces/default/nuts"
    await either.send("POST", NUTS.rpartition("/")[0], DEFINITION)

    async def is_served() -> bool:
        return await either.get(collection) is not None

    await eventually(is_served)
    yield collection
    await either.send("DELETE", NUTS)


@pytest.mark.parametrize("either", ["control-plane"], indirect=True)  # the sandbox calls no webhooks
async def test_a_conversion_webhook_that_is_really_down_is_named_and_keeps_no_other_kind(
    either: World, nuts: str
) -> None:
    either.repository.commit({"app/u1.yaml": config_map("u1"), "app/nut.yaml": nut(1)})
    either.declare(kustomization("app", "retryInterval: 1s", annotations=ATOMIC))
    async with either.engine(watch=True) as engine:
        await either.until("app")
        await either.send("PATCH", NUTS, {"spec": {"conversion": DOWN}}, MERGE)

        async def is_down() -> bool:
            return "conversion webhook" in str(await either.get(f"{nuts}/u1"))

        await eventually(is_down)
        oid = either.repository.commit({"app/u1.yaml": config_map("u1", key="next"), "app/nut.yaml": nut(2)})
        await engine.reconcile(SOURCE, "now")
        failed = await either.until("app", Phase.RETRYING, at=oid)
        assert "Nut/default/u1" in failed.message
        assert "conversion webhook for unreadable.example.org/v1, Kind=Nut failed" in failed.message
        assert await value(either, "u1") == "next"
        await either.send("PATCH", f"{MAPS}/u1", {"data": {"key": "edited"}}, MERGE)

        async def is_put_back() -> bool:
            return await value(either, "u1") == "next"

        await eventually(is_put_back)
        await either.send("PATCH", NUTS, {"spec": {"conversion": {"strategy": "None", "webhook": None}}}, MERGE)
        await either.until("app", since=len(either.heard.outcomes), at=oid)
    assert either.deleted == []
    found = await either.get(f"{nuts}/u1")
    assert found is not None
    assert found["spec"] == {"size": 2}
