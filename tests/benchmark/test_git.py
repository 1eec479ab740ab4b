"""The Git source's figures beside git's own, printed as `name: value`; memory is asserted, nothing is on a clock."""

from __future__ import annotations

import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
import structlog
from fakes.git_server import backend_server

from gitopsd.plugin import Artifact, Context, Declared, Digest, Http, ObjectRef, Place, SourceIntent
from gitopsd.runtime.pool import intake
from gitopsd.runtime.pool.processes import Processes, WorkerPool
from gitopsd.store.store import Store
from gitopsd_plugins.git.kind import GitRepository
from gitopsd_plugins.git.source import GitSource

FILES = 100_000
TAGS = 500
POLLS = 50
RUNS = 5
MEMORY = 300
"""MiB that a worker may hold at most, with the process that writes for it."""

MANIFEST = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: app-{number}, namespace: team-{team}}}
spec:
  replicas: {some}
  selector: {{matchLabels: {{app: app-{number}}}}}
  template:
    metadata: {{labels: {{app: app-{number}}}, annotations: {{checksum: "{more:016x}"}}}}
    spec:
      containers:
      - name: main
        image: registry.example.org/team-{team}/app-{number}:v{some}
        ports: [{{containerPort: {some}}}]
        resources: {{requests: {{cpu: {some}m, memory: {some}Mi}}, limits: {{memory: {some}Mi}}}}
        readinessProbe: {{httpGet: {{path: /ready, port: {some}}}, periodSeconds: 10}}
        env: [{{name: A, value: "{more:x}"}}]
      securityContext: {{runAsNonRoot: true, seccompProfile: {{type: RuntimeDefault}}}}
"""

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(shutil.which("git") is None, reason="the server and the comparison are git's"),
]


def report(line: str) -> None:
    sys.stdout.write(f"\n{line}")


def git(*arguments: str, cwd: Path) -> None:
    who = {f"GIT_{role}_{part}": "ada@example.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent", **who}
    subprocess.run(["git", "-c", "gc.auto=0", *arguments], cwd=cwd, env=environment, check=True, capture_output=True)


def unlike(number: int, words: random.Random) -> bytes:
    """2.9 KB that have nothing in common with another file."""
    return "".join(f"key-{words.getrandbits(40)}: value-{words.getrandbits(40)}\n" for _ in range(80)).encode()


def alike(number: int, words: random.Random) -> bytes:
    """0.8 KB that a pack holds as a difference from another file."""
    some, more = words.randint(1, 9999), words.getrandbits(64)
    return MANIFEST.format(number=number, team=number // 100, some=some, more=more).encode()


def commit(path: Path, message: str, files: Iterable[tuple[str, bytes]]) -> None:
    """Commit files on main, beside those that are there."""
    git("symbolic-ref", "HEAD", "refs/heads/main", cwd=path)
    parent = subprocess.run(["git", "rev-parse", "-q", "--verify", "main"], cwd=path, capture_output=True, check=False)
    arguments = ["git", "-c", "fastimport.unpackLimit=0", "fast-import", "--quiet"]
    with subprocess.Popen(arguments, cwd=path, stdin=subprocess.PIPE) as importer:
        assert importer.stdin
        who = b"ada <ada@example.org> 1700000000 +0000"
        importer.stdin.write(
            b"commit refs/heads/main\ncommitter %s\ndata %d\n%s\n" % (who, len(message), message.encode())
        )
        if parent.stdout:
            importer.stdin.write(b"from refs/heads/main^0\n")
        for name, data in files:
            importer.stdin.write(b"M 644 inline %s\ndata %d\n%s\n" % (name.encode(), len(data), data))
    assert importer.returncode == 0


def repository(path: Path, content: Callable[[int, random.Random], bytes], files: int = FILES) -> None:
    """Manifests in folders of 100, 500 tags, packed."""
    path.mkdir()
    git("init", "-q", "--bare", "-b", "main", cwd=path)
    words = random.Random(1)
    names = (f"dir-{number // 1000:03}/sub-{number // 100 % 10}/file-{number:06}.yaml" for number in range(files))
    commit(path, "first", ((name, content(number, words)) for number, name in enumerate(names)))
    for number in range(TAGS):
        git("tag", f"v1.{number}.0", cwd=path)
    git("gc", "-q", cwd=path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds by the clock and of the processors, and the most memory held (MiB)."""

    wall: float
    cpu: float
    memory: int

    def beside(self, other: Cost) -> str:
        return (
            f"{self.wall:.2f} s, {self.wall / other.wall:.1f} x git's {other.wall:.2f} s; "
            f"processor {self.cpu:.2f} s, {self.cpu / other.cpu:.1f} x git's {other.cpu:.2f} s; {self.memory} MiB"
        )


def by_git(url: str, folder: Path) -> Cost:
    """`git fetch --depth 1`, the server's processes not counted."""
    if not folder.exists():
        folder.mkdir()
        git("init", "-q", "--bare", cwd=folder)
    start = time.perf_counter()
    process = subprocess.Popen(["git", "-c", "gc.auto=0", "fetch", "-q", "--depth", "1", url, "+main:main"], cwd=folder)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = status
    assert status == 0
    return Cost(wall=time.perf_counter() - start, cpu=used.ru_utime + used.ru_stime, memory=used.ru_maxrss >> 10)


def worker() -> Path:
    """The one worker process in /proc."""
    found = [at for at in started(Path("/proc/thread-self")) if b"worker_main" in (at / "cmdline").read_bytes()]
    assert len(found) == 1, found
    return found[0]


def started(process: Path) -> list[Path]:
    """What the first thread of a process has started."""
    thread = process if process.name == "thread-self" else process / "task" / process.name
    return [Path("/proc") / pid for pid in (thread / "children").read_text().split()]


def seconds(process: Path) -> float:
    """Processor seconds that it took, with what it started and waited for."""
    ticks = (process / "stat").read_text().rpartition(")")[2].split()[11:15]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def held(process: Path) -> int:
    """Bytes of memory that it holds at the moment; what it shares counts for each that shares it."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return int((process / "statm").read_text().split()[1]) * resource.getpagesize()
    return 0


async def watch(process: Path, peaks: list[int]) -> None:
    """Note what the process and those that it started hold together, again and again (MiB)."""
    while True:
        peaks.append(sum(held(one) for one in (process, *started(process))) >> 20)
        await anyio.sleep(0.05)


class NoSecrets:
    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        raise NotImplementedError

    async def config(self, namespace: str, name: str) -> Mapping[str, bytes]:
        raise NotImplementedError


@asynccontextmanager
async def context(folder: Path) -> AsyncIterator[Context]:
    log = structlog.get_logger()
    with Store.open(folder / "state") as store:
        async with anyio.create_task_group() as tasks:
            work = WorkerPool(
                tasks,
                Processes(count=1, nice=0, retain=1 << 40),  # as git runs, and still there to be asked what it took
                packages=["gitopsd", "gitopsd_plugins"],
                log=log,
                opener=intake.OPENER,
                argument=str(folder / "state"),
                preload=[intake.__name__, "gitopsd_plugins.git.job", "gitopsd_plugins.git.wire.transport"],
            )
            try:
                await work.warm()
                yield Context(
                    http=Http(),
                    work=work,
                    quick=work,
                    credentials=NoSecrets(),
                    intake=store,
                    now=lambda: datetime.now(UTC),
                    log=log,
                    cache=lambda name: folder / "cache" / name,
                )
            finally:
                work.close()


def intent_for(url: str) -> SourceIntent:
    document = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "app"},
        "spec": {"url": url, "interval": "1m", "timeout": "10m", "ref": {"branch": "main"}},
    }
    ref = ObjectRef(kind="GitRepository", namespace="flux-system", name="app")
    return GitRepository().read(
        Declared(ref=ref, document=document, place=Place(file="/app.yaml"), spec=Digest("sha256:0"))
    )


async def fetched(
    source: GitSource, intent: SourceIntent, base: Artifact | None, ctx: Context
) -> tuple[Cost, Artifact]:
    revision = await source.resolve(intent, ctx)
    process, peaks = worker(), [0]
    before = seconds(process)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, process, peaks)
        start = time.perf_counter()
        stored = await source.fetch(intent, revision, base, ctx)
        wall = time.perf_counter() - start
        tasks.cancel_scope.cancel()
    artifact = Artifact(
        source=intent.ref,
        revision=revision,
        tree=stored.tree,
        size=stored.size,
        files=stored.files,
        stored=ctx.now(),
        spec=intent.content,
    )
    return Cost(wall=wall, cpu=seconds(process) - before, memory=max(peaks)), artifact


def middle(costs: list[Cost]) -> Cost:
    """The medians, and the most memory."""
    return Cost(
        wall=statistics.median(cost.wall for cost in costs),
        cpu=statistics.median(cost.cpu for cost in costs),
        memory=max(cost.memory for cost in costs),
    )


@pytest.mark.asyncio
@pytest.mark.parametrize("content", [unlike, alike])
async def test_fetches_beside_git(tmp_path: Path, content: Callable[[int, random.Random], bytes]) -> None:
    origin = tmp_path / "origin.git"
    repository(origin, content)
    first: list[tuple[Cost, Cost]] = []
    after: list[tuple[Cost, Cost]] = []
    with backend_server(tmp_path) as server:
        url = f"{server}/origin.git"
        for run in range(RUNS):
            folder = tmp_path / f"run-{run}"
            folder.mkdir()
            async with context(folder) as ctx:
                source, intent = GitSource(), intent_for(url)
                git_first = by_git(url, folder / "git")
                own, artifact = await fetched(source, intent, None, ctx)
                first.append((own, git_first))
                commit(origin, "next", [("dir-000/sub-0/file-000000.yaml", f"changed: {run}\n".encode())])
                git_next = by_git(url, folder / "git")
                own, changed = await fetched(source, intent, artifact, ctx)
                after.append((own, git_next))
            assert artifact.files == changed.files == FILES
            shutil.rmtree(folder)
    for what, costs in (("first fetch", first), ("next commit with one change", after)):
        ours, theirs = middle([own for own, _ in costs]), middle([other for _, other in costs])
        report(f"git: {what}, {FILES:,} files {content.__name__}: {ours.beside(theirs)}")
        assert ours.memory <= MEMORY
    report("")


@pytest.mark.asyncio
async def test_polls(tmp_path: Path) -> None:
    origin = tmp_path / "origin.git"
    repository(origin, alike, files=100)
    with backend_server(tmp_path) as server:
        async with context(tmp_path) as ctx:
            source, intent = GitSource(), intent_for(f"{server}/origin.git")
            await source.resolve(intent, ctx)
            start, used = time.perf_counter(), time.process_time()
            for _ in range(POLLS):
                await source.resolve(intent, ctx)
            poll = (time.perf_counter() - start) / POLLS * 1000
            used = (time.process_time() - used) / POLLS * 1000
    report(
        f"git: poll of an unchanged branch beside {TAGS} tags: {poll:.1f} ms, of which {used:.1f} ms ours (all threads)\n"
    )
