"""What a line of the log names, and what it never shows: a real engine, its lines read back."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import anyio
import pytest
import pytest_asyncio
from fakes.git_repository import GitRepository
from fakes.git_server import Behaviour, http_server
from fakes.world import World, kustomization, maps, repository

from gitopsd.daemon import compose, serve
from gitopsd.daemon.compose import Mode
from gitopsd.daemon.masked import MaskedCredentials
from gitopsd.model.masking import Secrets
from gitopsd.runtime import log
from gitopsd.runtime.engine import Engine
from gitopsd_plugins.sandbox.cluster import Settings
from gitopsd_plugins.sandbox.server import serve as sandbox

pytestmark = pytest.mark.asyncio
PASSWORD = "a-password-nobody-may-read"
SECRET = f"""
apiVersion: v1
kind: Secret
metadata: {{name: token, namespace: flux-system}}
stringData: {{username: ada, password: {PASSWORD}}}
"""


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with sandbox(settings=Settings(settling=0.01)) as running, aiohttp.ClientSession() as http:
        yield World(folder=tmp_path, running=running, http=http, repository=GitRepository(tmp_path / "repo.git"))


async def lines(world: World) -> Sequence[Mapping[str, object]]:
    """Everything that one run of all objects logs, debug lines included."""
    stream, secrets = io.StringIO(), Secrets()
    logger = log.make(stream, json=True, secrets=secrets, level=logging.DEBUG)

    async def body(engine: Engine) -> None:
        with anyio.fail_after(20):
            await engine.once()

    mode = Mode(watch=True, log=logger, secrets=secrets)
    await compose.engaged(world.load(), mode, body, on_outcome=lambda outcome: serve._logged(outcome, logger))
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_every_line_of_an_attempt_names_object_cluster_and_revision(world: World) -> None:
    head = world.repository.commit(maps("app", "a"))
    world.declare(kustomization("app"))
    said = [line for line in await lines(world) if line.get("object") == "Kustomization/flux-system/app"]
    assert said[0]["event"] == "looking"
    assert said[0]["because"] == ["new revision"]
    assert {line["cluster"] for line in said} == {"test"}
    assert {line["revision"] for line in said} == {f"main@sha1:{head}"}


async def test_a_child_s_lines_do_not_name_its_parent_s_revision(world: World) -> None:
    child = kustomization("child", "sourceRef: {kind: GitRepository, name: missing}")
    world.repository.commit({"parent/child.yaml": child})
    world.declare(kustomization("parent"))
    said = [line for line in await lines(world) if line.get("object") == "Kustomization/flux-system/child"]
    assert said
    assert all("revision" not in line for line in said)


async def test_a_secret_that_a_source_used_is_in_no_line_even_where_the_other_side_says_it_back(world: World) -> None:
    world.repository.commit(maps("app", "a"))
    behaviour = Behaviour(status=403, body=f"ada:{PASSWORD} may not".encode(), kind="text/plain")
    with http_server(world.repository.path, behaviour) as server:
        source = repository(server.url, "ref: {branch: main}", "secretRef: {name: token}")
        world.declare(SECRET, kustomization("app"), source=source)
        said = await lines(world)
    assert behaviour.requests
    assert behaviour.requests[0][2].startswith("Basic ")
    assert any(line.get("object") == "GitRepository/flux-system/repo" for line in said)
    assert PASSWORD not in json.dumps(said)


async def test_what_is_read_as_a_secret_is_masked_from_then_on_and_configuration_is_not() -> None:
    class Credentials:
        async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
            return {"password": PASSWORD.encode()}

        async def config(self, namespace: str, name: str) -> Mapping[str, bytes]:
            return {"region": b"somewhere-far-away"}

    stream, secrets = io.StringIO(), Secrets()
    logger = log.make(stream, json=True, secrets=secrets)
    credentials = MaskedCredentials(Credentials(), secrets)
    password = (await credentials.secret("a", "b"))["password"]
    region = (await credentials.config("a", "c"))["region"]

    logger.warning(
        "refused", text=f"no {password.decode()}", header=password, region=region.decode(), at=datetime.now(UTC)
    )

    assert PASSWORD not in stream.getvalue()
    assert "somewhere-far-away" in stream.getvalue()
