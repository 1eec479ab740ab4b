"""The Git source's figures beside git's own, printed as `name: value`; nothing is asserted on a clock."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
import structlog
from fakes.git_server import backend_server

from gitopsd.plugin import Artifact, Context, Declared, Digest, Http, ObjectRef, Place, SourceIntent
from gitopsd.runtime import intake
from gitopsd.runtime.processes import Processes, WorkerPool
from gitopsd.store.store import Store
from gitopsd_plugins.git.kind import GitRepository
from gitopsd_plugins.git.source import GitSource

FILES = 20_000
TAGS = 500
POLLS = 50

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("git") is None, reason="the server and the comparison are git's"),
]


def report(line: str) -> None:
    sys.stdout.write(f"\n{line}")


def git(*arguments: str, cwd: Path) -> None:
    who = {f"GIT_{role}_{part}": "ada@example.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent", **who}
    subprocess.run(["git", "-c", "gc.auto=0", *arguments], cwd=cwd, env=environment, check=True, capture_output=True)


def repository(path: Path) -> None:
    """20,000 manifests of 2.7 KB in 200 folders, 500 tags, packed."""
    path.mkdir()
    git("init", "-q", "-b", "main", cwd=path)
    words = random.Random(1)
    for number in range(FILES):
        file = path / f"dir-{number // 100:03}/file-{number:05}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(f"key-{words.getrandbits(40)}: value-{words.getrandbits(40)}\n" for _ in range(80)))
    git("add", "-A", cwd=path)
    git("commit", "-qm", "first", cwd=path)
    for number in range(TAGS):
        git("tag", f"v1.{number}.0", cwd=path)
    git("gc", "-q", cwd=path)


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
                Processes(count=1),
                packages=["gitopsd", "gitopsd_plugins"],
                log=log,
                opener=intake.OPENER,
                argument=str(folder / "state"),
            )
            try:
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
        "spec": {"url": url, "interval": "1m", "ref": {"branch": "main"}},
    }
    ref = ObjectRef(kind="GitRepository", namespace="flux-system", name="app")
    return GitRepository().read(
        Declared(ref=ref, document=document, place=Place(file="/app.yaml"), spec=Digest("sha256:0"))
    )


async def fetched(
    source: GitSource, intent: SourceIntent, base: Artifact | None, ctx: Context
) -> tuple[float, Artifact]:
    start = time.perf_counter()
    revision = await source.resolve(intent, ctx)
    stored = await source.fetch(intent, revision, base, ctx)
    seconds = time.perf_counter() - start
    return seconds, Artifact(
        source=intent.ref,
        revision=revision,
        tree=stored.tree,
        size=stored.size,
        files=stored.files,
        stored=ctx.now(),
        spec=intent.content,
    )


@pytest.mark.asyncio
async def test_polls_and_fetches(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    repository(origin)
    with backend_server(tmp_path) as server:
        url = f"{server}/origin/.git"
        clone = tmp_path / "clone.git"
        start = time.perf_counter()
        git("clone", "-q", "--bare", "--depth", "1", "--branch", "main", url, str(clone), cwd=tmp_path)
        by_git = time.perf_counter() - start
        async with context(tmp_path) as ctx:
            source, intent = GitSource(), intent_for(url)
            await source.resolve(intent, ctx)
            start, used = time.perf_counter(), time.process_time()
            for _ in range(POLLS):
                await source.resolve(intent, ctx)
            poll = (time.perf_counter() - start) / POLLS * 1000
            used = (time.process_time() - used) / POLLS * 1000
            first, artifact = await fetched(source, intent, None, ctx)
            (origin / "dir-000" / "file-00000.yaml").write_text("changed: yes\n")
            git("commit", "-qam", "second", cwd=origin)
            second, changed = await fetched(source, intent, artifact, ctx)
            again, _ = await fetched(source, intent, changed, ctx)
            folder, local = await fetched(source, intent_for(f"file://{origin}"), None, ctx)

    assert artifact.files == changed.files == local.files == FILES
    report(
        f"git: poll of an unchanged branch beside {TAGS} tags: {poll:.1f} ms, of which {used:.1f} ms ours (all threads)"
    )
    report(
        f"git: first fetch of {FILES:,} files over http into the store: {first:.2f} s ({first / by_git:.1f} x `git clone --bare --depth 1`, {by_git:.2f} s)"
    )
    report(f"git: next commit with one change: {second:.2f} s; the same commit again: {again:.2f} s")
    report(f"git: the same {FILES:,} files from a folder, all known already: {folder:.2f} s\n")
