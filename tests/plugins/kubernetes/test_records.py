"""Inventories against a cluster that fails in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from gitopsd.plugin import Access, Actor, Context, Rejected
from gitopsd.plugin.conformance.scene import APP, OTHER, actor, inventory_of
from gitopsd_plugins.kubernetes import codec
from gitopsd_plugins.kubernetes.client import Client
from gitopsd_plugins.kubernetes.records import Records
from gitopsd_plugins.sandbox.faults import Fault
from gitopsd_plugins.sandbox.server import Running

pytestmark = pytest.mark.asyncio

LARGE, LARGER = 25_000, 26_000


@pytest.fixture
def who() -> Actor:
    return actor()


@pytest_asyncio.fixture
async def client(access: Access, ctx: Context, who: Actor) -> AsyncIterator[Client]:
    async with Client(access, who, ctx) as opened:
        yield opened


def _path(who: Actor, name: str = "") -> str:
    collection = f"/api/v1/namespaces/{who.namespace}/configmaps"
    return f"{collection}/{name}" if name else collection


async def _names(client: Client, who: Actor) -> set[str]:
    selector = {"labelSelector": f"gitopsd.io/instance={who.instance}"}
    return {item["metadata"]["name"] for item in (await client.get(_path(who), selector)).body["items"]}


async def test_dying_between_parts_and_head_leaves_the_old_record_whole(
    cluster: Running, client: Client, who: Actor
) -> None:
    old = await Records(client, who).write(inventory_of("c", LARGE))
    cluster.faults.add(Fault(method="PUT", path=_path(who), status=500))
    with pytest.raises(Rejected, match="could not be written"):
        await Records(client, who).write(replace(inventory_of("c", LARGER), token=old.token))
    again = Records(client, who)
    assert await again.read_all() == (old,)
    small = await again.write(replace(inventory_of("c", 1), token=old.token))
    assert await again.read(APP) == small
    assert await _names(client, who) == {codec.name(who.instance, APP)}  # the parts of both are gone


async def test_a_first_write_makes_its_namespace_and_costs_three_requests(
    cluster: Running, client: Client, who: Actor
) -> None:
    await Records(client, who).write(inventory_of("c", 1))
    assert [request.method for request in cluster.journal.requests()] == ["POST", "POST", "POST"]
    cluster.journal.clear()
    await Records(client, who).write(replace(inventory_of("c", 1), app=OTHER))
    assert [request.method for request in cluster.journal.requests()] == ["POST"]


async def test_a_missing_part_is_an_error_and_not_a_smaller_inventory(client: Client, who: Actor) -> None:
    await Records(client, who).write(inventory_of("c", LARGE))
    [part, *_] = sorted(name for name in await _names(client, who) if name != codec.name(who.instance, APP))
    await client.send("DELETE", _path(who, part))
    for read in (lambda: Records(client, who).read(APP), Records(client, who).read_all):
        with pytest.raises(Rejected, match="damaged"):
            await read()


async def test_a_copied_record_is_not_taken_for_another_apps(client: Client, who: Actor) -> None:
    await Records(client, who).write(inventory_of("c", 1))
    body = dict((await client.get(_path(who, codec.name(who.instance, APP)))).body)
    body["metadata"] = {"name": codec.name(who.instance, OTHER)}
    assert (await client.send("POST", _path(who), body=body)).ok
    with pytest.raises(Rejected, match="was it copied"):
        await Records(client, who).read(OTHER)


async def test_a_namespace_that_is_not_there_holds_no_records(client: Client, who: Actor) -> None:
    assert await Records(client, who).read_all() == ()
