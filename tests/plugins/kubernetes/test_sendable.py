"""What is sent of a manifest."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gitopsd_plugins.kubernetes import sendable


def _definition(bundle: str) -> dict[str, Any]:
    webhook = {"clientConfig": {"caBundle": bundle, "url": "https://x"}, "conversionReviewVersions": ["v1"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "a"},
        "spec": {"group": "example.com", "conversion": {"strategy": "Webhook", "webhook": webhook}},
    }


def test_the_strings_of_a_secret_are_sent_as_data_and_win() -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "a"},
        "data": {"a": "b2xk", "b": "Yg=="},
        "stringData": {"a": "new", "c": "ü"},
    }
    sent = sendable.of(body)
    assert "stringData" not in sent
    assert {key: base64.b64decode(value).decode() for key, value in sent["data"].items()} == {
        "a": "new",
        "b": "b",
        "c": "ü",
    }
    assert "stringData" in body


@pytest.mark.parametrize("strings", [{"a": 7}, ["a"], "a"])
def test_strings_of_another_shape_are_left_to_the_server(strings: Any) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": strings}
    assert sendable.of(body) == body


def test_string_data_of_other_kinds_is_theirs() -> None:
    body = {"apiVersion": "example.com/v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"a": "b"}}
    assert sendable.of(body) == body


def test_what_only_the_server_writes_is_left_out() -> None:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "creationTimestamp": None, "uid": "u", "resourceVersion": "7", "managedFields": []},
        "status": {},
    }
    assert sendable.of(body) == {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}


@pytest.mark.parametrize("bundle", ["invalid-cert-data", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t", "Cg=="])
def test_a_placeholder_for_a_certificate_is_left_out(bundle: str) -> None:
    config = sendable.of(_definition(bundle))["spec"]["conversion"]["webhook"]["clientConfig"]
    assert config == {"url": "https://x"}


def test_a_certificate_is_sent(ca_bundle: str) -> None:
    body = _definition(ca_bundle)
    assert sendable.of(body) == body


@pytest.fixture(scope="session")
def ca_bundle() -> str:
    from gitopsd_plugins.sandbox.access import certificates

    return base64.b64encode(certificates.make("127.0.0.1").authority.encode()).decode()
