"""What a Git host says about its limits holds for every object, and many objects cost it little."""

from __future__ import annotations

import socket
from dataclasses import replace

import anyio
import anyio.lowlevel
import pytest
from fakes.git_server import http_server
from fakes.source_world import SlowSecrets

from gitopsd.plugin import GitopsdError, Transient
from gitopsd.plugin.hosts import AT_ONCE


@pytest.fixture
def server(repo):
    with http_server(repo.path) as running:
        yield running


async def _forty(world, intents):
    errors: list[GitopsdError] = []

    async def one(intent):
        try:
            await world.source.resolve(intent, world.ctx)
        except GitopsdError as error:
            errors.append(error)

    async with anyio.create_task_group() as tasks:
        for intent in intents:
            tasks.start_soon(one, intent)
    return errors


@pytest.fixture
def intents(read, server):
    """Forty objects that follow branches of their own."""
    return [read({"url": server.url, "ref": {"branch": f"b{number}"}}) for number in range(40)]


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [429, 503])
async def test_forty_objects_ask_a_failing_host_a_few_times(world, repo, server, intents, status):
    repo.commit({"a": "1"})
    server.behaviour.status, server.behaviour.headers = status, {"Retry-After": "30"}

    errors = await _forty(world, intents)
    errors += await _forty(world, intents)

    assert len(server.behaviour.requests) <= AT_ONCE
    assert len(errors) == 80
    assert all(isinstance(error, Transient) and error.retry_after >= 30 for error in errors)
    assert len({round(error.retry_after) for error in errors[-40:]}) >= 39


@pytest.mark.asyncio
async def test_host_that_is_not_there_is_tried_a_few_times(world, read):
    intents = [read({"url": "http://127.0.0.1:1/x", "ref": {"branch": f"b{number}"}}) for number in range(40)]

    errors = await _forty(world, intents)

    assert sum("cannot be reached" in str(error) for error in errors) <= AT_ONCE
    assert sum("is left alone" in str(error) for error in errors) >= 40 - AT_ONCE


@pytest.mark.asyncio
async def test_exhausted_limit_is_no_refusal_of_the_credentials(world, repo, server, intents):
    repo.commit({"a": "1"})
    server.behaviour.status = 403
    reset = int(world.ctx.now().timestamp()) + 120
    server.behaviour.headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(reset)}

    with pytest.raises(Transient) as caught:
        await world.source.resolve(intents[0], world.ctx)

    assert caught.value.retry_after == 120


@pytest.mark.asyncio
async def test_objects_that_ask_the_same_at_once_cost_one_poll_and_one_fetch(world, repo, read, server):
    repo.commit({"a": "1"})
    same = read({"url": server.url, "ref": {"branch": "main"}})
    revision = await world.source.resolve(same, world.ctx)
    server.behaviour.requests.clear()

    await _forty(world, [same] * 40)
    assert len(server.behaviour.requests) == 1
    server.behaviour.requests.clear()

    async with anyio.create_task_group() as tasks:
        for ignore in range(5):
            other = read({"url": server.url, "ref": {"branch": "main"}, "ignore": f"x{ignore}"})
            tasks.start_soon(world.source.fetch, other, revision, None, world.ctx)
    assert sum(method == "POST" for method, _, _ in server.behaviour.requests) == 2


@pytest.mark.asyncio
async def test_who_is_slow_to_read_its_credentials_shares_the_poll(world, repo, read, server):
    repo.commit({"a": "1"})
    server.behaviour.username, server.behaviour.password = "ada", "hush"
    world.secrets.data["login"] = {"username": b"ada", "password": b"hush"}
    same = read({"url": server.url, "ref": {"branch": "main"}, "secretRef": {"name": "login"}})
    slow = SlowSecrets(world.secrets)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(world.source.resolve, same, replace(world.ctx, credentials=slow))
        await anyio.lowlevel.checkpoint()
        await world.source.resolve(same, world.ctx)
        slow.others_answered.set()

    assert [method for method, _, _ in server.behaviour.requests] == ["GET", "POST"]


@pytest.mark.asyncio
async def test_error_names_each_object_once(world, repo, read, server):
    same = read({"url": server.url, "ref": {"branch": "gone"}})

    errors = await _forty(world, [same] * 5)

    assert {str(error).count("GitRepository/flux-system/app") for error in errors} == {1}


@pytest.mark.asyncio
async def test_silent_host_is_noticed_before_the_objects_own_time_is_over(world, read):
    """Otherwise each object would be cancelled by itself, and nobody would know that it was the host."""
    silent = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
    first, second = (read({"url": url, "timeout": "500ms", "ref": {"branch": name}}) for name in ("a", "b"))

    with silent, pytest.raises(Transient, match=r"no answer within 0\.4 s"):
        await world.source.resolve(first, world.ctx)
    with pytest.raises(Transient, match="is left alone"):
        await world.source.resolve(second, world.ctx)
