"""The server over HTTP: tokens, watches, faults, the journal, TLS, and what a restart keeps."""

from __future__ import annotations

import asyncio
import io
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from in_process import APPLY, CM, config_map

from gitopsd_plugins.sandbox.faults import Fault
from gitopsd_plugins.sandbox.server import Running, serve

pytestmark = pytest.mark.asyncio

Json = dict[str, Any]


async def apply(session: aiohttp.ClientSession, name: str, data: Json, more: str = "") -> Json:
    body = json.dumps(config_map(name, data))
    headers = {"Content-Type": APPLY}
    async with session.patch(f"{CM}/{name}?fieldManager=one&force=true{more}", data=body, headers=headers) as response:
        assert response.status in (200, 201), await response.text()
        answer: Json = await response.json()
        return answer


async def lines(response: aiohttp.ClientResponse) -> AsyncIterator[Json]:
    async for line in response.content:
        yield json.loads(line)


async def next_event(events: AsyncIterator[Json]) -> tuple[str, str]:
    event = await asyncio.wait_for(anext(events), 5)
    return event["type"], event["object"]["metadata"].get("name", "")


async def test_every_path_but_the_probes_needs_the_token(sandbox: Running) -> None:
    async with aiohttp.ClientSession(sandbox.url) as stranger:
        for path in ("/healthz", "/livez", "/readyz"):
            assert (await stranger.get(path)).status == 200
        for path in ("/version", "/api", "/apis", CM, "/openapi/v3", "/nothing"):
            assert (await stranger.get(path)).status == 401
        assert (await stranger.get(CM, headers={"Authorization": "Bearer wrong"})).status == 401


async def test_a_watch_shows_writes_in_order(sandbox: Running, session: aiohttp.ClientSession) -> None:
    version = sandbox.cluster.store.version
    async with session.get(f"{CM}?watch=1&resourceVersion={version}&fieldSelector=metadata.name%3Da") as response:
        events = lines(response)
        await apply(session, "a", {"x": "1"})
        await apply(session, "a", {"x": "1"})
        await apply(session, "a", {"x": "2"})
        await session.delete(f"{CM}/a")
        shown = [await next_event(events) for _ in range(3)]
    assert shown == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


async def test_a_watch_from_an_older_version_catches_up(sandbox: Running, session: aiohttp.ClientSession) -> None:
    version = sandbox.cluster.store.version
    await apply(session, "a", {"x": "1"})
    await apply(session, "b", {"x": "1"})
    async with session.get(f"{CM}?watch=1&resourceVersion={version}&labelSelector=!missing") as response:
        events = lines(response)
        assert [await next_event(events) for _ in range(2)] == [("ADDED", "a"), ("ADDED", "b")]


async def test_an_object_that_stops_matching_is_deleted_for_the_watch(
    sandbox: Running, session: aiohttp.ClientSession
) -> None:
    version = sandbox.cluster.store.version
    async with session.get(f"{CM}?watch=1&resourceVersion={version}&labelSelector=mine%3Dyes") as response:
        events = lines(response)
        await session.post(CM, json=config_map("a", labels={"mine": "yes"}))
        await session.patch(
            f"{CM}/a",
            json={"metadata": {"labels": {"mine": "no"}}},
            headers={"Content-Type": "application/merge-patch+json"},
        )
        assert [await next_event(events) for _ in range(2)] == [("ADDED", "a"), ("DELETED", "a")]


async def test_a_watch_from_a_forgotten_version_is_410_inside_a_200(
    sandbox: Running, session: aiohttp.ClientSession
) -> None:
    await apply(session, "a", {})
    sandbox.compact()
    async with session.get(f"{CM}?watch=1&resourceVersion=2") as response:
        assert response.status == 200
        event = json.loads(await response.content.readline())
        assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
        assert await response.content.read() == b""


async def test_initial_events_end_with_a_bookmark(session: aiohttp.ClientSession) -> None:
    await apply(session, "a", {})
    query = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    async with session.get(f"{CM}?{query}&fieldSelector=metadata.name%3Da") as response:
        events = lines(response)
        assert await next_event(events) == ("ADDED", "a")
        bookmark = await anext(events)
    assert bookmark["type"] == "BOOKMARK"
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_watches_can_be_cut(sandbox: Running, session: aiohttp.ClientSession) -> None:
    async with session.get(f"{CM}?watch=1&resourceVersion={sandbox.cluster.store.version}") as response:
        sandbox.cut_watches()
        assert await asyncio.wait_for(response.content.read(), 5) == b""
    await asyncio.sleep(0)
    assert sandbox.cluster.watchers.count() == 0


async def test_a_fault_answers_and_is_used_up(sandbox: Running, session: aiohttp.ClientSession) -> None:
    sandbox.faults.add(Fault(method="GET", path=CM, times=2, status=429, retry_after=3))
    assert (await session.get("/version")).status == 200
    refused = await session.get(CM)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "3")
    assert (await session.get(CM)).status == 429
    assert (await session.get(CM)).status == 200


async def test_a_fault_can_drop_the_connection_and_hang(sandbox: Running, session: aiohttp.ClientSession) -> None:
    sandbox.faults.add(Fault(effect="drop", method="POST"))
    with pytest.raises(aiohttp.ClientError):
        await session.post(CM, json=config_map("a"))
    sandbox.faults.add(Fault(effect="hang", path=CM))
    with pytest.raises(TimeoutError):
        await session.get(CM, timeout=aiohttp.ClientTimeout(total=0.05))


async def test_a_fault_meets_the_requests_about_one_kind(sandbox: Running, session: aiohttp.ClientSession) -> None:
    sandbox.faults.add(Fault(resource="deployments.apps", status=503, times=-1))
    for path in ("/apis/apps/v1/deployments", "/apis/apps/v1/namespaces/default/deployments/a/scale"):
        assert (await session.get(path)).status == 503
    for path in (CM, "/apis/apps/v1/replicasets", "/api/v1/namespaces/default", "/apis/apps/v1"):
        assert (await session.get(path)).status == 200
    sandbox.faults.clear()
    sandbox.faults.add(Fault(resource="namespaces", status=503))
    assert (await session.get("/api/v1/namespaces/default")).status == 503


async def test_a_fault_can_only_delay(sandbox: Running, session: aiohttp.ClientSession) -> None:
    sandbox.faults.add(Fault(effect="pass", resource="configmaps", delay=0.05))
    with pytest.raises(TimeoutError):
        await session.get(CM, timeout=aiohttp.ClientTimeout(total=0.01))
    sandbox.faults.add(Fault(effect="pass", resource="configmaps", delay=0.01))
    assert (await session.get(CM)).status == 200


async def test_the_watches_of_one_kind_can_be_cut(sandbox: Running, session: aiohttp.ClientSession) -> None:
    version = sandbox.cluster.store.version
    async with (
        session.get(f"{CM}?watch=1&resourceVersion={version}") as cut,
        session.get(f"/api/v1/namespaces/default/secrets?watch=1&resourceVersion={version}"),
    ):
        sandbox.cut_watches("", "configmaps")
        assert await asyncio.wait_for(cut.content.read(), 5) == b""
        assert sandbox.cluster.watchers.count() >= 1


async def test_a_reset_leaves_a_new_cluster_at_the_same_place(sandbox: Running, session: aiohttp.ClientSession) -> None:
    await apply(session, "a", {})
    version, token = sandbox.cluster.store.version, sandbox.token_for("jane")
    async with session.get(f"{CM}?watch=1&resourceVersion={version}") as watch:
        sandbox.reset()
        assert await asyncio.wait_for(watch.content.read(), 5) == b""
    assert (await session.get(f"{CM}/a")).status == 404
    assert (await session.get("/api/v1/namespaces/default")).status == 200
    assert sandbox.cluster.store.version > version
    headers = {"Authorization": f"Bearer {token}"}
    assert (await session.get(CM, headers=headers)).status == 401
    async with session.get(f"{CM}?watch=1&resourceVersion={version}") as watch:
        event = json.loads(await watch.content.readline())
        assert event["object"]["code"] == 410


async def test_a_fault_can_cut_a_watch_after_what_it_has(sandbox: Running, session: aiohttp.ClientSession) -> None:
    await apply(session, "a", {})
    sandbox.faults.add(Fault(effect="cut", method="GET", path=CM))
    async with session.get(f"{CM}?watch=1") as response:
        assert b'"ADDED"' in await asyncio.wait_for(response.content.read(), 5)


async def test_the_journal_knows_every_request(sandbox: Running, session: aiohttp.ClientSession) -> None:
    await apply(session, "a", {}, more="&dryRun=All")
    await session.get(CM, headers={"Impersonate-User": "jane"})
    [patch] = sandbox.journal.requests("PATCH")
    assert (patch.path, patch.query["dryRun"], patch.user) == (f"{CM}/a", "All", "sandbox-admin")
    assert [each.user for each in sandbox.journal.requests("GET", CM)] == ["jane"]
    assert sandbox.journal.requests("DELETE") == []
    assert sandbox.journal.total == 2


async def test_unknown_fields_are_warned_about_in_a_header(session: aiohttp.ClientSession) -> None:
    response = await session.post(CM, json={**config_map("a"), "extra": 1})
    assert response.headers["Warning"] == '299 - "unknown field \\"extra\\""'


async def test_bodies_have_the_api_servers_limit(session: aiohttp.ClientSession) -> None:
    async def post(size: int) -> tuple[int, str]:
        body = io.BytesIO(json.dumps(config_map(f"m{size}", {"x": "y" * size})).encode())
        async with session.post(CM, data=body, headers={"Content-Type": "application/json"}) as response:
            return response.status, (await response.json()).get("reason", "")

    assert await post(900_000) == (201, "")
    assert await post(1_200_000) == (422, "Invalid")
    assert await post(3_200_000) == (413, "RequestEntityTooLarge")


async def test_tls_is_trusted_by_its_own_authority_only() -> None:
    async with serve(tls=True) as secure:
        trusted = ssl.create_default_context(cadata=secure.authority)
        headers = {"Authorization": f"Bearer {secure.token}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            response = await session.get(f"{secure.url}/version", ssl=trusted)
            assert (await response.json())["major"] == "1"
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.get(f"{secure.url}/version")


async def test_the_kubeconfig_names_server_token_and_authority() -> None:
    async with serve(tls=True) as secure:
        config = json.loads(secure.kubeconfig())
    assert config["current-context"] == "sandbox"
    assert config["clusters"][0]["cluster"]["server"] == secure.url
    assert config["clusters"][0]["cluster"]["certificate-authority-data"]
    assert config["users"][0]["user"] == {"token": secure.token}


async def test_many_writers_at_once_lose_nothing(sandbox: Running, session: aiohttp.ClientSession) -> None:
    await asyncio.gather(*(apply(session, f"m-{index % 50}", {"x": str(index)}) for index in range(200)))
    names = [key[1] for key in sandbox.cluster.store.objects["", "configmaps"] if key[1].startswith("m-")]
    assert len(names) == 50
    versions = [event.version for event in sandbox.cluster.store.events]
    assert versions == sorted(set(versions))
