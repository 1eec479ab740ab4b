"""The Git source with real worker processes: orders, trees and errors cross the pipe whole."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import pytest
import structlog
from fakes.git_server import Behaviour, http_server

from gitopsd.plugin import Rejected
from gitopsd.runtime.pool import intake
from gitopsd.runtime.pool.processes import Processes, WorkerPool


@asynccontextmanager
async def _pool(world):
    async with anyio.create_task_group() as tasks:
        work = WorkerPool(
            tasks,
            Processes(count=1),
            packages=["gitopsd", "gitopsd_plugins"],
            log=structlog.get_logger(),
            opener=intake.OPENER,
            argument=str(world.store.path),
        )
        world.ctx = replace(world.ctx, work=work)
        try:
            yield
        finally:
            work.close()


@pytest.mark.asyncio
async def test_tree_and_error_cross_the_process_boundary(world, repo, read, contents):
    repo.commit({"a.yaml": "a: 1\n"})
    world.secrets.data["token"] = {"username": b"ada", "password": b"hush"}
    with http_server(repo.path, Behaviour(username="ada", password="hush")) as server:
        async with _pool(world):
            intent = read({"url": server.url, "ref": {"branch": "main"}, "secretRef": {"name": "token"}})
            revision, stored = await world.sync(intent)
            world.secrets.data["token"] = {"username": b"ada", "password": b"wrong"}
            with pytest.raises(Rejected) as caught:
                await world.source.fetch(intent, replace(revision, digest="sha1:" + "b" * 40), None, world.ctx)

    assert contents(world.store, stored.tree) == {"a.yaml": b"a: 1\n"}
    assert (type(caught.value), caught.value.reason) == (Rejected, "AuthenticationFailed")
    expected = f"GitRepository/flux-system/app: {server.url} refused the credentials (401); check spec.secretRef"
    assert str(caught.value) == expected


@pytest.mark.asyncio
async def test_missing_commit_of_a_folder_is_named_across_it_too(world, repo, read):
    repo.commit({"a.yaml": "a: 1\n"})
    async with _pool(world):
        with pytest.raises(Rejected, match="not found at file://"):
            await world.sync(read({"url": repo.url, "ref": {"commit": "d" * 40}}))
