"""Where an Ingress may lead to, and what ties a Job to its pods."""

from __future__ import annotations

import pytest
from contract.wire import JSON_PATCH, Json, Wire

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]
BACKEND = "spec.rules[0].http.paths[0].backend"
BOTH_PORTS = 'Invalid value: "": cannot set both port name & port number'


def ingress(backend: Json) -> Json:
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "a"},
        "spec": {"rules": [{"http": {"paths": [path]}}]},
    }


def service(name: str = "a", **port: Json) -> Json:
    return {"service": {"name": name, "port": port}}


@pytest.mark.parametrize(
    ("backend", "field", "reason"),
    [
        (service(number=80), "", ""),
        ({"service": {"name": "a", "port": {"name": "web", "number": 80}}}, "", BOTH_PORTS),
        (service(), "", "Required value: port name or number is required"),
        (service(number=99999), ".service.port.number", "Invalid value: 99999: must be between 1 and 65535, inclusive"),
        (service("", number=80), ".service.name", "Required value"),
        ({}, "", 'Invalid value: "": resource or service backend is required'),
        (
            {**service(number=80), "resource": {"apiGroup": "a", "kind": "B", "name": "c"}},
            "",
            'Invalid value: "": cannot set both resource and service backends',
        ),
    ],
)
async def test_a_path_leads_to_one_place(wire: Wire, backend: Json, field: str, reason: str) -> None:
    path = f"/apis/networking.k8s.io/v1/namespaces/{await wire.namespace()}/ingresses"

    heard = await wire.ask("POST", path, ingress(backend))

    causes = [(cause["field"], cause["message"]) for cause in (heard.body.get("details") or {}).get("causes", ())]
    assert (heard.status, causes) == ((422, [(f"{BACKEND}{field}", reason)]) if reason else (201, []))


async def test_the_default_leads_to_one_place_too(wire: Wire) -> None:
    path = f"/apis/networking.k8s.io/v1/namespaces/{await wire.namespace()}/ingresses"
    body = ingress(service(number=80))
    body["spec"]["defaultBackend"] = {"service": {"name": "a", "port": {"name": "web", "number": 80}}}

    heard = await wire.ask("POST", path, body)

    [cause] = heard.body["details"]["causes"]
    assert (cause["field"], cause["message"]) == ("spec.defaultBackend", BOTH_PORTS)


async def test_a_default_that_leads_nowhere_is_one_all_the_same(wire: Wire) -> None:
    path = f"/apis/networking.k8s.io/v1/namespaces/{await wire.namespace()}/ingresses"
    heard = await wire.ask("POST", path, {"metadata": {"name": "a"}, "spec": {"defaultBackend": {}}})
    assert heard.causes == ["spec.defaultBackend"]


TIES = ["controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"]
TEMPLATE = "spec.template"
POD = {"containers": [{"name": "main", "image": "nginx:1"}], "restartPolicy": "Never"}
JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": {"template": {"spec": POD}}}


async def test_a_job_that_is_put_without_its_selector_is_told_of_that_alone(wire: Wire) -> None:
    path = f"/apis/batch/v1/namespaces/{await wire.namespace()}/jobs"
    await wire.make(path, JOB)

    heard = await wire.ask("PUT", f"{path}/a", JOB)

    unselected = ["spec.selector", f"{TEMPLATE}.metadata.labels"]
    assert (heard.status, heard.causes) == (422, [*2 * unselected, "spec.selector", TEMPLATE])


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        (
            {"op": "remove", "path": "/spec/template/metadata"},
            [*(f"{TEMPLATE}.metadata.labels[{key}]" for key in TIES), *2 * [f"{TEMPLATE}.metadata.labels"], TEMPLATE],
        ),
        (
            {"op": "replace", "path": "/spec/template/metadata/labels/job-name", "value": "other"},
            [f"{TEMPLATE}.metadata.labels[job-name]", TEMPLATE],
        ),
        (
            {"op": "remove", "path": "/spec/selector"},
            [*2 * ["spec.selector", f"{TEMPLATE}.metadata.labels"], "spec.selector"],
        ),
    ],
)
async def test_nobody_takes_away_what_ties_a_job_to_its_pods(wire: Wire, change: Json, fields: list[str]) -> None:
    path = f"/apis/batch/v1/namespaces/{await wire.namespace()}/jobs"
    await wire.make(path, JOB)

    heard = await wire.ask("PATCH", f"{path}/a", [change], JSON_PATCH)

    assert (heard.status, heard.causes) == (422, fields)
