"""Server-side applies to `scale`: who owns the number of replicas afterwards, and what is refused."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import pytest_asyncio
from contract.wire import APPLY, DEFINITIONS, Heard, Json, Wire, definition, deployment, deployments, managers

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

CONFLICT = 'Apply failed with 1 conflict: conflict with "{}": .spec.replicas'


@pytest_asyncio.fixture
async def path(wire: Wire) -> str:
    """A Deployment with one replica, which the manager `owner` applied."""
    path = deployments(await wire.namespace(), "d")
    body = deployment("d", replicas=1)
    assert (await wire.ask("PATCH", f"{path}?fieldManager=owner", body, APPLY)).status == 201
    return path


@pytest_asyncio.fixture
async def custom(wire: Wire) -> str:
    """An object of another kind, alike."""
    group = f"g{uuid.uuid4().hex[:8]}.example"
    paths = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}
    open_map = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": open_map, "status": open_map}}
    await wire.make(DEFINITIONS, definition(group, schema, subresources={"scale": paths}))
    await wire.until(f"/apis/{group}/v1/things", lambda heard: heard.status == 200)
    body = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "d"}, "spec": {"size": 1}}
    path = f"/apis/{group}/v1/things/d"
    assert (await wire.ask("PATCH", f"{path}?fieldManager=owner", body, APPLY)).status == 201
    return path


async def scaled(wire: Wire, path: str, replicas: int | None, manager: str, options: str = "", **more: Any) -> Heard:
    body = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d"}, **more}
    spec = {} if replicas is None else {"spec": {"replicas": replicas}}
    return await wire.ask("PATCH", f"{path}/scale?fieldManager={manager}{options}", body | spec, APPLY)


async def seen(wire: Wire, path: str) -> tuple[int | None, list[tuple[str, str, str]]]:
    """The number of replicas, and who owns it."""
    body = (await wire.ask("GET", path)).body
    field = "size" if "/things/" in path else "replicas"
    entries: list[Json] = body["metadata"].get("managedFields", [])
    owning = [each for each in entries if f"f:{field}" in each["fieldsV1"].get("f:spec", {})]
    assert all(each["apiVersion"] == body["apiVersion"] for each in owning)
    return body["spec"].get(field), sorted(managers({"metadata": {"managedFields": owning}}))


OWNER = ("owner", "Apply", "")


def scaler(name: str) -> tuple[str, str, str]:
    return (name, "Apply", "scale")


async def test_a_scaler_shares_the_number_and_takes_it_by_force(wire: Wire, path: str) -> None:
    assert (await scaled(wire, path, 1, "one")).body["spec"] == {"replicas": 1}
    assert await seen(wire, path) == (1, [scaler("one"), OWNER])
    heard = await scaled(wire, path, 3, "one")
    assert (heard.status, heard.body["message"]) == (409, CONFLICT.format("owner"))
    assert (await scaled(wire, path, 3, "one", "&force=true")).body["spec"] == {"replicas": 3}
    assert await seen(wire, path) == (3, [scaler("one")])
    heard = await scaled(wire, path, 4, "two")
    conflict = CONFLICT.format("one").replace(": .spec", ' with subresource "scale": .spec')
    assert (heard.status, heard.body["message"]) == (409, conflict)
    assert (await scaled(wire, path, 4, "one")).status == 200
    assert await seen(wire, path) == (4, [scaler("one")])


async def test_applying_the_same_again_changes_nothing(wire: Wire, path: str) -> None:
    await scaled(wire, path, 2, "one", "&force=true")
    before = (await wire.ask("GET", path)).body["metadata"]
    await scaled(wire, path, 2, "one")
    after = (await wire.ask("GET", path)).body["metadata"]
    assert after["generation"] == before["generation"]
    assert await seen(wire, path) == (2, [scaler("one")])


async def test_who_no_longer_states_the_number_gives_it_up(wire: Wire, path: str) -> None:
    await scaled(wire, path, 2, "one", "&force=true")
    await scaled(wire, path, 2, "two")
    assert (await scaled(wire, path, None, "one")).body["spec"] == {"replicas": 2}
    assert await seen(wire, path) == (2, [scaler("two")])
    assert (await scaled(wire, path, None, "two")).body["spec"] == {}
    assert await seen(wire, path) == (0, [])


async def test_a_dry_run_changes_nothing(wire: Wire, path: str) -> None:
    heard = await scaled(wire, path, 7, "one", "&force=true&dryRun=All")
    assert (heard.status, heard.body["spec"]) == (200, {"replicas": 7})
    assert await seen(wire, path) == (1, [OWNER])


async def test_an_update_of_the_scale_takes_it_from_those_who_applied_it(wire: Wire, path: str) -> None:
    await scaled(wire, path, 2, "one", "&force=true")
    body: Json = {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 5}}
    body["metadata"] = {"name": "d", "namespace": path.split("/")[5]}
    assert (await wire.ask("PUT", f"{path}/scale?fieldManager=two", body)).status == 200
    assert await seen(wire, path) == (5, [("two", "Update", "scale")])


async def test_what_is_no_scale_is_refused(wire: Wire, path: str) -> None:
    async def refused(replicas: int = 2, **more: Any) -> tuple[int, str]:
        heard = await scaled(wire, path, replicas, "one", "&force=true", **more)
        return heard.status, heard.body["message"]

    assert await refused(kind="Deployment") == (400, "invalid object type: autoscaling/v1, Kind=Deployment")
    assert await refused(apiVersion="apps/v1") == (400, "invalid object type: apps/v1, Kind=Scale")
    undeclared = (
        "failed to create typed patch object (/d; autoscaling/v1, Kind=Scale): .foo: field not declared in schema"
    )
    assert await refused(foo=1) == (500, undeclared)
    other = "the name of the object (e) does not match the name on the URL (d)"
    assert await refused(metadata={"name": "e"}) == (400, other)
    assert await refused(metadata={"name": "d", "managedFields": []}) == (400, "metadata.managedFields must be nil")
    status, _ = await refused(metadata={"name": "d", "resourceVersion": "1"})
    assert status == 409
    status, message = await refused(metadata={"name": "d", "uid": "other"})
    assert (status, "Precondition failed: UID in precondition: other, UID in object meta: " in message) == (409, True)
    status, message = await refused(-1)
    assert (status, "spec.replicas: Invalid value: -1: must be" in message) == (422, True)
    assert await seen(wire, path) == (1, [OWNER])


async def test_the_number_of_a_custom_resource_can_be_shared_and_not_changed(wire: Wire, custom: str) -> None:
    assert (await scaled(wire, custom, 1, "one")).body["spec"] == {"replicas": 1}
    assert await seen(wire, custom) == (1, [scaler("one"), OWNER])
    assert (await scaled(wire, custom, 3, "one")).body["message"] == CONFLICT.format("owner")
    heard = await scaled(wire, custom, 3, "one", "&force=true")
    why = "to proper version: request to convert CR to an invalid group/version: autoscaling/v1"
    told = f"failed to convert new object (/d; autoscaling/v1, Kind=Scale) {why}"
    assert (heard.status, heard.body["message"]) == (500, told)
    assert await seen(wire, custom) == (1, [scaler("one"), OWNER])
