"""Numbers that their type cannot hold, by every way in; and what bodies say twice, or in vain."""

from __future__ import annotations

import json
from typing import Any

import pytest
import pytest_asyncio
from contract.wire import (
    APPLY,
    JSON_PATCH,
    MERGE,
    STRATEGIC,
    Heard,
    Wire,
    config_map,
    config_maps,
    deployment,
    deployments,
)

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

TOO_MUCH = ["2147483648", "-2147483649", "9223372036854775808"]
UNFIT = "json: cannot unmarshal number {} into Go struct field DeploymentSpec.spec.replicas of type int32"


@pytest_asyncio.fixture
async def path(wire: Wire) -> str:
    """A Deployment."""
    namespace = await wire.namespace()
    await wire.make(deployments(namespace), deployment("d"))
    return deployments(namespace, "d")


def manifest(replicas: str, **more: Any) -> str:
    return json.dumps(deployment("d", **more)).replace('"replicas": 0', f'"replicas": {replicas}')


async def said(wire: Wire, path: str, text: str, kind: str, options: str = "") -> Heard:
    """The answer to a dry run of a write, whose form says which."""
    method = "PUT" if kind in ("application/json", "application/yaml") else "PATCH"
    manager = "&fieldManager=m&force=true" if kind == APPLY else ""
    return await wire.ask(method, f"{path}?dryRun=All{manager}{options}", text, kind)


class TestNumbers:
    @pytest.mark.parametrize("kind", ["application/json", "application/yaml"])
    @pytest.mark.parametrize("number", TOO_MUCH)
    async def test_a_document_with_one_too_large_is_refused(
        self, wire: Wire, path: str, kind: str, number: str
    ) -> None:
        heard = await said(wire, path, manifest(number), kind)
        assert (heard.status, heard.body["message"].partition("json: ")[2]) == (400, UNFIT.format(number)[6:])

    @pytest.mark.parametrize("kind", [MERGE, JSON_PATCH])
    @pytest.mark.parametrize("number", [*TOO_MUCH, "1.0"])
    async def test_so_is_a_patch_of_json(self, wire: Wire, path: str, kind: str, number: str) -> None:
        text = '{"spec":{"replicas":%s}}' if kind == MERGE else '[{"op":"add","path":"/spec/replicas","value":%s}]'
        heard = await said(wire, path, text % number, kind)
        assert (heard.status, heard.causes) == (422, ["patch"])
        assert heard.body["message"].endswith(UNFIT.format(number))

    @pytest.mark.parametrize("kind", [STRATEGIC, APPLY])
    @pytest.mark.parametrize(
        ("number", "kept"), [("-2147483649", 2147483647), ("9223372036854775808", 0), ("1e30", 0), ("3.0", 3)]
    )
    async def test_where_types_are_converted_it_is_cut(
        self, wire: Wire, path: str, kind: str, number: str, kept: int
    ) -> None:
        heard = await said(wire, path, manifest(number), kind)
        assert (heard.status, heard.body["spec"].get("replicas")) == (200, kept)

    @pytest.mark.parametrize("kind", [STRATEGIC, APPLY])
    async def test_rules_judge_what_is_left_of_it(self, wire: Wire, path: str, kind: str) -> None:
        heard = await said(wire, path, manifest("3000000000"), kind)
        assert (heard.status, heard.causes) == (422, ["spec.replicas"])
        assert "Invalid value: -1294967296: must be" in heard.body["message"]

    async def test_json_has_integers_and_yaml_makes_some(self, wire: Wire, path: str) -> None:
        heard = await said(wire, path, manifest("1.0"), "application/json")
        assert (heard.status, UNFIT.format("1.0") in heard.body["message"]) == (400, True)
        heard = await said(wire, path, manifest("1.0"), "application/yaml")
        assert (heard.status, heard.body["spec"]["replicas"]) == (200, 1)

    async def test_numbers_that_may_be_names_too(self, wire: Wire) -> None:
        where = f"/api/v1/namespaces/{await wire.namespace()}/services"
        body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
        await wire.make(where, body)
        patch = '{"spec":{"ports":[{"port":80,"targetPort":%s}]}}'
        heard = await said(wire, f"{where}/s", patch % "3000000000", MERGE)
        why = "json: cannot unmarshal number 3000000000 into Go struct field ServicePort.spec.ports.targetPort of type int32"
        assert (heard.status, heard.body["message"].endswith(why)) == (422, True)
        heard = await said(wire, f"{where}/s", patch % "3000000000", STRATEGIC)
        why = "json: cannot unmarshal number 3000000000 into Go value of type int32"
        assert (heard.status, heard.body["message"].endswith(why)) == (422, True)
        heard = await said(wire, f"{where}/s", patch % "81.0", STRATEGIC)
        assert (heard.status, heard.body["spec"]["ports"][0]["targetPort"]) == (200, 81)


TWICE = '{"data":{"x":"1","x":"2"},"foo":1}'
OPERATIONS = '[{"op":"add","op":"add","path":"/data","value":{"a":"1"}},{"op":"add","path":"/foo","value":1,"bar":1}]'
OBJECT = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","name":"a"},"data":{"x":"1","x":"2"},"foo":1}'
ODD = [
    (TWICE, MERGE, ['duplicate field "data.x"', 'unknown field "foo"']),
    (TWICE, STRATEGIC, ['duplicate field "data.x"', 'unknown field "foo"']),
    (
        OBJECT,
        "application/json",
        ['duplicate field "data.x"', 'duplicate field "metadata.name"', 'unknown field "foo"'],
    ),
    (
        OPERATIONS,
        JSON_PATCH,
        ['json patch duplicate field "[0].op"', 'json patch unknown field "[1].bar"', 'unknown field "foo"'],
    ),
]


@pytest.mark.parametrize(("text", "kind", "told"), ODD, ids=["merge", "strategic", "update", "json patch"])
async def test_what_is_said_twice_or_in_vain_is_told_as_it_is_wanted(
    wire: Wire, text: str, kind: str, told: list[str]
) -> None:
    namespace = await wire.namespace()
    await wire.make(config_maps(namespace), config_map("a", {"z": "1"}))
    where = config_maps(namespace, "a")
    strict = await said(wire, where, text, kind, "&fieldValidation=Strict")
    assert strict.status == (400 if kind == "application/json" else 422)
    assert sorted(strict.body["message"].partition("strict decoding error: ")[2].split(", ")) == told
    for word in ("Warn", ""):
        heard = await said(wire, where, text, kind, f"&fieldValidation={word}")
        quoted = [json.dumps(each) for each in told]
        assert (heard.status, sorted(each.removeprefix("299 - ") for each in heard.warnings)) == (200, quoted)
    heard = await said(wire, where, text, kind, "&fieldValidation=Ignore")
    assert (heard.status, heard.warnings) == (200, ())
