"""kill -9 at any moment leaves a store that opens, is whole, and has all that was concluded."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gitopsd.model.identity import ObjectRef
from gitopsd.plugin.tree import Tree
from gitopsd.store import Store

APP = ObjectRef(kind="GitRepository", namespace="flux-system", name="app")

WRITER = """
import os, sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from gitopsd.model.digest import of_bytes
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import LedgerRow
from gitopsd.model.tree import Artifact, Changes, Revision
from gitopsd.plugin.tree import Content
from gitopsd.store import Store

APP = ObjectRef(kind="GitRepository", namespace="flux-system", name="app")
number = int(sys.argv[2])
with Store.open(Path(sys.argv[1]), now=lambda: number * 3600) as store:
    while True:
        number += 1
        at = datetime.fromtimestamp(number * 3600, UTC)
        data = [b"%d %d" % (number, n) * (n + 1) for n in range(60)] + [os.urandom(300_000)]
        files = store.add(Content(data=item, key=of_bytes(item)) for item in data)
        base = store.artifact(APP)
        entries = {f"d{n % 7}/e{n % 3}/f{n}": file for n, file in enumerate(files)}
        stored = store.put(Changes(entries=entries, base=base.tree if base else None))
        store.refer(Artifact(
            source=APP, revision=Revision(digest=str(number)), tree=stored.tree, size=stored.size, files=stored.files,
            stored=at, spec=of_bytes(b"spec")), keep=2)
        store.append([LedgerRow(
            at=at, ref=APP, cluster="", revision=str(number), plan="", counts={}, actor="", reason="")])
        print(number, flush=True)
        store.gc(timedelta(hours=1), at)
"""


def run_and_kill(folder: Path, first: int, rounds: int) -> int:
    """Let the writer conclude so many rounds, then kill it wherever it is; the last round it told of."""
    command = [sys.executable, "-c", WRITER, str(folder), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        for _ in range(rounds):
            if not (line := process.stdout.readline()):
                pytest.fail(process.stderr.read())
            first = int(line)
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
        assert process.wait() == -signal.SIGKILL
    return int(rest[-1]) if rest else first


@pytest.mark.slow
def test_killed_at_any_moment_the_store_is_whole(folder: Path) -> None:
    last = 0
    for seed in range(10):
        last = run_and_kill(folder, last, random.Random(seed).randint(1, 9))

        with Store.open(folder) as store:
            assert store.warnings == ()
            assert store.verify().problems == ()
            artifact = store.artifact(APP)
            assert artifact
            assert int(artifact.revision.digest) in {last, last + 1}
            tree = Tree(store, artifact.tree)
            assert sum(len(tree.read(read)) for read in paths()) == artifact.size
            assert int(store.ledger(1)[0].revision) in {last, last + 1}
            last = int(artifact.revision.digest)


def paths() -> list[str]:
    return [f"d{n % 7}/e{n % 3}/f{n}" for n in range(61)]
