"""The sandbox: how soon it answers, what it weighs with objects in it, and how many applies it takes on one core."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

pytestmark = [pytest.mark.benchmark, pytest.mark.asyncio, pytest.mark.timeout(300)]

Json = dict[str, Any]
OBJECTS = 10_000
APPLIES = 4_000
SERVER = """
import asyncio, json, sys
from gitopsd_plugins.sandbox import instance
from gitopsd_plugins.sandbox.cluster import Settings
from gitopsd_plugins.sandbox.server import serve

async def main():
    instance.collect_seldom()  # as `gitopsd sandbox up` does
    async with serve(settings=Settings(settling=3600)) as running:
        print(json.dumps({"url": running.url, "token": running.token}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""


@contextmanager
def server() -> Iterator[tuple[Json, int, float]]:
    """A sandbox in a process of its own: how to reach it, its process id, and seconds until it answered."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        where = json.loads(process.stdout.readline())
        yield where, process.pid, time.perf_counter() - start
    finally:
        process.communicate(timeout=30)


def config_map(name: str) -> Json:
    data = {"config.yaml": "key: value\n" * 20}
    metadata = {"name": name, "namespace": "default", "labels": {"app.kubernetes.io/name": "demo"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def deployment(name: str) -> Json:
    container = {"name": "main", "image": "nginx:1.27", "ports": [{"containerPort": 80}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def path(body: Json) -> str:
    if body["kind"] == "ConfigMap":
        return f"/api/v1/namespaces/default/configmaps/{body['metadata']['name']}"
    return f"/apis/apps/v1/namespaces/default/deployments/{body['metadata']['name']}"


async def apply_all(where: Json, bodies: list[Json]) -> None:
    """Apply many objects, sixteen at a time."""
    headers = {"Authorization": f"Bearer {where['token']}", "Content-Type": "application/apply-patch+yaml"}
    waiting = iter(bodies)

    async def worker(session: aiohttp.ClientSession) -> None:
        for body in waiting:
            url = f"{path(body)}?fieldManager=bench&force=true"
            async with session.patch(url, data=json.dumps(body)) as response:
                assert response.status in (200, 201)
                await response.read()

    async with aiohttp.ClientSession(where["url"], headers=headers) as session:
        await asyncio.gather(*(worker(session) for _ in range(16)))


def processor_seconds(pid: int) -> float:
    """What a process has used of one core, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def megabytes(pid: int) -> float:
    """What a process holds in memory."""
    line = next(each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def test_start() -> None:
    found = []
    for _ in range(5):
        with server() as (where, _, seconds):
            headers = {"Authorization": f"Bearer {where['token']}"}
            async with aiohttp.request("GET", f"{where['url']}/api/v1/namespaces", headers=headers) as response:
                assert response.status == 200
            found.append(seconds)
    print(f"\nsandbox, from the process's start to the first answer: {min(found) * 1000:.0f} ms (budget 300)")


async def test_memory() -> None:
    with server() as (where, pid, _):
        empty = megabytes(pid)
        await apply_all(where, [config_map(f"m-{index}") for index in range(OBJECTS)])
        print(f"\nsandbox, {OBJECTS:,} ConfigMaps: {megabytes(pid):.0f} MiB (empty {empty:.0f}; budget 150)")


@pytest.mark.parametrize("make", [config_map, deployment], ids=["ConfigMaps", "Deployments"])
async def test_applies(make: Any, request: pytest.FixtureRequest) -> None:
    bodies = [make(f"m-{index}") for index in range(APPLIES)]
    with server() as (where, pid, _):
        for what in ("new", "unchanged"):
            before = processor_seconds(pid)
            await apply_all(where, bodies)
            used = processor_seconds(pid) - before
            kind = request.node.callspec.id
            print(f"\nsandbox, {what} {kind}: {APPLIES / used:,.0f} applies per second of one core (budget 1,000)")
