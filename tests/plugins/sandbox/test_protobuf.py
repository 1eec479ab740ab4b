"""Bodies in Kubernetes' protobuf form."""

from __future__ import annotations

import pytest
from in_process import ask, ok

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.facts import protobuf, type_table


def field(number: int, value: bytes | int) -> bytes:
    """One field of a message; numbers below 128 only."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def envelope(api_version: bytes, kind: bytes, message: bytes) -> bytes:
    return protobuf.MAGIC + field(1, field(1, api_version) + field(2, kind)) + field(2, message)


NAMESPACE = envelope(b"v1", b"Namespace", field(1, field(1, b"n") + field(11, field(1, b"a") + field(2, b"b"))))


def test_an_object_is_read() -> None:
    schema = type_table.table().schema("io.k8s.api.core.v1.Namespace")
    expected = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n", "labels": {"a": "b"}}}
    assert protobuf.read(NAMESPACE, schema) == expected


def test_it_can_be_created(cluster: Cluster) -> None:
    body = ok(ask(cluster, "POST", "/api/v1/namespaces", NAMESPACE, "application/vnd.kubernetes.protobuf"))
    assert body["metadata"]["labels"]["a"] == "b"


def test_numbers_lists_and_embedded_structs() -> None:
    schema = type_table.table().schema("io.k8s.api.core.v1.PodSpec")
    source = field(1, b"v") + field(2, field(2, field(1, b"")))  # a volume: name, and an emptyDir inside its source
    container = field(1, b"c") + field(2, b"i") + field(6, field(1, b"p") + field(2, 0) + field(3, 80))
    deployment = type_table.table().schema("io.k8s.api.core.v1.Pod")
    read = protobuf.read(envelope(b"v1", b"Pod", field(2, field(1, source) + field(2, container))), deployment)
    assert schema.fields["containers"].keys == ("name",)
    assert read["spec"]["volumes"] == [{"name": "v", "emptyDir": {}}]
    assert read["spec"]["containers"] == [{"name": "c", "image": "i", "ports": [{"name": "p", "containerPort": 80}]}]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        protobuf.MAGIC + b"\xff",
        protobuf.MAGIC + b"\x12\x7f",
        envelope(b"v1", b"Namespace", field(1, 5)),
        envelope(b"v1", b"Namespace", field(1, field(1, b"\xff"))),
        envelope(b"v1", b"Namespace", b"\x0f"),
    ],
)
def test_damaged_bodies_are_refused(cluster: Cluster, body: bytes) -> None:
    assert ask(cluster, "POST", "/api/v1/namespaces", body, "application/vnd.kubernetes.protobuf").code in (400, 422)
