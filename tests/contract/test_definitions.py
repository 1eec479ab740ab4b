"""Definitions that are refused, names that two of them want, and the rules of schemas that are made of other schemas."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from contract.wire import DEFINITIONS, MERGE, Json, Wire, definition

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

ROOT = "spec.validation.openAPIV3Schema"


def fresh() -> str:
    return f"d{uuid.uuid4().hex[:10]}.example.com"


def of(field: Json) -> Json:
    return {"type": "object", "properties": {"a": field}}


@pytest.mark.parametrize(
    ("schema", "causes"),
    [
        (of({}), [f"{ROOT}.properties[a].type"]),
        (of({"type": "text"}), [f"{ROOT}.properties[a].type"]),
        (of({"type": "array"}), [f"{ROOT}.properties[a].items"]),
        (of({"type": "string", "default": 3}), [f"{ROOT}.properties[a].default"]),
        (of({"type": "string", "pattern": "("}), [f"{ROOT}.properties[a].pattern"]),
        (of({**of({"type": "string"}), "additionalProperties": {"type": "string"}}), [f"{ROOT}.properties[a].additionalProperties"]),
        ({"properties": {}}, [f"{ROOT}.type"]),
        ({"type": "string"}, [f"{ROOT}.type"]),
    ],
)  # fmt: skip
async def test_a_schema_that_is_not_structural_is_refused(wire: Wire, schema: Json, causes: list[str]) -> None:
    heard = await wire.ask("POST", f"{DEFINITIONS}?dryRun=All", definition(fresh(), schema))
    assert (heard.status, heard.causes) == (422, causes)


async def test_a_kind_that_is_taken_is_not_established(wire: Wire) -> None:
    group = fresh()
    for plural in ("things", "others"):
        await wire.make(DEFINITIONS, definition(group, {"type": "object"}, plural))
        path = f"{DEFINITIONS}/{plural}.{group}"
        found = await wire.until(path, lambda heard: (heard.body.get("status") or {}).get("conditions"))
    conditions = {each["type"]: (each["status"], each["reason"]) for each in found["status"]["conditions"]}
    assert conditions == {"NamesAccepted": ("False", "ListKindConflict"), "Established": ("False", "NotAccepted")}
    assert found["status"]["acceptedNames"]["kind"] == ""
    assert (await wire.ask("GET", f"/apis/{group}/v1/others")).status == 404


either = [{"required": ["a"]}, {"required": ["b"]}]
PAIR = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
SPEC = {
    "type": "object",
    "properties": {
        "any": {**PAIR, "anyOf": either},
        "one": {**PAIR, "oneOf": either},
        "no": {"type": "string", "not": {"enum": ["bad"]}},
        "all": {"type": "integer", "allOf": [{"minimum": 2}, {"maximum": 5}]},
        "step": {"type": "integer", "multipleOf": 3},
        "above": {"type": "number", "minimum": 1, "exclusiveMinimum": True},
        "address": {"type": "string", "format": "ipv4"},
        "when": {"type": "string", "format": "date-time"},
        "maybe": {"type": "string", "nullable": True, "default": "x"},
    },
}


async def test_schemas_made_of_schemas_are_checked(wire: Wire) -> None:
    group = fresh()
    await wire.make(DEFINITIONS, definition(group, {"type": "object", "properties": {"spec": SPEC}}))
    await wire.until(f"/apis/{group}/v1/things", lambda heard: heard.status == 200)

    async def tried(**spec: Any) -> tuple[int, set[str]]:
        body = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec}
        heard = await wire.ask("POST", f"/apis/{group}/v1/things?dryRun=All", body)
        return heard.status, set(heard.causes)

    assert await tried(any={"a": "1"}, one={"b": "1"}, no="good", all=3, step=6, above=2) == (201, set())
    assert await tried(address="192.0.2.1", when="2026-01-01T00:00:00Z", maybe=None) == (201, set())
    assert await tried(any={}) == (422, {"<nil>", "spec.any.a"})
    assert await tried(one={"a": "1", "b": "1"}) == (422, {"<nil>"})
    assert await tried(no="bad") == (422, {"<nil>"})
    assert await tried(all=9) == (422, {"<nil>", "spec.all"})
    assert await tried(step=4) == (422, {"spec.step"})
    assert await tried(above=1) == (422, {"spec.above"})
    assert (await tried(address="x"))[0] == 422
    assert (await tried(when="never"))[0] == 422


async def test_what_was_accepted_before_stops_no_write_of_something_else(wire: Wire) -> None:
    group = fresh()
    text: Any = {"type": "string"}
    part = {"type": "object", "required": ["n"], "properties": {"n": text, "v": text}}
    parts = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"], "items": part}
    fields: Json = {
        "a": text,
        "b": text,
        "inner": {"type": "object", "properties": {"c": text, "d": text}},
        "parts": parts,
    }
    await wire.make(DEFINITIONS, definition(group, {"type": "object", "properties": fields}))
    things = f"/apis/{group}/v1/things"
    await wire.until(things, lambda heard: heard.status == 200)
    body = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "a"}}
    wrong = {"a": "long", "inner": {"c": "long"}, "parts": [{"n": "x", "v": "long"}, {"n": "y"}]}
    await wire.make(things, {**body, **wrong})
    short = {"type": "string", "maxLength": 2}
    part["properties"] = {"n": text, "v": short}
    inner = {"type": "object", "required": ["d"], "properties": {"c": short, "d": text}}
    strict = definition(group, {"type": "object", "properties": {**fields, "a": short, "inner": inner}})
    live = await wire.until(f"{DEFINITIONS}/things.{group}", lambda heard: heard.status == 200)
    heard = await wire.ask("PUT", f"{DEFINITIONS}/things.{group}", {**strict, "metadata": live["metadata"]})
    assert heard.status == 200
    new = {**body, "metadata": {"name": "new"}, "a": "long"}
    for _ in range(1000):
        if (await wire.ask("POST", f"{things}?dryRun=All", new)).status == 422:
            break

    async def changed(**more: Any) -> list[str]:
        return sorted((await wire.ask("PATCH", f"{things}/a?dryRun=All", more, kind=MERGE)).causes)

    assert await changed(b="other") == []
    assert await changed(a="longer") == ["a"]
    assert await changed(inner={"c": "longer"}) == ["inner.c", "inner.d"]
    assert await changed(inner={"e": "x"}) == []
    assert await changed(parts=[{"n": "y", "v": "1"}, {"n": "x", "v": "long"}]) == []
    assert await changed(parts=[{"n": "y", "v": "longer"}, {"n": "x", "v": "long"}]) == ["parts[0].v"]
