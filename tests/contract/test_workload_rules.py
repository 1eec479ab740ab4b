"""What a server has against the selectors and templates of workloads, kind by kind: none of them says quite the same."""

from __future__ import annotations

import re

import pytest
from contract.wire import Json, Wire

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

GROUPS = {
    "DaemonSet": "apps/v1",
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "Job": "batch/v1",
}
LABELS = "spec.template.metadata.labels"
MISMATCH = (LABELS, 'Invalid value: {"app":"a"}: `selector` does not match template `labels`')
REQUIRED = ("spec.selector", "Required value")
OPERATOR = ("spec.selector.matchExpressions[0].operator", 'Invalid value: "Near": not a valid selector operator')
NEAR = {"matchExpressions": [{"key": "app", "operator": "Near"}]}
INVALID = 'Invalid value: {"matchExpressions":[{"key":"app","operator":"Near"}]}'


def workload(kind: str, labels: Json | None = None, **spec: Json) -> Json:
    pod = {
        "containers": [{"name": "main", "image": "nginx:1"}],
        "restartPolicy": "Never" if kind == "Job" else "Always",
    }
    template = {"metadata": {"labels": {"app": "a"} if labels is None else labels}, "spec": pod}
    metadata = {"name": "a", "labels": {"its": "own"}}  # a Job without any gets those of its template
    return {"apiVersion": GROUPS[kind], "kind": kind, "metadata": metadata, "spec": {"template": template, **spec}}


async def causes(wire: Wire, body: Json) -> set[tuple[str, str]]:
    """The fields that creating an object is refused for, with the reasons."""
    path = f"/apis/{body['apiVersion']}/namespaces/{await wire.namespace()}/{body['kind'].lower()}s"
    heard = await wire.ask("POST", path, body)
    assert (heard.status, heard.body["reason"]) == (422, "Invalid")
    return {(cause["field"], cause["message"]) for cause in heard.body["details"]["causes"]}


@pytest.mark.parametrize("kind", ["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"])
async def test_a_selector_that_is_missing(wire: Wire, kind: str) -> None:
    expected = {MISMATCH} if kind == "DaemonSet" else {MISMATCH, REQUIRED}
    assert await causes(wire, workload(kind)) == expected


@pytest.mark.parametrize(
    ("kind", "whole"),
    [
        ("DaemonSet", set()),
        ("Deployment", {("spec.selector", f"{INVALID}: invalid label selector")}),
        ("ReplicaSet", {("spec.selector", f"{INVALID}: invalid label selector")}),
        ("StatefulSet", {("spec.selector", INVALID)}),
    ],
)
async def test_a_selector_that_selects_in_no_known_way(wire: Wire, kind: str, whole: set[tuple[str, str]]) -> None:
    assert await causes(wire, workload(kind, selector=NEAR)) == {OPERATOR, *whole}


@pytest.mark.parametrize(
    ("expression", "field", "reason"),
    [
        (
            {"key": "app", "operator": "In"},
            "values",
            "Required value: must be specified when `operator` is 'In' or 'NotIn'",
        ),
        (
            {"key": "app", "operator": "Exists", "values": ["a"]},
            "values",
            "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
        ({"key": "-", "operator": "Exists"}, "key", 'Invalid value: "-": name part must consist'),
        ({"key": "app", "operator": "In", "values": ["a", "-"]}, "values[1]", 'Invalid value: "-": a valid label must'),
    ],
    ids=lambda value: value["operator"] if isinstance(value, dict) else None,
)
async def test_an_expression_that_is_none(wire: Wire, expression: Json, field: str, reason: str) -> None:
    found = dict(await causes(wire, workload("DaemonSet", selector={"matchExpressions": [expression]})))
    assert found.pop(f"spec.selector.matchExpressions[0].{field}").startswith(reason)
    assert not found


@pytest.mark.parametrize("kind", GROUPS)
async def test_labels_of_pods_to_come(wire: Wire, kind: str) -> None:
    selector = {} if kind == "Job" else {"selector": {"matchLabels": {"app": "a"}}}
    found = await causes(wire, workload(kind, {"app": "a", "-": "x", "y": "-"}, **selector))
    assert sorted((field, reason[:35]) for field, reason in found) == [
        ("spec.template.labels", 'Invalid value: "-": a valid label m'),
        ("spec.template.labels", 'Invalid value: "-": name part must '),
    ]


CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
VOLUMES = "spec.template.spec.volumes[0]"


def with_claims(*names: str, mounts: str = "", volumes: tuple[Json, ...] = ()) -> Json:
    claims = [{"metadata": {"name": name} if name else {}, "spec": CLAIM} for name in names]
    body = workload("StatefulSet", selector={"matchLabels": {"app": "a"}}, serviceName="s", volumeClaimTemplates=claims)
    pod = body["spec"]["template"]["spec"]
    pod["volumes"] = list(volumes)
    pod["containers"][0]["volumeMounts"] = [{"name": mounts, "mountPath": "/data"}] if mounts else []
    return body


async def test_claims_are_volumes_to_mount_and_hide_those_of_their_name(wire: Wire) -> None:
    hidden = ({"name": "data", "emptyDir": {}}, {"name": "data", "emptyDir": {}})
    path = f"/apis/apps/v1/namespaces/{await wire.namespace()}/statefulsets"
    await wire.make(path, with_claims("data", "logs", mounts="data", volumes=hidden))


async def test_claims_without_a_name_or_with_a_wrong_one(wire: Wire) -> None:
    # Which of two claims comes first is left to chance by the real server, as the order in one of its maps.
    found = {(re.sub(r"\[\d\]", "[]", field), what) for field, what in await causes(wire, with_claims("", "data"))}
    volume = VOLUMES.replace("[0]", "[]")
    assert found == {(f"{volume}.{each}", "Required value") for each in ("name", "persistentVolumeClaim.claimName")}
    assert {field for field, _ in await causes(wire, with_claims("Data", mounts="Data"))} == {
        f"{VOLUMES}.name",
        "spec.template.spec.containers[0].volumeMounts[0].name",
    }


@pytest.mark.parametrize("kind", ["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"])
async def test_times_are_not_negative(wire: Wire, kind: str) -> None:
    body = workload(kind, selector={"matchLabels": {"app": "a"}}, minReadySeconds=-1)  # type: ignore[arg-type]  # a number
    assert await causes(wire, body) == {
        ("spec.minReadySeconds", "Invalid value: -1: must be greater than or equal to 0")
    }


@pytest.mark.parametrize(
    ("spec", "whys"),
    [
        ({"progressDeadlineSeconds": 0}, {"0: must be greater than minReadySeconds"}),
        ({"minReadySeconds": 600}, {"600: must be greater than minReadySeconds"}),
        (
            {"progressDeadlineSeconds": -1},
            {"-1: must be greater than or equal to 0", "-1: must be greater than minReadySeconds"},
        ),
    ],
)
async def test_a_deadline_comes_after_readiness(wire: Wire, spec: Json, whys: set[str]) -> None:
    body = workload("Deployment", selector={"matchLabels": {"app": "a"}}, **spec)
    assert await causes(wire, body) == {("spec.progressDeadlineSeconds", f"Invalid value: {why}") for why in whys}


async def test_names_that_become_hosts_are_one_label(wire: Wire) -> None:
    claims = with_claims()
    for body in (claims, {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}}):
        for name, why in (("a.b", "must not contain dots"), ("a" * 64, "must be no more than 63 characters")):
            named = {**body, "metadata": {"name": name}}
            prefix = "apis" if "/" in named["apiVersion"] else "api"
            path = f"/{prefix}/{named['apiVersion']}/namespaces/default/{named['kind'].lower()}s"
            heard = await wire.ask("POST", path, named)
            assert (heard.status, heard.causes) == (422, ["metadata.name"])
            assert heard.body["message"].endswith(f": {why}")
