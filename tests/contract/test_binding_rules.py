"""What a server has against bindings: what they refer to, and whom they bind."""

from __future__ import annotations

import pytest
from contract.wire import Json, Wire

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

GROUP = "rbac.authorization.k8s.io"
KINDS = 'supported values: "ServiceAccount", "User", "Group"'


async def causes(wire: Wire, kind: str, subject: Json, reference: Json | None = None) -> set[tuple[str, str]]:
    """The fields that a binding is refused for, with the reasons."""
    inside = f"/namespaces/{await wire.namespace()}" if kind == "RoleBinding" else ""
    body = {
        "apiVersion": f"{GROUP}/v1",
        "kind": kind,
        "metadata": {"name": "b"},
        "roleRef": {"kind": "ClusterRole", "name": "r", **(reference or {})},
        "subjects": [subject],
    }
    heard = await wire.ask("POST", f"/apis/{GROUP}/v1{inside}/{kind.lower()}s?dryRun=All", body)
    assert heard.status in (201, 422)
    found = (heard.body.get("details") or {}).get("causes", ())
    return {(cause["field"], cause["message"].removeprefix("Unsupported value: ")) for cause in found}


@pytest.mark.parametrize("kind", ["RoleBinding", "ClusterRoleBinding"])
@pytest.mark.parametrize(
    ("subject", "wrong"),
    [
        ({}, {("name", "Required value"), ("kind", f'"": {KINDS}')}),
        ({"kind": "Team", "name": "a"}, {("kind", f'"Team": {KINDS}')}),
        ({"kind": "User"}, {("name", "Required value")}),
        ({"kind": "User", "name": "a", "apiGroup": "x"}, {("apiGroup", f'"x": supported values: "{GROUP}"')}),
        (
            {"kind": "ServiceAccount", "name": "a", "namespace": "n", "apiGroup": GROUP},
            {("apiGroup", f'"{GROUP}": supported values: ""')},
        ),
        ({"kind": "Group", "name": "a", "namespace": "n"}, set()),
    ],
)
async def test_subjects(wire: Wire, kind: str, subject: Json, wrong: set[tuple[str, str]]) -> None:
    assert await causes(wire, kind, subject) == {(f"subjects[0].{field}", why) for field, why in wrong}


async def test_a_service_account_has_a_namespace_where_nothing_else_tells_one(wire: Wire) -> None:
    account = {"kind": "ServiceAccount", "name": "a"}
    assert await causes(wire, "RoleBinding", account) == set()
    assert await causes(wire, "ClusterRoleBinding", account) == {("subjects[0].namespace", "Required value")}
    assert {field for field, _ in await causes(wire, "RoleBinding", {**account, "name": "A_"})} == {"subjects[0].name"}


@pytest.mark.parametrize(
    ("kind", "reference", "wrong"),
    [
        ("RoleBinding", {"name": "a/b"}, ("roleRef.name", "Invalid value: \"a/b\": may not contain '/'")),
        ("RoleBinding", {"apiGroup": "x"}, ("roleRef.apiGroup", f'"x": supported values: "{GROUP}"')),
        ("ClusterRoleBinding", {"kind": "Role"}, ("roleRef.kind", '"Role": supported values: "ClusterRole"')),
    ],
)
async def test_references(wire: Wire, kind: str, reference: Json, wrong: tuple[str, str]) -> None:
    assert await causes(wire, kind, {"kind": "User", "name": "jane"}, reference) == {wrong}
