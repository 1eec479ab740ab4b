"""The engine's budgets, as ratios to the bare request floor measured in the same run. Printed, never asserted on a clock.

On a real control plane where its binaries are (see tests/contract), else on the sandbox in a process of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import msgspec
import pytest
from dulwich import porcelain
from fakes.control_plane import ControlPlane, assets, missing

from gitopsd.cli import own_engine
from gitopsd.config import chosen as choice
from gitopsd.config.chosen import Chosen
from gitopsd.daemon import compose
from gitopsd.model.change import Sight
from gitopsd.model.health import Health, Verdict
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.plugin.conformance.scene import actor as scene_actor
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.live.drift import DriftTable
from gitopsd.runtime.schedule.wake import Reason
from gitopsd_plugins.kubernetes import live as lives
from gitopsd_plugins.kubernetes.discovery import Resource

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]
OBJECTS, ROUNDS = 1000, 5
SOURCE = ObjectRef(kind="GitRepository", namespace="flux-system", name="bench")

SANDBOX = """
import asyncio, pathlib, sys
from gitopsd_plugins.sandbox.server import serve
async def main():
    async with serve() as running:
        pathlib.Path(sys.argv[1]).write_text(running.kubeconfig())
        print("up", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Server:
    """Where to reach an API server."""

    name: str
    kubeconfig: Path
    context: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    if not missing(assets()):
        with ControlPlane(folder) as plane:
            server = Server("real control plane", plane.kubeconfig, "local")
            asyncio.run(_warmed(folder, server))
            yield server
        return
    file = folder / "kubeconfig"
    with subprocess.Popen([sys.executable, "-c", SANDBOX, str(file)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield Server("sandbox", file, "sandbox")
        process.kill()


async def _warmed(folder: Path, server: Server) -> None:
    """A server that just started is slow at first; whoever comes first would pay for it."""

    async def body(engine: Engine) -> None:
        await _floor(engine, "warm")

    await _engaged(_config(folder, folder, "warm", 0), server, Heard(), body, watch=False)


async def _namespaces(folder: Path, server: Server, names: Iterable[str]) -> None:
    """Make them: what one round leaves must not be what the next one has to look through."""

    async def body(engine: Engine) -> None:
        async with _session(engine) as (session, address):
            for name in names:
                async with session.post(f"{address}/api/v1/namespaces", json={"metadata": {"name": name}}) as response:
                    response.raise_for_status()

    await _engaged(_config(folder, folder, "namespaces", 0), server, Heard(), body, watch=False)


@dataclass(slots=True)
class Heard:
    """Outcomes, as they come."""

    outcomes: list[Outcome] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.heard.set()

    async def until(self, wanted: Callable[[Outcome], bool], seen: int = 0) -> Outcome:
        with anyio.fail_after(300):
            while True:
                for outcome in self.outcomes[seen:]:
                    if wanted(outcome):
                        return outcome
                seen = len(self.outcomes)
                self.heard.clear()
                await self.heard.wait()


def _repository(folder: Path, objects: int, apps: int = 1, prefix: str = "bench", namespace: str = "default") -> Path:
    repository = folder / "repository"
    repository.mkdir()
    porcelain.init(repository)
    for number in range(objects):
        file = repository / f"app-{number % apps}" / f"{number}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(
            f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {prefix}-{apps}-{number}\n  namespace: {namespace}\n"
            f"  labels:\n    app: floor\ndata:\n  payload: {'x' * 500}\n"
        )
    _commit(repository)
    return repository


def _commit(repository: Path) -> None:
    porcelain.add(repository)
    porcelain.commit(repository, message=b"next", author=b"a <a@b>", committer=b"a <a@b>")


def _config(folder: Path, repository: Path, instance: str, apps: int, annotations: str = "{}") -> Path:
    text = f"""
apiVersion: gitopsd.io/v1alpha1
kind: Settings
metadata: {{name: bench}}
spec: {{stateDir: {folder / "state"}, instance: {instance}, limits: {{applies: 32}}}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {{name: bench}}
spec: {{interval: 1h, url: "{repository.as_uri()}", ref: {{branch: master}}}}
"""
    for app in range(apps):
        text += f"""---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: app-{app}, annotations: {annotations}}}
spec: {{interval: 1h, path: ./app-{app}, prune: true, timeout: 5m, sourceRef: {{kind: GitRepository, name: bench}}}}
"""
    file = folder / "config.yaml"
    file.write_text(text)
    return file


async def _engaged(
    config: Path, server: Server, heard: Heard, body: Callable[[Engine], Awaitable[None]], *, watch: bool
) -> None:
    chosen = Chosen(paths=(config,), kubeconfig=server.kubeconfig, context=server.context, here=config.parent)
    await compose.engaged(choice.load(chosen), own_engine.mode(watch=watch), body, on_outcome=heard.note)


@asynccontextmanager
async def _session(engine: Engine) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """A bare client with one pool of 32 connections, and the server's address."""
    access = (await engine.clusters.target(None)).access
    headers = dict(await access.headers()) if access.headers else {}
    async with engine.world.ctx.http.session(tls=access.tls, limit=32, headers=headers) as session:
        yield session, access.server


@asynccontextmanager
async def _requests(engine: Engine) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """Server-side apply of one ConfigMap per call."""
    async with _session(engine) as (session, server):

        async def apply(
            name: str, data: dict[str, object], kind: str = "apply-patch+yaml", namespace: str = "default"
        ) -> None:
            body: dict[str, object] = {"data": data}
            if kind == "apply-patch+yaml":
                metadata = {"name": name, "namespace": namespace, "labels": {"app": "floor"}}
                body |= {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
            url = f"{server}/api/v1/namespaces/{namespace}/configmaps/{name}?fieldManager=floor"
            url += "&force=true" if kind == "apply-patch+yaml" else ""
            async with session.patch(
                url, data=msgspec.json.encode(body), headers={"Content-Type": f"application/{kind}"}
            ) as response:
                await response.read()
                response.raise_for_status()

        yield apply


async def _floor(engine: Engine, prefix: str, objects: int = OBJECTS) -> float:
    """Seconds to create as many ConfigMaps with nothing but requests."""
    async with _requests(engine) as apply:
        began = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            slots = anyio.CapacityLimiter(32)

            async def one(number: int) -> None:
                async with slots:
                    await apply(f"{prefix}-{number}", {"payload": "x" * 500}, namespace="kube-public")

            for number in range(objects):
                tasks.start_soon(one, number)
        return time.perf_counter() - began


def _ready(outcome: Outcome) -> bool:
    return outcome.ref.kind == "Kustomization" and outcome.phase is Phase.READY


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """Seconds by the clock, and of this process's processor time (worker processes and server not included)."""

    clock: float
    processor: float


@asynccontextmanager
async def _timed(took: list[Took]) -> AsyncIterator[None]:
    clock, processor = time.perf_counter(), time.process_time()
    yield
    took.append(Took(clock=time.perf_counter() - clock, processor=time.process_time() - processor))


@pytest.mark.parametrize("objects", [OBJECTS, 5 * OBJECTS])
@pytest.mark.parametrize("atomic", ["object", "stage"])
@pytest.mark.asyncio
async def test_first_apply_and_unchanged(tmp_path: Path, server: Server, atomic: str, objects: int) -> None:
    """Floor and apply take turns: a machine that others slow down slows both, and each apply is held against its neighbours."""
    floors, applies, agains, lags = list[Took](), list[Took](), list[Took](), list[Lag]()

    async def one(tag: str) -> None:
        folder = tmp_path / tag
        folder.mkdir()
        repository = _repository(folder, objects, namespace=tag)
        config, heard = _config(folder, repository, tag, 1, f'{{"gitopsd.io/atomic": "{atomic}"}}'), Heard()

        async def body(engine: Engine) -> None:
            async with _lag() as lag:
                await heard.until(lambda outcome: outcome.ref == SOURCE)
                async with _timed(applies):
                    first = await heard.until(_ready)
            lags.append(lag)
            async with _timed(floors):
                await _floor(engine, tag, objects)
            async with _timed(agains):
                await engine.reconcile(first.ref, "again")

        await _engaged(config, server, heard, body, watch=True)

    tags = [f"{atomic}-{objects}-{number}" for number in range(ROUNDS + 1)]
    await _namespaces(tmp_path, server, tags)
    for tag in tags:
        await one(tag)
    around = [(before.clock + after.clock) / 2 for before, after in itertools.pairwise(floors)]
    ratios = [apply.clock / floor for apply, floor in zip(applies[1:], around, strict=True)]
    processor = [statistics.median(took.processor for took in of) for of in (applies[1:], floors[1:])]
    print(
        f"\n{server.name}: first apply of {objects} ({atomic}): {statistics.median(ratios):.2f} of the floor "
        f"({', '.join(f'{ratio:.2f}' for ratio in sorted(ratios))}), which is {statistics.median(around):.2f} s; "
        f"processor {processor[0]:.2f} s beside {processor[1]:.2f} s; "
        f"again unchanged {1000 * statistics.median(took.clock for took in agains):.0f} ms; "
        f"loop lag: longest {', '.join(lag.longest for lag in lags)} ms"
    )


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl to compare with")
def test_first_apply_beside_kubectl(tmp_path: Path, server: Server) -> None:
    repository = _repository(tmp_path, OBJECTS, prefix="kubectl")
    began = time.perf_counter()
    command = [
        "kubectl",
        "--kubeconfig",
        str(server.kubeconfig),
        "apply",
        "--server-side",
        "-f",
        str(repository / "app-0"),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(f"\n{server.name}: kubectl apply --server-side of {OBJECTS}: {time.perf_counter() - began:.1f} s")


@pytest.mark.asyncio
async def test_drift_latency(tmp_path: Path, server: Server) -> None:
    config = _config(tmp_path, _repository(tmp_path, 100, apps=10), "bench-drift", 10)
    heard, latencies = Heard(), list[float]()

    async def body(engine: Engine) -> None:
        with anyio.fail_after(120):
            while sum(1 for o in heard.outcomes if _ready(o)) < 10:
                await heard.until(_ready, len(heard.outcomes))
        async with _requests(engine) as apply:
            for number in range(200):
                seen, began = len(heard.outcomes), time.perf_counter()
                await apply(f"bench-10-{number % 100}", {"payload": f"evil {number}"}, "merge-patch+json")
                await heard.until(lambda o: _ready(o) and bool(o.changed), seen)
                latencies.append(1000 * (time.perf_counter() - began))
        print(
            f"\n{server.name}: drift put back: median {statistics.median(latencies):.0f} ms, "
            f"99 % under {sorted(latencies)[int(0.99 * len(latencies))]:.0f} ms, slowest of {len(latencies)} {max(latencies):.0f} ms"
        )

    await _engaged(config, server, heard, body, watch=True)


@dataclass(slots=True)
class Lag:
    """How long the loop kept a task of 5 ms naps waiting, in milliseconds; the longest waits tell.

    `works` is the loop's own processor time meanwhile: the rest of a wait others had the processor, as on a busy machine.
    """

    waits: list[float] = field(default_factory=list)
    works: list[float] = field(default_factory=list)

    async def watch(self) -> None:
        while True:
            began, worked = time.perf_counter(), time.thread_time()
            await asyncio.sleep(0.005)
            self.waits.append(1000 * (time.perf_counter() - began) - 5)
            self.works.append(1000 * (time.thread_time() - worked))

    @property
    def longest(self) -> str:
        """The longest wait, and the longest work of the loop itself."""
        return f"{max(self.waits):.0f} ({max(self.works):.0f} of work)"

    def __str__(self) -> str:
        waits = sorted(self.waits)
        return f"loop lag: 99 % under {waits[int(0.99 * len(waits))]:.0f} ms, longest {self.longest} ms"


@asynccontextmanager
async def _lag() -> AsyncIterator[Lag]:
    lag = Lag()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lag.watch)
        yield lag
        tasks.cancel_scope.cancel()


EDIT = """
import pathlib, sys
from dulwich import porcelain
repository = pathlib.Path(sys.argv[1])
file = repository / "big" / "0.yaml"
file.write_text(file.read_text() + f"# {sys.argv[2]}\\n")
porcelain.add(repository, [str(file)])
porcelain.commit(repository, message=b"next", author=b"a <a@b>", committer=b"a <a@b>")
"""


@pytest.mark.asyncio
async def test_applies_beside_a_big_render(tmp_path: Path, server: Server) -> None:
    """5,000 objects are rendered again and again, and never applied: what they depend on is not there."""
    repository = _repository(tmp_path, 4)
    for number in range(5000):
        file = repository / "big" / f"{number}.yaml"
        file.parent.mkdir(exist_ok=True)
        body = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: big-{number}, namespace: default}}\n"
        file.write_text(f"{body}data: {{payload: {'x' * 500}}}\n")
    _commit(repository)
    config = _config(tmp_path, repository, "bench-render", 1)
    with config.open("a") as declared:
        declared.write(
            "---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: big}\n"
            "spec: {interval: 1h, path: ./big, prune: true, dependsOn: [{name: absent}], "
            "sourceRef: {kind: GitRepository, name: bench}}\n"
            "---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: absent}\n"
            "spec: {interval: 1h, path: ./nowhere, prune: true, sourceRef: {kind: GitRepository, name: bench}}\n"
        )
    heard = Heard()

    async def body(engine: Engine) -> None:
        await engine.once()
        async with _lag() as before:
            idle = statistics.median([await _floor(engine, f"idle-{i}") for i in range(3)])
        renders = 0

        async def rendering() -> None:
            nonlocal renders
            while True:
                await anyio.run_process([sys.executable, "-c", EDIT, str(repository), str(renders)])
                await engine.reconcile(SOURCE, f"render-{renders}")
                await engine.once()
                renders += 1

        async with _lag() as lag, anyio.create_task_group() as tasks:
            tasks.start_soon(rendering)
            taken = [await _floor(engine, f"beside-{i}") for i in range(4)]
            tasks.cancel_scope.cancel()
        print(
            f"\n{server.name}: applies beside {renders} renders of 5,000 objects: "
            f"{idle / statistics.median(taken):.2f} of their idle rate; {lag} "
            f"(without renders: {before})"
        )

    await _engaged(config, server, heard, body, watch=True)


@pytest.mark.asyncio
async def test_many_apps_at_once_and_idle(tmp_path: Path, server: Server) -> None:
    apps = 1000
    config = _config(tmp_path, _repository(tmp_path, 4 * apps, apps=apps), "bench-many", apps)
    heard = Heard()

    async def body(engine: Engine) -> None:
        began = time.perf_counter()
        async with _lag() as lag:
            with anyio.fail_after(600):
                await engine.once()
        taken = time.perf_counter() - began
        floor = min([await _floor(engine, f"floor-many-{i}") for i in range(2)])
        processor, began = time.process_time(), time.perf_counter()
        for app in {o.ref for o in heard.outcomes if _ready(o)}:
            engine.scheduler.wake(app, Reason.REQUEST)
        await engine.once()
        again, processor = time.perf_counter() - began, time.process_time() - processor
        ready = len({o.ref for o in heard.outcomes if _ready(o)})
        print(
            f"\n{server.name}: {ready} apps of 4 objects in {taken:.1f} s, {taken / floor:.1f} x 1,000 bare applies; {lag}; "
            f"all unchanged {again:.2f} s ({processor:.2f} s of processor); resident {_resident():.0f} MiB (test included)"
        )

    await _engaged(config, server, heard, body, watch=True)


needs_audit = pytest.mark.skipif(bool(missing(assets())), reason="no control plane, whose audit log tells")


def _asked(entries: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """What was asked of the server, but for the lease, which is renewed whatever there is to do."""
    kinds = (f"{entry['verb']} {(entry.get('objectRef') or {}).get('resource', 'versions')}" for entry in entries)
    return Counter(kind for kind in kinds if not kind.endswith(" leases"))


@needs_audit
@pytest.mark.asyncio
async def test_requests_of_a_small_change_and_of_a_restart(tmp_path: Path) -> None:
    repository = _repository(tmp_path, OBJECTS)
    config = _config(tmp_path, repository, "bench-small", 1)
    with ControlPlane(tmp_path / "plane", reads=True) as plane:
        server, heard = Server("real control plane", plane.kubeconfig, "local"), Heard()

        async def changed(engine: Engine) -> None:
            await engine.once()
            for number in range(10):
                file = repository / "app-0" / f"{number}.yaml"
                file.write_text(file.read_text() + "  more: text\n")
            _commit(repository)
            before, seen, began = len(plane.audited("gitopsd")), len(heard.outcomes), time.perf_counter()
            await engine.reconcile(SOURCE, "next")
            await heard.until(_ready, seen)
            taken = time.perf_counter() - began
            asked = _asked(plane.audited("gitopsd")[before:])
            print(f"\n10 of {OBJECTS} objects changed: {asked.total()} requests {dict(asked)}, {1000 * taken:.0f} ms")
            before = len(plane.audited("gitopsd"))
            await engine.reconcile(next(app for app in engine.board.intents if app != SOURCE), "again")
            print(f"looked at again: {_asked(plane.audited('gitopsd')[before:]).total()} requests")

        await _engaged(config, server, heard, changed, watch=True)
        before, began = len(plane.audited("gitopsd")), time.perf_counter()

        async def restarted(engine: Engine) -> None:
            await engine.once()

        await _engaged(config, server, heard, restarted, watch=True)
        asked = _asked(plane.audited("gitopsd")[before:])
        print(f"started again: {asked.total()} requests {dict(asked)}, {time.perf_counter() - began:.2f} s")


@needs_audit
@pytest.mark.asyncio
async def test_requests_when_idle(tmp_path: Path) -> None:
    """Of 100 apps, with their watches, which begin again now and then."""
    apps, minutes = 100, 6
    config = _config(tmp_path, _repository(tmp_path, 4 * apps, apps=apps), "bench-idle", apps)
    with ControlPlane(tmp_path / "plane", reads=True) as plane:

        async def body(engine: Engine) -> None:
            with anyio.fail_after(600):
                await engine.once()
            await anyio.sleep(5)
            before, processor = len(plane.audited("gitopsd")), time.process_time()
            await anyio.sleep(60 * minutes)
            sent, processor = plane.audited("gitopsd")[before:], time.process_time() - processor
            asked = _asked(sent)
            print(
                f"\n{apps} idle apps: {60 // minutes * asked.total()} requests per hour {dict(asked)} beside "
                f"{60 // minutes * (len(sent) - asked.total())} for the lease; {1000 * processor / minutes:.0f} ms of "
                f"processor per minute; resident {_resident():.0f} MiB (test included)"
            )

        await _engaged(config, Server("real control plane", plane.kubeconfig, "local"), Heard(), body, watch=True)


def test_start_of_the_command_line() -> None:
    times = []
    for _ in range(7):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "gitopsd", "--version"], check=True, stdout=subprocess.DEVNULL)
        times.append(1000 * (time.perf_counter() - began))
    print(f"\ngitopsd --version: median {statistics.median(times):.0f} ms of 7")


def test_memory_of_what_watches_keep() -> None:
    """Of real objects: 5 KB of JSON each, of which nothing but bookkeeping may stay."""
    table, app = DriftTable(), ObjectRef(kind="Kustomization", namespace="flux-system", name="app")
    kind, actor = (
        Resource(group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True),
        scene_actor(),
    )
    table.hold(("", "ConfigMap"), 0)
    count = 20_000
    tracemalloc.start()
    marks: dict[ResourceId, str] = {}
    for number in range(count):
        fields = {"f:data": {"f:payload": {}}, "f:metadata": {"f:labels": {f"f:{n}": {} for n in range(9)}}}
        entry = {"manager": actor.field_manager, "operation": "Apply", "time": str(number), "fieldsV1": fields}
        metadata = {"name": f"object-{number}", "namespace": "default", "uid": str(number), "managedFields": [entry]}
        live = lives.of({"metadata": metadata, "data": {"payload": str(number) * 1000}}, kind, actor)
        marks[live.id] = live.mark
        table.seen(live.id, Sight.of(live, Verdict(health=Health.CURRENT)), 0)
    table.expect(app, marks, 0)
    del marks, live
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"\nmemory of what watches keep: {kept / count:.0f} bytes per object")


def _resident() -> float:
    """MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
