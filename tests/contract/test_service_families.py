"""Families of a Service's addresses, on a cluster that has IPv4 only."""

from __future__ import annotations

from typing import Any

import pytest
from contract.wire import MERGE, Json, Wire

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

FREE: Json = {"clusterIP": "None"}
LED: Json = {"selector": {"a": "b"}}
SINGLE, PREFER, REQUIRE = "SingleStack", "PreferDualStack", "RequireDualStack"
NO_PAIR = "this cluster is not configured for dual-stack services"
NONE_SUCH = "not configured on this cluster"
TWO = "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"
RELEASE = "must be 'SingleStack' to release the secondary IP family"
POLICY, FIRST, SECOND = "spec.ipFamilyPolicy", "spec.ipFamilies[0]", "spec.ipFamilies[1]"


def service(spec: Json) -> Json:
    return {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}], **spec}}


def told(body: Json) -> Any:
    """Policy and families, or the fields of a refusal with the ends of what is said."""
    if body["kind"] == "Status":
        return sorted((cause["field"], cause["message"].rpartition(": ")[2]) for cause in body["details"]["causes"])
    return body["spec"]["ipFamilyPolicy"], body["spec"]["ipFamilies"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, (SINGLE, ["IPv4"])),
        ({"ipFamilyPolicy": PREFER}, (PREFER, ["IPv4"])),
        ({"ipFamilyPolicy": REQUIRE}, [(POLICY, NO_PAIR)]),
        ({"ipFamilies": ["IPv6"]}, [(FIRST, NONE_SUCH)]),
        ({"ipFamilies": ["IPv4", "IPv6"]}, [(POLICY, TWO)]),
        ({"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": PREFER}, [(SECOND, NONE_SUCH)]),
        ({"ipFamilies": ["X"]}, [(FIRST, '"IPv4", "IPv6"')]),
        ({"ipFamilies": ["IPv4", "IPv4"]}, [(SECOND, '"IPv4"')]),
        ({"ipFamilyPolicy": "X"}, [(POLICY, '"PreferDualStack", "RequireDualStack", "SingleStack"')]),
        ({"clusterIP": "x"}, [("spec.clusterIPs[0]", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]),
        (FREE, (REQUIRE, ["IPv4", "IPv6"])),
        ({**FREE, "ipFamilies": ["IPv6"]}, (REQUIRE, ["IPv6", "IPv4"])),
        ({**FREE, "ipFamilyPolicy": SINGLE}, (SINGLE, ["IPv4"])),
        ({**FREE, **LED}, (SINGLE, ["IPv4"])),
        ({**FREE, **LED, "ipFamilyPolicy": REQUIRE}, [(POLICY, NO_PAIR)]),
    ],
    ids=str,
)
async def test_a_new_service(wire: Wire, spec: Json, expected: Any) -> None:
    path = f"/api/v1/namespaces/{await wire.namespace()}/services"
    assert told((await wire.ask("POST", path, service(spec))).body) == expected


@pytest.mark.parametrize(
    ("spec", "change", "expected"),
    [
        (FREE, LED, [(SECOND, NONE_SUCH), (POLICY, NO_PAIR)]),
        (FREE, {**LED, "ipFamilyPolicy": SINGLE}, (SINGLE, ["IPv4"])),
        (FREE, {"ipFamilies": ["IPv4"]}, [(POLICY, RELEASE)]),
        (FREE, {"ipFamilies": None}, (REQUIRE, ["IPv4", "IPv6"])),
        (FREE, {"ipFamilyPolicy": SINGLE}, (SINGLE, ["IPv4"])),
        ({}, {"ipFamilyPolicy": REQUIRE}, [(POLICY, NO_PAIR)]),
        (
            {},
            {"ipFamilies": ["IPv6"]},
            [("spec.clusterIPs[0]", "expected an IPv6 value as indicated by `ipFamilies[0]`")],
        ),
        ({}, {"ipFamilyPolicy": None}, (SINGLE, ["IPv4"])),
    ],
    ids=str,
)
async def test_a_changed_service(wire: Wire, spec: Json, change: Json, expected: Any) -> None:
    path = f"/api/v1/namespaces/{await wire.namespace()}/services"
    await wire.make(path, service(spec))
    assert told((await wire.ask("PATCH", f"{path}/a", {"spec": change}, MERGE)).body) == expected
