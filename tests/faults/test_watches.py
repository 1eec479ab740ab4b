"""Watches of one kind that break: drift of the other kinds is put back as ever, and theirs as soon as they can be seen again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import anyio
import pytest
from fakes import proxy
from fakes.proxy import Proxy
from fakes.world import MERGE, PATIENCE, World, config_map, kustomization

from gitopsd.model.outcome import Phase
from gitopsd.plugin import Access, Actor, Context
from gitopsd.plugin.conformance.scene import eventually
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.live.watches import Watches
from gitopsd_plugins.kubernetes.sink import KubernetesSink
from gitopsd_plugins.kubernetes.target import KubernetesTarget

pytestmark = pytest.mark.asyncio

GADGETS = "/apis/batch/v1/.*cronjobs"
CRON = (
    "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c, namespace: default}\nspec: {schedule: '0 * * * *', "
    "jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: x}]}}}}}\n"
)
CRON_PATH = "/apis/batch/v1/namespaces/default/cronjobs/c"
MAP_PATH = "/api/v1/namespaces/default/configmaps/a"
CONVERSION = 'conversion webhook for batch/v1, Kind=CronJob failed: Post "https://x": connection refused'


def rule(effect: proxy.Effect, **how: object) -> Callable[[Proxy], object]:
    return lambda it: it.add(effect, path=GADGETS, **how)


DENIED = "403"
BLIND = {
    "a conversion webhook is down": rule(proxy.status(500, reason="InternalError", message=CONVERSION)),
    "resets": rule(proxy.reset),
    DENIED: rule(proxy.status(403, reason="Forbidden", message="no")),
}
PASSING = {
    "410 in the middle": rule(proxy.expired, watch=True, times=2),
    "half answers": rule(proxy.half, watch=False, times=2),
    "a reset": rule(proxy.reset, watch=True, times=1),
}


def mirror(engine: Engine) -> Watches:
    it = engine.world.mirror
    assert isinstance(it, Watches)
    return it


def declare(world: World) -> None:
    world.repository.commit({"maps/a.yaml": config_map("a"), "crons/c.yaml": CRON})
    world.declare(kustomization("maps"), kustomization("crons"))


async def edited_and_put_back(world: World, app: str, path: str, patch: dict[str, object]) -> None:
    before = await world.get(path)
    seen = len(world.heard.outcomes)
    await world.send("PATCH", path, patch, MERGE)
    await world.until(app, since=seen)
    after = await world.get(path)
    assert before is not None
    assert after is not None
    assert after.get("data", after.get("spec")) == before.get("data", before.get("spec"))


async def until(wanted: Callable[[], bool]) -> None:
    """The mirror tells nobody of its state, so that it is asked."""

    async def is_so() -> bool:
        return wanted()

    await eventually(is_so)


async def test_a_kind_that_cannot_be_watched_blinds_no_other_and_counts_as_unseen(world: World, faulty: Proxy) -> None:
    declare(world)
    async with world.engine(watch=True) as engine:
        await world.until("maps")
        await world.until("crons")
        for case, begin in BLIND.items():
            await until(lambda: mirror(engine).holds("test", [("batch", "CronJob"), ("", "ConfigMap")]))
            begin(faulty)
            faulty.cut_watches()
            await until(lambda: not mirror(engine).holds("test", [("batch", "CronJob")]))
            await edited_and_put_back(world, "maps", MAP_PATH, {"data": {"key": case}})
            await world.send("PATCH", CRON_PATH, {"spec": {"schedule": "1 * * * *"}}, MERGE)
            seen = len(world.heard.outcomes)
            faulty.rules.clear()
            if case != DENIED:  # which is asked for again after ten minutes only
                await world.until("crons", since=seen)
                assert await schedule(world) == "0 * * * *", case


async def schedule(world: World) -> str:
    cron = await world.get(CRON_PATH)
    assert cron is not None
    return str(cron["spec"]["schedule"])


@pytest.mark.parametrize("case", ["a conversion webhook is down", DENIED])
async def test_after_a_start_a_kind_that_cannot_be_watched_keeps_nobody_waiting(
    world: World, faulty: Proxy, case: str
) -> None:
    declare(world)
    await world.once()
    BLIND[case](faulty)
    async with world.engine(watch=True) as engine:
        await world.until("maps")
        await world.until("crons", Phase.RETRYING)
        with anyio.fail_after(PATIENCE):
            await mirror(engine).caught_up("test", 3600)
        assert mirror(engine).holds("test", [("", "ConfigMap")])


@pytest.mark.parametrize("case", PASSING)
async def test_a_watch_that_stumbles_misses_nothing(world: World, faulty: Proxy, case: str) -> None:
    declare(world)
    async with world.engine(watch=True) as engine:
        await world.until("crons")
        await until(lambda: mirror(engine).holds("test", [("batch", "CronJob")]))
        PASSING[case](faulty)
        seen = len(world.heard.outcomes)
        faulty.cut_watches()
        await world.send("PATCH", CRON_PATH, {"spec": {"schedule": "1 * * * *"}}, MERGE)
        await world.until("crons", since=seen)
        assert await schedule(world) == "0 * * * *"


class Impatient(KubernetesSink):
    """The sink, whose watches are taken for dead after one second."""

    def connect(self, access: Access, actor: Actor, ctx: Context) -> AbstractAsyncContextManager[KubernetesTarget]:
        return super().connect(access, replace(actor, silence=1.0), ctx)


async def test_a_watch_that_falls_silent_is_replaced_and_what_it_missed_is_put_right(
    world: World, faulty: Proxy
) -> None:
    declare(world)
    plain = world.load()
    registry = replace(plain.registry, sinks={"kubernetes": Impatient()})
    async with world.engine(watch=True, loaded=replace(plain, registry=registry)) as engine:
        await world.until("crons")
        await until(lambda: mirror(engine).holds("test", [("batch", "CronJob")]))
        silent = faulty.add(proxy.silence, path=GADGETS, watch=True, times=2)
        faulty.cut_watches()
        await until(lambda: silent.met > 0)
        seen = len(world.heard.outcomes)
        await world.send("PATCH", CRON_PATH, {"spec": {"schedule": "1 * * * *"}}, MERGE)
        await world.until("crons", since=seen)
        assert await schedule(world) == "0 * * * *"
        assert silent.met == 2


async def test_a_server_that_restarts_is_found_again_and_what_happened_meanwhile_is_put_right(
    world: World, faulty: Proxy
) -> None:
    declare(world)
    async with world.engine(watch=True) as engine:
        await world.until("maps")
        await world.until("crons")
        await until(lambda: mirror(engine).holds("test", [("batch", "CronJob"), ("", "ConfigMap")]))
        await faulty.stop()
        faulty.add(proxy.expired, watch=True, times=2)  # what came meanwhile is no longer known event by event
        await world.send("DELETE", MAP_PATH)
        await world.send("PATCH", CRON_PATH, {"spec": {"schedule": "1 * * * *"}}, MERGE)
        seen = len(world.heard.outcomes)
        await until(lambda: not mirror(engine).holds("test", [("batch", "CronJob")]))
        await faulty.start()
        await world.until("maps", since=seen)
        await world.until("crons", since=seen)
        assert await world.exists("a")
        assert await schedule(world) == "0 * * * *"
