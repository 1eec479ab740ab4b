"""EndpointSlices and StorageClasses that are refused, with their causes."""

from __future__ import annotations

from typing import Any

import pytest
from contract.wire import Json, Wire

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

LABEL = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
LINK = "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
LOOP = "may not be in the loopback range (127.0.0.0/8, ::1/128)"
MULTICAST = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"


def at(*texts: str) -> list[Json]:
    return [{"addresses": list(texts)}]


FIRST = "endpoints[0].addresses[0]"
SLICES: list[tuple[Json, list[tuple[str, str]]]] = [
    ({"ports": [{}, {}]}, [("ports[1].name", 'Duplicate value: ""')]),
    ({"ports": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}, [("ports[2].name", 'Duplicate value: "a"')]),
    ({"ports": [{"name": "A"}]}, [("ports[0].name", f'Invalid value: "A": {LABEL}')]),
    ({"ports": [{"protocol": "X"}]}, [("ports[0].protocol", 'Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"')]),
    ({"endpoints": at("x")}, [(FIRST, 'Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')]),
    ({"endpoints": at("10.01.1.1")}, [(FIRST, 'Invalid value: "10.01.1.1": must not have leading 0s')]),
    ({"endpoints": at("0.0.0.0")}, [(FIRST, 'Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)')]),
    ({"endpoints": at("127.0.0.1")}, [(FIRST, f'Invalid value: "127.0.0.1": {LOOP}')]),
    ({"endpoints": at("10.1.1.1", "169.254.1.1")}, [("endpoints[0].addresses[1]", f'Invalid value: "169.254.1.1": {LINK}')]),
    ({"endpoints": at("224.0.0.1")}, [(FIRST, f'Invalid value: "224.0.0.1": {MULTICAST}')]),
    ({"endpoints": at("2001:db8::1")}, [("endpoints[0].addresses", 'Invalid value: "2001:db8::1": must be an IPv4 address')]),
    ({"addressType": "IPv6", "endpoints": at("10.1.1.1")}, [("endpoints[0].addresses", 'Invalid value: "10.1.1.1": must be an IPv6 address')]),
    ({"addressType": "IPv6", "endpoints": at("2001:DB8::1")}, [(FIRST, 'Invalid value: "2001:DB8::1": must be in canonical form ("2001:db8::1")')]),
    ({"endpoints": at(*["10.1.1.1"] * 101)}, [("endpoints[0].addresses", "Too many: 101: must have at most 100 items")]),
    ({"endpoints": [{"addresses": ["10.1.1.1"], "hostname": "A"}]}, [("endpoints[0].hostname", f'Invalid value: "A": {LABEL}')]),
    ({"addressType": "FQDN", "endpoints": at("a.example.com")}, []),
]  # fmt: skip


def told(heard: Any) -> list[tuple[str, str]]:
    causes = (heard.body.get("details") or {}).get("causes", ())
    return [(each["field"], each["message"]) for each in causes]


@pytest.mark.parametrize(("fields", "expected"), SLICES, ids=lambda value: str(value)[:60])
async def test_slices(wire: Wire, fields: Json, expected: list[tuple[str, str]]) -> None:
    path = f"/apis/discovery.k8s.io/v1/namespaces/{await wire.namespace()}/endpointslices"
    body = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "a"}}
    heard = await wire.ask("POST", path, {**body, "addressType": "IPv4", "endpoints": at("10.1.1.1"), **fields})
    assert (heard.status, told(heard)) == (422 if expected else 201, expected)


CLASSES: list[tuple[Json, list[tuple[str, str]]]] = [
    ({}, [("provisioner", "Required value")]),
    ({"provisioner": "a", "reclaimPolicy": "X"}, [("reclaimPolicy", 'Unsupported value: "X": supported values: "Delete", "Retain"')]),
    ({"provisioner": "a", "volumeBindingMode": "X"}, [("volumeBindingMode", 'Unsupported value: "X": supported values: "Immediate", "WaitForFirstConsumer"')]),
    ({"provisioner": "a", "parameters": {"": "x"}}, [("parameters", 'Invalid value: "": field can not be empty.')]),
    ({"provisioner": "example.com/A"}, []),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "expected"), CLASSES, ids=lambda value: str(value)[:60])
async def test_classes(wire: Wire, fields: Json, expected: list[tuple[str, str]]) -> None:
    body = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "a"}, **fields}
    heard = await wire.ask("POST", "/apis/storage.k8s.io/v1/storageclasses?dryRun=All", body)
    assert (heard.status, told(heard)) == (422 if expected else 201, expected)
