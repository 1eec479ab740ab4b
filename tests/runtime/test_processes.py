from __future__ import annotations

import ast
import importlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog
from structlog.testing import LogCapture

from gitopsd.model.digest import of_bytes
from gitopsd.model.errors import GitopsdError, Misconfigured, Rejected, Transient
from gitopsd.plugin.tree import Content
from gitopsd.runtime.pool import intake
from gitopsd.runtime.pool.answers import WorkerFailed
from gitopsd.runtime.pool.processes import Processes, WorkerPool
from gitopsd.store.store import Store

pytestmark = pytest.mark.asyncio

JOBS = Path(__file__).parent / "jobs"
MIB = 1 << 20


@pytest.fixture(autouse=True)
def jobs_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(JOBS)


@asynccontextmanager
async def pool(
    settings: Processes | None = None,
    *,
    log: Any = None,
    opener: str = "",
    argument: str = "",
    preload: tuple[str, ...] = (),
) -> AsyncIterator[WorkerPool]:
    async with anyio.create_task_group() as tasks:
        work = WorkerPool(
            tasks,
            settings or Processes(count=1),
            packages=["gitopsd", "jobs_of_tests"],
            log=log or structlog.get_logger(),
            opener=opener,
            argument=argument,
            preload=preload,
        )
        try:
            yield work
        finally:
            work.close()


async def run(work: WorkerPool, job: str, payload: bytes = b"", *, timeout: float = 30, memory: int = 0) -> bytes:
    return await work.run(f"jobs_of_tests:{job}", payload, timeout=timeout, memory=memory)


async def test_a_job_gets_bytes_and_returns_bytes_of_any_size() -> None:
    async with pool() as work:
        for payload in (b"", b"\0\xff", os.urandom(5 * MIB)):
            assert await run(work, "echo", payload) == payload


async def test_one_process_serves_one_job_after_the_other() -> None:
    async with pool() as work:
        assert await run(work, "pid") == await run(work, "pid")
        assert work.running == 1


async def test_a_warm_pool_has_a_process_before_the_first_job_asks_for_one() -> None:
    async with pool() as work:
        await work.warm()
        assert work.running == 1

        assert await run(work, "echo", b"x") == b"x"
        assert work.running == 1


async def test_a_job_takes_the_process_that_is_being_made_ready() -> None:
    async with pool(Processes(count=2)) as work:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work.warm)
            tasks.start_soon(run, work, "echo", b"x")

        assert work.running == 1


async def test_what_jobs_need_is_imported_before_they_come_and_what_cannot_be_keeps_nobody() -> None:
    async with pool(preload=("wave", "jobs_of_tests", "jobs_of_tests.absent", "gitopsd.model.health")) as work:
        loaded = (await run(work, "loaded")).decode().split()

    assert {"jobs_of_tests", "gitopsd.model.health"} <= set(loaded)
    assert "wave" not in loaded  # of no package that jobs may come from


async def test_no_more_processes_run_than_the_settings_allow() -> None:
    async with pool(Processes(count=2)) as work, anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(run, work, "echo", b"x")
        await anyio.wait_all_tasks_blocked()

        assert work.running <= 2


async def test_a_worker_is_confined_and_knows_nothing_of_the_daemons_surroundings() -> None:
    async with pool(Processes(count=1, nice=7)) as work:
        environment, priority, dumpable, core, folder = ast.literal_eval((await run(work, "surroundings")).decode())

    assert environment == ["LC_ALL", "MALLOC_ARENA_MAX", "PATH"]
    assert (priority, dumpable, core, folder) == (os.getpriority(os.PRIO_PROCESS, 0) + 7, 0, 0, "/")


async def test_a_job_that_takes_too_long_is_killed_and_named() -> None:
    async with pool() as work:
        with pytest.raises(Rejected, match=r"jobs_of_tests:forever took longer than its limit of 0.3 s"):
            await run(work, "forever", timeout=0.3)

        assert await run(work, "echo", b"next") == b"next"


async def test_a_cancelled_caller_leaves_no_process_behind(tmp_path: Path) -> None:
    pipe = anyio.Path(tmp_path / "pid")
    os.mkfifo(pipe)
    async with pool() as work:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, work, "forever", str(pipe).encode())
            process = os.pidfd_open(int(await pipe.read_text()))
            tasks.cancel_scope.cancel()

        await ended(process)


async def test_nor_the_one_that_writes_beside_it(tmp_path: Path) -> None:
    pipe = anyio.Path(tmp_path / "pid")
    os.mkfifo(pipe)
    async with pool(opener=intake.OPENER, argument=str(tmp_path / "store")) as work:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, work, "add_without_end", str(pipe).encode())
            process = os.pidfd_open(int(await pipe.read_text()))
            tasks.cancel_scope.cancel()

        await ended(process)
    with Store.open(tmp_path / "store") as store:
        assert store.verify().sound


async def ended(process: int) -> None:
    with anyio.fail_after(10):
        await anyio.wait_readable(process)
    os.close(process)


async def test_a_job_that_needs_too_much_memory_is_refused_and_the_next_one_has_room() -> None:
    async with pool() as work:
        with pytest.raises(Rejected, match=r"hoard needed more than its limit of 200 MiB of memory"):
            await run(work, "hoard", memory=200 * MIB)

        assert await run(work, "echo", b"next") == b"next"


async def test_the_limit_of_one_job_is_not_the_limit_of_the_next() -> None:
    large = bytes(120 * MIB)
    async with pool() as work:
        await run(work, "echo", b"small", memory=80 * MIB)

        assert await run(work, "echo", large, memory=600 * MIB) == large


async def test_a_crash_is_rejected_naming_the_signal() -> None:
    async with pool() as work:
        with pytest.raises(Rejected, match="crashed \\(SIGSEGV\\)"):
            await run(work, "crash")

        assert await run(work, "echo", b"next") == b"next"


async def test_a_process_that_leaves_by_itself_is_a_bug_with_its_last_words() -> None:
    async with pool() as work:
        with pytest.raises(WorkerFailed, match=r"ended by itself:\ngoodbye"):
            await run(work, "leave")


async def test_an_error_of_the_tree_comes_back_as_its_own_class() -> None:
    special = importlib.import_module("jobs_of_tests").SpecialError
    async with pool() as work:
        with pytest.raises(special, match="no good at") as caught:
            await run(work, "stall")
        with pytest.raises(Transient, match="busy") as waited:
            await run(work, "be_told_to_wait")

    assert isinstance(caught.value, Misconfigured)
    assert (caught.value.reason, getattr(caught.value, "place", None)) == ("SpecialReason", ("spec", 0))
    assert waited.value.retry_after == 7.5


@pytest.mark.parametrize(("job", "words"), [("bug", "ZeroDivisionError: one of ours"), ("wrong_type", "not bytes")])
async def test_any_other_error_is_a_bug_with_its_traceback(job: str, words: str) -> None:
    async with pool() as work:
        with pytest.raises(WorkerFailed, match=words):
            await run(work, job)

        assert await run(work, "echo", b"next") == b"next"


async def test_an_answer_that_is_too_large_is_refused() -> None:
    async with pool() as work:
        with pytest.raises(GitopsdError, match="are more than"):
            await run(work, "too_large")


@pytest.mark.parametrize("job", ["os:system", "jobs_of_tests", "jobs_of_tests_evil:x", "gitopsd..x:y z", "x:y"])
async def test_a_job_outside_the_packages_is_refused_without_a_process(job: str) -> None:
    async with pool() as work:
        with pytest.raises(ValueError, match="is no job"):
            await work.run(job, b"", timeout=1)

        assert work.running == 0


async def test_what_a_job_prints_reaches_the_log_bounded_and_never_the_channel() -> None:
    seen = LogCapture()
    log = structlog.wrap_logger(None, processors=[seen])

    async with pool(log=log) as work:
        assert await run(work, "chat") == b"said"

    (entry,) = seen.entries
    assert entry["event"] == "worker process said"
    assert 1000 < len(entry["text"]) <= 16_384


async def test_the_intake_is_opened_in_the_worker() -> None:
    async with pool(opener="jobs_of_tests:open_intake", argument="/var/lib") as work:
        assert await run(work, "name_intake") == b"intake of /var/lib"


async def test_a_job_reads_the_store_of_the_daemon(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store") as store:
        (file,) = store.add([Content(data=b"hello")])
        async with pool(opener=intake.OPENER, argument=str(tmp_path / "store")) as work:
            assert await run(work, "read_blob", file.digest.encode()) == b"hello"
    assert file.digest == of_bytes(b"hello")


async def test_a_process_is_replaced_after_so_many_jobs() -> None:
    async with pool(Processes(count=1, max_jobs=2)) as work:
        pids = [await run(work, "pid") for _ in range(4)]

    assert pids[0] == pids[1] != pids[2] == pids[3]


async def test_a_process_that_keeps_much_memory_is_replaced() -> None:
    async with pool(Processes(count=1, retain=80 * MIB)) as work:
        assert await run(work, "keep_much") != await run(work, "pid")


async def test_an_idle_process_ends_by_itself() -> None:
    async with pool(Processes(count=1, idle=0.3)) as work:
        process = os.pidfd_open(int(await run(work, "pid")))

        await ended(process)


async def test_after_close_nothing_runs_any_more() -> None:
    async with pool() as work:
        await run(work, "echo")
        work.close()

        with pytest.raises(Transient, match="being stopped"):
            await run(work, "echo")
