"""Requests that nobody means well: refused with the same status by both servers, always with a `Status` in the body."""

from __future__ import annotations

from typing import Any

import pytest
from contract.wire import APPLY, MERGE, Json, Wire, config_map, config_maps, deployment, deployments

from gitopsd.plugin import yaml

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
DEEP = "[" * 50_000
CASES: list[tuple[str, str, Any, str, int]] = [
    ("POST", config_maps("default"), {**config_map("a"), "apiVersion": []}, "application/json", 400),
    ("POST", config_maps("default"), {**config_map("a"), "kind": {"a": 1}}, "application/json", 400),
    ("POST", config_maps("default"), DEEP, "application/json", 400),
    ("POST", config_maps("default"), '{"a":' * 5_000, "application/json", 400),
    ("PATCH", config_maps("default", "a") + "?fieldManager=m", DEEP, APPLY, 400),
    ("PATCH", config_maps("default", "..") + "?fieldManager=m", config_map(".."), APPLY, 400),
    ("PATCH", config_maps("default", "a") + "?fieldManager=" + "m" * 200, config_map("a"), APPLY, 422),
    ("PATCH", config_maps("default", "kube-root-ca.crt") + "?dryRun=", {}, MERGE, 422),
    ("PATCH", f"{REVIEWS}/a", {}, MERGE, 404),
    ("GET", f"{REVIEWS}/a", None, "", 404),
    ("GET", REVIEWS, None, "", 405),
    ("DELETE", config_maps("default", "a"), {"gracePeriodSeconds": 1.5}, "application/json", 400),
    ("DELETE", config_maps("default", "a"), {"preconditions": "x"}, "application/json", 400),
    ("DELETE", config_maps("default", "kube-root-ca.crt") + "?dryRun=x", None, "", 422),
    ("DELETE", config_maps("default") + "?labelSelector=x%3Dy", {"propagationPolicy": []}, "application/json", 400),
    ("POST", deployments("default"), {**deployment("a"), "spec": None}, "application/json", 422),
    ("POST", "/apis/batch/v1/namespaces/default/jobs", {"spec": {"template": {}}}, "application/json", 422),
]


def bomb(levels: int) -> str:
    """YAML of some lines in which each list has the one above ten times."""
    lists = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lists += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, levels)]
    return "\n".join(lists)


@pytest.mark.parametrize(("method", "path", "body", "kind", "status"), CASES)
async def test_it_is_refused(wire: Wire, method: str, path: str, body: Any, kind: str, status: int) -> None:
    heard = await wire.ask(method, path, body, kind=kind)
    assert heard.status == status, heard.body
    assert (heard.body["kind"], heard.body["code"]) == ("Status", status)


@pytest.mark.parametrize(("levels", "status"), [(2, 500), (4, 400), (9, 400)])
async def test_aliases_may_grow_a_hundredfold(wire: Wire, levels: int, status: int) -> None:
    said = yaml.write(config_map("a"))
    heard = await wire.ask("PATCH", config_maps("default", "a") + "?fieldManager=m", said + bomb(levels), kind=APPLY)
    assert heard.status == status, heard.body
    assert ("alias" in heard.body["message"]) == (status == 400)


async def test_there_is_no_head(wire: Wire) -> None:
    assert (await wire.ask("HEAD", config_maps("default", "kube-root-ca.crt"))).status == 405


async def test_a_type_is_known_in_any_case(wire: Wire) -> None:
    body: Json = config_map("a")
    heard = await wire.ask("POST", config_maps(await wire.namespace()), body, kind="APPLICATION/JSON; charset=utf-8")
    assert heard.status == 201
