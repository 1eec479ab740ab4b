"""Whatever is sent, the sandbox answers: with an object, or with a `Status` that says what is wrong with the request."""

from __future__ import annotations

import json
from typing import Any

import in_process
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitopsd_plugins.sandbox.facts import resources
from gitopsd_plugins.sandbox.server import serve

CLUSTER = in_process.cluster()
"""One for all: what is in it by then is part of the game."""
RESOURCES = [each for each in resources.built_in() if "create" in each.verbs]
TYPES = ["json-patch+json", "merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"]
NAMES = st.sampled_from(
    [
        "metadata",
        "name",
        "namespace",
        "labels",
        "annotations",
        "finalizers",
        "ownerReferences",
        "managedFields",
        "spec",
        "selector",
        "matchLabels",
        "template",
        "containers",
        "ports",
        "env",
        "resources",
        "limits",
        "data",
        "stringData",
        "rules",
        "subjects",
        "roleRef",
        "status",
        "conditions",
        "replicas",
        "strategy",
        "type",
        "versions",
        "schema",
        "openAPIV3Schema",
        "names",
        "volumeClaimTemplates",
        "jobTemplate",
        "metrics",
        "op",
        "path",
        "value",
        "from",
    ]
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=5), NAMES)
VALUES = st.recursive(LEAVES, lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(NAMES, below)))


def path(resource: resources.Resource) -> str:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    return f"{root}/namespaces/default/{resource.plural}" if resource.namespaced else f"{root}/{resource.plural}"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(RESOURCES), st.dictionaries(NAMES, VALUES), st.sampled_from(["POST", "PUT", *TYPES]))
def test_random_objects_are_taken_or_refused(resource: resources.Resource, body: dict[str, Any], how: str) -> None:
    whole = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": "a"}, **body}
    content: Any = [whole] if how == "json-patch+json" else whole
    url = path(resource) if how == "POST" else f"{path(resource)}/a?fieldManager=m"
    kind = f"application/{how}" if how in TYPES else "application/json"
    text = json.dumps(content).encode()
    for _ in range(2):
        answer = in_process.ask(CLUSTER, "PATCH" if how in TYPES else how, url, text, kind)
        assert answer.code < 300 or json.loads(answer.body)["kind"] == "Status"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["json", "yaml", "vnd.kubernetes.protobuf", *TYPES]))
def test_random_bytes_are_refused(text: bytes, kind: str) -> None:
    method = "PATCH" if kind in TYPES else "POST"
    url = in_process.CM + ("/kube-root-ca.crt?fieldManager=m" if kind in TYPES else "")
    answer = in_process.ask(CLUSTER, method, url, b"\xff" + text, f"application/{kind}")
    assert 400 <= answer.code < 500
    assert json.loads(answer.body)["kind"] == "Status"


@pytest.mark.asyncio
async def test_what_the_sandbox_stumbles_over_is_told_by_a_status() -> None:
    async with serve() as running, running.client() as client:
        running.cluster.access.authorizer = lambda _: 1 // 0 == 0
        headers = {"Authorization": f"Bearer {running.token_for('jane')}"}
        answer = await client.get("/api/v1/namespaces", headers=headers)
        assert (answer.status, (await answer.json())["reason"]) == (500, "InternalError")
