"""Flux's own cases of what is sent of an object, and of refusals that mean that a field cannot be changed in place."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from fakes import cases

from gitopsd_plugins.kubernetes import refusal, sendable
from gitopsd_plugins.kubernetes.refusal import Reply

PROTOCOLS = "TestNormalizeUnstructured/adds default port protocol to "
DRY_RUN = "TestNormalizeDryRunUnstructured/"


@pytest.mark.parametrize("case", cases.flux("ssa_normalize", only="TestNormalizeUnstructured/"))
def test_what_is_sent(case: dict[str, Any]) -> None:
    """The server puts a port's protocol there itself, and tells ports apart by it: see tests/contract/test_ssa_plans.py."""
    sent = sendable.of({**case["object"], "metadata": case["object"].get("metadata", {})})
    if case["name"].startswith(PROTOCOLS):
        assert sent == {**case["object"], "metadata": {}}
    else:
        assert sent == {**case["want"], "metadata": {}}


@pytest.mark.parametrize("case", cases.flux("ssa_misc", only="utils/cert_validation_test.go:"))
def test_certificates_of_definitions(case: dict[str, Any]) -> None:
    sent = sendable.of(_with_certificate(case["object"]))
    config = sent.get("spec", {}).get("conversion", {}).get("webhook", {}).get("clientConfig", {})
    if case["expectRemoved"]:
        assert "caBundle" not in config
    else:
        assert sent == _with_certificate(case["object"])


def _with_certificate(body: Any) -> Any:
    """The file has the Go call that encodes the certificate; here it is carried out."""
    if isinstance(body, dict):
        return {key: _with_certificate(value) for key, value in body.items()}
    found = re.fullmatch(r"base64\.StdEncoding\.EncodeToString\((.*)\)", str(body), re.S)
    return base64.b64encode(found[1].encode()).decode() if found else body


@pytest.mark.parametrize("case", cases.flux("ssa_misc", only="errors/immutable_test.go:"))
def test_refusals(case: dict[str, Any]) -> None:
    message = case["err"].removeprefix("fmt.Errorf(").removesuffix(")")
    reply = Reply(status=422, body={"reason": "Invalid", "message": message})
    assert refusal.is_immutable(reply) is case["match"]
