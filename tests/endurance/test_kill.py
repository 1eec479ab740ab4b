"""Killed at any moment, started again: no untracked object, no corrupt store, nothing recreated, and it converges.

`GITOPSD_KILLS` says how often on each server (default 6). The process under test is the real one, in its own process group,
with worker processes; a proxy before the API server knows how many requests it got through.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import anyio
import pytest
from anyio.abc import Process
from fakes.proxy import Proxy
from fakes.world import RECORDS, World, config_map, kustomization

from gitopsd.store import Store
from gitopsd_plugins.kubernetes import codec
from gitopsd_plugins.kubernetes.codec import Encoded

KILLS = int(os.environ.get("GITOPSD_KILLS", "6"))
NAMES = [f"object-{number:02}" for number in range(40)]


def commit(world: World, wanted: Mapping[str, str]) -> None:
    """Make the repository hold exactly these ConfigMaps, name -> value."""
    world.repository.commit(
        {f"app/{name}.yaml": config_map(name, v=wanted[name]) if name in wanted else None for name in NAMES}
    )


async def live(world: World) -> Mapping[str, tuple[str, str]]:
    """Our ConfigMaps in the cluster: name -> (uid, value)."""
    found = await _config_maps(world, "/api/v1/namespaces/default/")
    return {body["metadata"]["name"]: (body["metadata"]["uid"], body["data"]["v"]) for body in found}


async def tracked(world: World) -> set[str]:
    """What the record in the cluster names."""
    heads = [body for body in await _config_maps(world, RECORDS) if "format" in body.get("data", {})]
    stored = [Encoded(name=h["metadata"]["name"], data=h["data"], binary=h.get("binaryData", {})) for h in heads]
    return {id.name for encoded in stored for id in codec.decode(encoded).owned}


async def _config_maps(world: World, namespace: str) -> list[dict[str, Any]]:
    found = await world.get(f"{namespace}configmaps?labelSelector=gitopsd.io/instance={world.instance}")
    assert found is not None
    items: list[dict[str, Any]] = found["items"]
    return items


async def start(world: World) -> Process:
    """The command, in a process group of its own so that its workers die with it."""
    command = [sys.executable, "-m", "gitopsd", "reconcile", "--once", "-c", str(world.config)]
    with world.folder.joinpath("log").open("wb") as log:
        return await anyio.open_process(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


async def finish(world: World) -> None:
    """Run it undisturbed; it must end well."""
    process = await start(world)
    with anyio.fail_after(60):
        code = await process.wait()
    assert code == 0, world.folder.joinpath("log").read_text()


async def killed(process: Process, way: Proxy, chance: random.Random) -> None:
    """Let it do some requests, or some time of fetching and rendering, and kill all of it."""
    before, requests = len(way.passed), chance.choice([0, 0, chance.randrange(1, 130)])
    with anyio.move_on_after(chance.uniform(0.2, 2.5)):
        while process.returncode is None and not (requests and len(way.passed) - before >= requests):
            with anyio.move_on_after(0.005):
                await process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.asyncio
async def test_a_kill_at_any_moment_loses_nothing(world: World, faulty: Proxy) -> None:
    chance = random.Random(20261121)
    world.settings = "  safety: {massDeletion: false}\n"
    world.declare(kustomization("app", "timeout: 1m"))
    commit(world, dict.fromkeys(NAMES[:20], "0"))
    await finish(world)
    for number in range(KILLS):
        before = await live(world)
        wanted = {name: str(chance.randrange(3)) for name in chance.sample(NAMES, chance.randrange(8, 32))}
        commit(world, wanted)
        if number % 5 == 4:
            shutil.rmtree(world.folder / "state")

        await killed(await start(world), faulty, chance)

        assert (await live(world)).keys() <= await tracked(world), "an object that nobody tracks"
        await finish(world)
        after = await live(world)
        assert {name: value for name, (_, value) in after.items()} == wanted
        kept = before.keys() & after.keys()
        assert {n: before[n][0] for n in kept} == {n: after[n][0] for n in kept}, "an object was recreated"
        with Store.open(world.folder / "state") as store:
            assert store.verify().sound
