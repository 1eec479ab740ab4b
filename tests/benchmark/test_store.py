"""The store's figures, printed as `name: value`; nothing is asserted on a clock."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitopsd.model.identity import ObjectRef
from gitopsd.model.tree import Changes, Folder
from gitopsd.plugin.tree import Content, Tree
from gitopsd.store import Store

FILES = 20_000
SIZE = 2048
READER = """
import random, sys
from pathlib import Path
from gitopsd.model.digest import Digest
from gitopsd.plugin.tree import Tree
from gitopsd.store import Store
with Store.open(Path(sys.argv[1])) as store:
    tree = Tree(store, Digest(sys.argv[2]))
    paths = [f"{d}/{name}" for d in tree.list() for name in tree.list(d)]
    print("reading", flush=True)
    while True:
        tree.read(random.choice(paths))
"""

SPINNER = """
print("spinning", flush=True)
while True: pass
"""
WRITER = """
import runpy, sys
from pathlib import Path
from gitopsd.store import Store
benchmark = runpy.run_path(sys.argv[2])
with Store.open(Path(sys.argv[1])) as store:
    benchmark["put_all"](store, list(benchmark["contents"](1)))
"""
APP = ObjectRef(kind="Kustomization", namespace="flux-system", name="app")
PATHS = [f"dir-{number // 100:03}/file-{number:05}.yaml" for number in range(FILES)]
pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]


def report(line: str) -> None:
    sys.stdout.write(f"\n{line}")


def contents(seed: int) -> Iterator[Content]:
    words = random.Random(seed)
    for number in range(FILES):
        text = "".join(f"key-{words.getrandbits(40)}: value-{words.getrandbits(40)}\n" for _ in range(60))
        yield Content(data=text.encode()[:SIZE], key=f"{seed}-{number:040}")


def put_all(store: Store, contents: list[Content]) -> tuple[float, float, Folder]:
    start = time.perf_counter()
    files = store.add(contents)
    added = time.perf_counter()
    stored = store.put(Changes(entries=dict(zip(PATHS, files, strict=True))))
    return added - start, time.perf_counter() - added, Folder(digest=stored.tree)


def test_figures_of_trees(tmp_path: Path) -> None:
    with Store.open(tmp_path / "state") as store:
        content = list(contents(1))
        cpu = time.process_time()
        add, put, top = put_all(store, content)
        cpu = time.process_time() - cpu
        report(f"put of {FILES} files: {add + put:.2f} s (bytes {add:.2f}, tree {put:.2f}; processor {cpu:.2f} s)")
        report(f"next revision with one change: {next_revision(store, top):.2f} ms")
    with Store.open(tmp_path / "state") as store:
        report(f"100 reads after opening: {reads(store, top, 100):.2f} ms")
        report(f"100 reads again: {reads(store, top, 100):.2f} ms")
        start = time.perf_counter()
        known = store.known([c.key for c in content])
        report(f"{len(known)} native ids looked up: {(time.perf_counter() - start) * 1000:.0f} ms")
        start = time.perf_counter()
        store.gc(timedelta(hours=1), datetime.now(UTC))
        report(f"gc that finds nothing to remove: {(time.perf_counter() - start) * 1000:.0f} ms")


def test_figures_of_small_writes_beside_a_put(tmp_path: Path) -> None:
    state = tmp_path / "state"
    waits: list[float] = []
    with Store.open(state) as store, ThreadPoolExecutor(max_workers=1) as threads:
        running = threads.submit(subprocess.run, [sys.executable, "-c", WRITER, str(state), __file__], check=True)
        while not running.done():
            start = time.perf_counter()
            store.keep_statuses({APP: {"observedGeneration": len(waits)}})
            waits.append((time.perf_counter() - start) * 1000)
            wait([running], timeout=0.005)
    waits.sort()
    report(f"{len(waits)} status writes beside a put: median {waits[len(waits) // 2]:.2f} ms, worst {waits[-1]:.1f} ms")


def test_figures_beside_readers(tmp_path: Path) -> None:
    """Four processes that only compute tell how much of the time is the processors' and how much the store's."""
    state = tmp_path / "state"
    with Store.open(state) as store:
        _, _, top = put_all(store, list(contents(1)))
        with beside([SPINNER]):
            spinning = sum(put_all(store, list(contents(2)))[:2])
        with beside([READER, str(state), top.digest]):
            reading = sum(put_all(store, list(contents(3)))[:2])
            some = reads(store, top, 100)
    report(f"put beside four busy readers: {reading:.2f} s, {reading / spinning:.2f} x as beside four busy loops")
    report(f"100 reads beside four busy readers: {some:.2f} ms")


@contextmanager
def beside(arguments: list[str]) -> Iterator[None]:
    """Four processes of a program, all of them at work."""
    command = [sys.executable, "-c", *arguments]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(4)]
    try:
        for process in started:
            assert process.stdout
            process.stdout.readline()
        yield
    finally:
        for process in started:
            process.kill()
            process.communicate()


def next_revision(store: Store, top: Folder) -> float:
    start = time.perf_counter()
    (file,) = store.add([Content(data=b"changed")])
    store.put(Changes(entries={PATHS[12_345]: file}, base=top.digest))
    return (time.perf_counter() - start) * 1000


def reads(store: Store, top: Folder, count: int) -> float:
    chosen = random.Random(3).sample(PATHS, count)
    start = time.perf_counter()
    tree = Tree(store, top.digest)
    for path in chosen:
        tree.read(path)
    return (time.perf_counter() - start) * 1000
