"""Reading at a version: of one object, of a list as it was, of a watch; and versions that are none, or not there yet."""

from __future__ import annotations

import pytest
from contract.wire import MERGE, Wire, config_map, config_maps

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

AHEAD = "9000000000"


async def changed(wire: Wire) -> tuple[str, str]:
    """The path of a collection, and its version before one object was changed, one removed and one made."""
    path = config_maps(await wire.namespace())
    await wire.make(path, config_map("changed", {"x": "1"}, labels={"own": "y"}))
    made = await wire.make(path, config_map("removed", labels={"own": "y"}))
    await wire.ask("PATCH", f"{path}/changed", {"data": {"x": "2"}}, MERGE)
    await wire.ask("DELETE", f"{path}/removed")
    await wire.make(path, config_map("new", labels={"own": "y"}))
    return path, made["metadata"]["resourceVersion"]


@pytest.mark.parametrize("how", ["resourceVersionMatch=Exact", "limit=10", "resourceVersionMatch=Exact&limit=10"])
async def test_a_list_at_an_exact_version_is_as_it_was(wire: Wire, how: str) -> None:
    path, version = await changed(wire)
    listed = (await wire.ask("GET", f"{path}?labelSelector=own&resourceVersion={version}&{how}")).body
    assert listed["metadata"]["resourceVersion"] == version
    assert {each["metadata"]["name"]: each.get("data") for each in listed["items"]} == {
        "changed": {"x": "1"},
        "removed": None,
    }


async def test_pages_go_on_at_the_exact_version(wire: Wire) -> None:
    path, version = await changed(wire)
    query = f"labelSelector=own&resourceVersion={version}&limit=1"
    first = (await wire.ask("GET", f"{path}?{query}")).body
    rest = (await wire.ask("GET", f"{path}?labelSelector=own&limit=1&continue={first['metadata']['continue']}")).body
    names = [each["metadata"]["name"] for each in (*first["items"], *rest["items"])]
    assert names == ["changed", "removed"]
    assert rest["metadata"]["resourceVersion"] == version


async def test_whoever_takes_any_version_gets_no_pages(wire: Wire) -> None:
    path, _ = await changed(wire)
    query = "labelSelector=own&resourceVersion=0&limit=1"
    listed = await wire.until(
        f"{path}?{query}", lambda heard: len(heard.body["items"]) == 2
    )  # any version: it may be old
    assert "continue" not in listed["metadata"]


@pytest.mark.parametrize("query", ["resourceVersion=1", "resourceVersion=0", "resourceVersionMatch=Exact"])
async def test_an_object_is_shown_as_it_is_now_whatever_past_version_is_asked_for(wire: Wire, query: str) -> None:
    path, _ = await changed(wire)
    heard = await wire.ask("GET", f"{path}/changed?{query}")
    assert (heard.status, heard.body["data"]) == (200, {"x": "2"})


@pytest.mark.parametrize("text", ["abc", "-1", "1.5", "18446744073709551616"])
async def test_a_version_that_is_none_is_told(wire: Wire, text: str) -> None:
    path = config_maps("default")
    why = "value out of range" if text.isdigit() else "invalid syntax"
    told = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": {why}'
    heard = await wire.ask("GET", f"{path}?resourceVersion={text}")
    assert (heard.status, heard.body["message"]) == (400, f"invalid resource version: {told}")
    for each in (f"{path}/nothing?", f"{path}?watch=1&"):
        heard = await wire.ask("GET", f"{each}resourceVersion={text}")
        assert (heard.status, heard.body["message"], heard.body.get("reason")) == (500, told, None)


@pytest.mark.parametrize("what", ["", "/default", "/nothing", "/nothing/status"])
async def test_a_version_that_is_not_there_yet_is_told(wire: Wire, what: str) -> None:
    heard = await wire.ask("GET", f"/api/v1/namespaces{what}?resourceVersion={AHEAD}")
    assert (heard.status, heard.body["reason"]) == (504, "Timeout")
    assert heard.body["message"].startswith(f"Timeout: Too large resource version: {AHEAD}, current: ")
    assert heard.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
