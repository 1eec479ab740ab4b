"""The sandbox: how soon it answers, what it weighs with objects in it, and how many applies it takes on one core."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import pytest

pytestmark = [pytest.mark.benchmark, pytest.mark.asyncio, pytest.mark.timeout(300)]

Json = dict[str, Any]
OBJECTS = 10_000
APPLIES = 4_000
STARTS = 9
SERVER = """
import asyncio, json, sys
from gitopsd_plugins.sandbox import process

with process.starting():  # as `gitopsd sandbox up` does
    from gitopsd_plugins.sandbox.cluster import Settings
    from gitopsd_plugins.sandbox.server import serve

async def main():
    async with serve(settings=Settings(settling=3600)) as running:
        print(json.dumps({"url": running.url, "token": running.token}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""


@contextmanager
def server() -> Iterator[tuple[Json, int]]:
    """A sandbox in a process of its own: how to reach it, and its process id."""
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline()), process.pid
    finally:
        process.communicate(timeout=30)


def start(folder: Path) -> tuple[float, float]:
    """Milliseconds of `gitopsd sandbox up` until it answers: by the clock, and of processor time. Its bytecode is kept in the folder."""
    config = folder / "config"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "gitopsd", "sandbox", "up", "--kubeconfig", str(config)],
        stdout=subprocess.PIPE,
        env=environment | {"PYTHONUNBUFFERED": "1", "PYTHONPYCACHEPREFIX": str(folder / "bytecode")},
    )
    assert process.stdout is not None
    try:
        process.stdout.readline()
        cluster = json.loads(config.read_text())["clusters"][0]["cluster"]
        context = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode())
        with urllib.request.urlopen(f"{cluster['server']}/readyz", context=context) as answer:
            assert answer.status == 200
        return (time.perf_counter() - began) * 1000, processor_seconds(process.pid) * 1000
    finally:
        process.terminate()
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


async def test_start(tmp_path: Path) -> None:
    start(tmp_path)  # compiles, as an installer does
    found = [start(tmp_path) for _ in range(STARTS)]
    clock, used = (sorted(column) for column in zip(*found, strict=True))
    print(
        f"\nsandbox, from the process's start to the first answer over TLS: {median(clock):.0f} ms, at best {clock[0]:.0f}",
        end="",
    )
    print(f" (budget 300); processor {median(used):.0f} ms, at best {used[0]:.0f}")


async def test_memory() -> None:
    with server() as (where, pid):
        empty = megabytes(pid)
        await apply_all(where, [config_map(f"m-{index}") for index in range(OBJECTS)])
        print(f"\nsandbox, {OBJECTS:,} ConfigMaps: {megabytes(pid):.0f} MiB (empty {empty:.0f}; budget 150)")


@pytest.mark.parametrize("make", [config_map, deployment], ids=["ConfigMaps", "Deployments"])
async def test_applies(make: Any, request: pytest.FixtureRequest) -> None:
    bodies = [make(f"m-{index}") for index in range(APPLIES)]
    with server() as (where, pid):
        for what in ("new", "unchanged"):
            before = processor_seconds(pid)
            await apply_all(where, bodies)
            used = processor_seconds(pid) - before
            kind = request.node.callspec.id
            print(f"\nsandbox, {what} {kind}: {APPLIES / used:,.0f} applies per second of one core (budget 1,000)")
