"""What servers say of bodies that are of another kind, or whose fields hold values of other types."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio
from contract.wire import (
    APPLY,
    DEFINITIONS,
    JSON_PATCH,
    MERGE,
    STRATEGIC,
    Heard,
    Json,
    Wire,
    config_map,
    config_maps,
    definition,
    deployment,
    deployments,
)

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

ANY = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
UNNAMED = "the name of the object (a based on URL) was undeterminable: name must be provided"
SCHEME = 'in scheme "pkg/runtime/scheme.go:111"'


@pytest_asyncio.fixture
async def built_in(wire: Wire) -> str:
    """A collection of ConfigMaps with one called `a`."""
    path = config_maps(await wire.namespace())
    await wire.make(path, config_map("a"))
    return path


@pytest_asyncio.fixture
async def group(wire: Wire) -> str:
    """A group with Things."""
    named = f"{(await wire.namespace())}.example.com"
    await wire.make(DEFINITIONS, definition(named, ANY))
    await wire.until(f"/apis/{named}/v1/things", lambda heard: heard.status == 200)
    return named


@pytest_asyncio.fixture
async def custom(wire: Wire, group: str) -> str:
    """A collection of Things with one called `a`."""
    path = f"/apis/{group}/v1/things"
    await wire.make(path, {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "a"}})
    return path


def patched(heard: Heard) -> str:
    """Why the result of a patch is refused, without the object that the message shows."""
    assert heard.status == 422
    assert heard.body["details"]["causes"][0]["field"] == "patch"
    return str(heard.body["details"]["causes"][0]["message"]).rpartition('": ')[2]


CREATED: list[tuple[Json, str]] = [
    ({"kind": "Foo"}, f'Foo in version "v1" cannot be handled as a ConfigMap: no kind "Foo" is registered for version "v1" {SCHEME}'),
    ({"kind": "Pod"}, 'Pod in version "v1" cannot be handled as a ConfigMap: converting (v1.Pod) to (core.ConfigMap): unknown conversion'),
    ({"kind": "ConfigMapList"}, 'ConfigMapList in version "v1" cannot be handled as a ConfigMap: converting (v1.ConfigMapList) to (core.ConfigMap): unknown conversion'),
    ({"apiVersion": "v2"}, f'ConfigMap in version "v2" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "v2" {SCHEME}'),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "message"), CREATED)
async def test_a_body_of_another_kind(wire: Wire, built_in: str, changed: Json, message: str) -> None:
    for method, path in (("POST", built_in), ("PUT", f"{built_in}/a")):
        heard = await wire.ask(method, path, {**config_map("a"), **changed})
        assert (heard.status, heard.body["message"]) == (400, message)


async def test_a_patch_to_another_kind(wire: Wire, built_in: str) -> None:
    """A strategic merge patch cannot change it, and a kind that is taken away is what the address says."""
    for kind, why in (("Foo", f'no kind "Foo" is registered for version "v1" {SCHEME}'), ("Pod", "converting (v1.Pod) to (core.ConfigMap): unknown conversion")):  # fmt: skip
        heard = await wire.ask("PATCH", f"{built_in}/a", {"kind": kind}, kind=MERGE)
        assert heard.body["details"]["causes"][0]["message"].endswith(why)
        assert (await wire.ask("PATCH", f"{built_in}/a", {"kind": kind}, kind=STRATEGIC)).body["kind"] == "ConfigMap"
    for gone in (None, ""):
        assert (await wire.ask("PATCH", f"{built_in}/a", {"kind": gone}, kind=MERGE)).body["kind"] == "ConfigMap"
        heard = await wire.ask("PATCH", f"{built_in}/a", {"apiVersion": gone}, kind=MERGE)
        assert (heard.status, heard.body["message"]) == (400, UNNAMED)


async def test_custom_resources_state_their_kind(wire: Wire, group: str, custom: str) -> None:
    for body, said in (
        ({"metadata": {"name": "b"}}, "the object provided is unrecognized (must be of type Thing): Object 'Kind' is missing in "),
        ({"kind": "Thing", "metadata": {"name": "b"}}, f"the API version in the data () does not match the expected API version ({group}/v1)"),
        ({"kind": "Thing", "apiVersion": None}, 'Thing in version "" cannot be handled as a Thing: .apiVersion accessor error: <nil> is of the type <nil>, expected string'),
        ({"kind": "Thing", "apiVersion": f"{group}/v1", "metadata": 5}, 'Thing in version "v1" cannot be handled as a Thing: json: cannot unmarshal number into Go value of type v1.ObjectMeta'),
    ):  # fmt: skip
        heard = await wire.ask("POST", custom, body)
        assert (heard.status, heard.body["message"][: len(said)]) == (400, said)
    heard = await wire.ask("PATCH", f"{custom}/a", {"kind": None}, kind=MERGE)
    assert "Object 'Kind' is missing in '{" in heard.body["message"]
    heard = await wire.ask("PATCH", f"{custom}/a", {"kind": "Pod", "apiVersion": "v1"}, kind=MERGE)
    assert sorted(heard.causes) == ["apiVersion", "kind"]
    heard = await wire.ask("PATCH", f"{custom}/a", {"apiVersion": None}, kind=MERGE)
    assert (heard.status, heard.body["reason"]) == (500, "InternalError")


async def test_metadata_of_another_type(wire: Wire, built_in: str) -> None:
    """Types are looked at before names, but an object without metadata has no name."""
    for metadata, held, field, wanted in (
        (5, "number", "ConfigMap.metadata", "v1.ObjectMeta"),
        ([], "array", "ConfigMap.metadata", "v1.ObjectMeta"),
        ({"name": 5}, "number", "ObjectMeta.metadata.name", "string"),
        ({"labels": 5}, "number", "ObjectMeta.metadata.labels", "map[string]string"),
        ({"uid": 5}, "number", "ObjectMeta.metadata.uid", "types.UID"),
        ({"ownerReferences": [5]}, "number", "ObjectMeta.metadata.ownerReferences", "v1.OwnerReference"),
    ):
        why = f"json: cannot unmarshal {held} into Go struct field {field} of type {wanted}"
        heard = await wire.ask("PUT", f"{built_in}/a", {**config_map("a"), "metadata": metadata})
        assert heard.body["message"] == f'ConfigMap in version "v1" cannot be handled as a ConfigMap: {why}'
        change = [{"op": "replace", "path": "/metadata", "value": metadata}]
        assert patched(await wire.ask("PATCH", f"{built_in}/a", change, kind=JSON_PATCH)) == why
    heard = await wire.ask("PATCH", f"{built_in}/a", {"metadata": None}, kind=MERGE)
    assert (heard.status, heard.body["message"]) == (400, UNNAMED)


async def test_names_in_a_manifest_that_is_applied(wire: Wire, built_in: str) -> None:
    """What is there has one; a name that is taken away is none, and a prefix makes none."""
    for name, metadata, status in (
        ("a", {}, 200),
        ("a", {"name": None}, 400),
        ("b", {}, 400),
        ("b", {"generateName": "b-"}, 400),
        ("b", {"name": 5}, 500),
        ("b", {"labels": 5}, 500),
    ):
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        heard = await wire.ask("PATCH", f"{built_in}/{name}?fieldManager=m", manifest, kind=APPLY)
        assert heard.status == status


async def test_the_prefix_of_a_name_can_change(wire: Wire, built_in: str) -> None:
    path = f"{built_in}/a"
    for prefix in ("x-", "y-"):
        heard = await wire.ask("PATCH", path, {"metadata": {"generateName": prefix}}, kind=MERGE)
        assert heard.body["metadata"]["generateName"] == prefix
    assert "generateName" not in (await wire.ask("PUT", path, config_map("a"))).body["metadata"]


GO_FIELD = "json: cannot unmarshal {} into Go struct field {} of type {}"
GO_VALUE = "json: cannot unmarshal {} into Go value of type {}"
TYPES: list[tuple[Json, str, str]] = [
    ({"replicas": "3"}, GO_FIELD.format("string", "DeploymentSpec.spec.replicas", "int32"), "unrecognized type: int32"),
    ({"replicas": 1.5}, GO_FIELD.format("number 1.5", "DeploymentSpec.spec.replicas", "int32"), "cannot convert float64 to int32"),
    ({"paused": 1}, GO_FIELD.format("number", "DeploymentSpec.spec.paused", "bool"), "unrecognized type: bool"),
    ({"selector": []}, GO_FIELD.format("array", "DeploymentSpec.spec.selector", "v1.LabelSelector"), "cannot restore struct from: slice"),
    ({"strategy": {"rollingUpdate": {"maxSurge": 1.5}}}, GO_FIELD.format("number 1.5", "RollingUpdateDeployment.spec.strategy.rollingUpdate.maxSurge", "int32"), GO_VALUE.format("number 1.5", "int32")),
    ({"template": {"metadata": {"labels": 5}}}, GO_FIELD.format("number", "ObjectMeta.spec.template.metadata.labels", "map[string]string"), "cannot restore map from int64"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "decoded", "restored"), TYPES)
async def test_fields_of_another_type(wire: Wire, spec: Json, decoded: str, restored: str) -> None:
    """A strategic merge patch, which kubectl sends, is told in other words than JSON."""
    path = deployments(await wire.namespace())
    await wire.make(path, deployment("a"))
    assert patched(await wire.ask("PATCH", f"{path}/a", {"spec": spec}, kind=MERGE)) == decoded
    assert patched(await wire.ask("PATCH", f"{path}/a", {"spec": spec}, kind=STRATEGIC)) == restored


async def test_lists_have_no_numbers_in_what_is_said_of_types(wire: Wire) -> None:
    path = deployments(await wire.namespace())
    for container, field, wanted in (
        ({"name": 5}, "Container.spec.template.spec.containers.name", "string"),
        ({"args": [5]}, "Container.spec.template.spec.containers.args", "string"),
        ({"env": [{"value": 5}]}, "EnvVar.spec.template.spec.containers.env.value", "string"),
    ):
        body = deployment("a")
        body["spec"]["template"]["spec"]["containers"].append({"name": "b", "image": "i", **container})
        heard = await wire.ask("POST", path, body)
        assert heard.status == 400
        assert heard.body["message"].endswith(GO_FIELD.format("number", field, wanted))


APPLIED: list[tuple[Json, str]] = [
    ({"replicas": True}, ".spec.replicas: expected numeric (int or float), got bool"),
    ({"replicas": []}, ".spec.replicas: expected numeric (int or float), got []interface {}"),
    ({"paused": "x"}, ".spec.paused: expected boolean, got &{x}"),
    ({"strategy": {"type": 5}}, ".spec.strategy.type: expected string, got &value.valueUnstructured{Value:5}"),
    ({"strategy": {"type": ["a", 5]}}, '.spec.strategy.type: expected string, got &value.valueUnstructured{Value:[]interface {}{"a", 5}}'),
    ({"replicas": 1.5}, "cannot convert float64 to int32"),
    ({"strategy": {"rollingUpdate": {"maxSurge": True}}}, GO_VALUE.format("bool", "int32")),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "message"), APPLIED)
async def test_fields_of_another_type_in_a_manifest(wire: Wire, spec: Json, message: str) -> None:
    path = deployments(await wire.namespace())
    body = deployment("a")
    body["spec"] |= spec
    heard = await wire.ask("PATCH", f"{path}/a?fieldManager=m", body, kind=APPLY)
    assert heard.status == 500
    assert heard.body["message"].endswith(message)


LAYOUT = 'as "2006-01-02T15:04:05Z07:00": cannot parse'
TIMES: list[tuple[str, str]] = [
    ("x", f'{LAYOUT} "x" as "2006"'),
    ("2020-01-01", f'{LAYOUT} "" as "T"'),
    ("2020-13-01T00:00:00Z", ": month out of range"),
    ("2020-02-30T00:00:00Z", ": day out of range"),
    ("2020-01-01T25:00:00Z", ": hour out of range"),
    ("2020-01-01 00:00:00Z", f'{LAYOUT} " 00:00:00Z" as "T"'),
    ("2020-01-01T00:00:00", f'{LAYOUT} "" as "Z07:00"'),
    ("2020-01-01T00:00:00Zx", ': extra text: "x"'),
]


@pytest.mark.parametrize(("text", "why"), TIMES)
async def test_times_that_are_none(wire: Wire, built_in: str, text: str, why: str) -> None:
    heard = await wire.ask("POST", built_in, config_map("b", creationTimestamp=text))
    said = f'parsing time "{text}"{why}' if why.startswith(":") else f'parsing time "{text}" {why}'
    assert (heard.status, heard.body["message"].partition("ConfigMap: ")[2]) == (400, said)


async def test_times_that_are_some(wire: Wire, built_in: str) -> None:
    times: list[Any] = ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00.5Z", "2020-01-01T00:00:00+01:00", None]
    for number, text in enumerate(times):
        heard = await wire.ask("POST", built_in, config_map(f"b{number}", creationTimestamp=text))
        assert heard.status == 201


async def test_a_job_that_is_not_there_is_warned_of_too(wire: Wire) -> None:
    """The warning that pods stay comes before anybody looks for the Job."""
    path = f"/apis/batch/v1/namespaces/{await wire.namespace()}/jobs/nope"
    heard = await wire.ask("DELETE", path)
    assert (heard.status, len(heard.warnings)) == (404, 1)
    assert not (await wire.ask("DELETE", f"{path}?propagationPolicy=Background")).warnings


SCALES: list[tuple[Json, int, str]] = [
    ({"spec": 5}, 422, GO_FIELD.format("number", "Scale.spec", "v1.ScaleSpec")),
    ({"spec": {"replicas": "x"}}, 422, GO_FIELD.format("string", "ScaleSpec.spec.replicas", "int32")),
    ({"metadata": {"namespace": 5}}, 422, GO_FIELD.format("number", "ObjectMeta.metadata.namespace", "string")),
    ({"kind": "Foo"}, 422, f'no kind "Foo" is registered for version "autoscaling/v1" {SCHEME}'),
    ({"metadata": None}, 400, UNNAMED),
    ({"metadata": {"name": "b"}}, 400, "the name of the object (b) does not match the name on the URL (a)"),
]


@pytest.mark.parametrize(("change", "status", "why"), SCALES, ids=lambda value: str(value)[:40])
async def test_a_scale_has_types_too(wire: Wire, change: Json, status: int, why: str) -> None:
    path = deployments(await wire.namespace())
    await wire.make(path, deployment("a"))
    heard = await wire.ask("PATCH", f"{path}/a/scale", change, kind=MERGE)
    assert heard.status == status
    assert heard.body["message"].endswith(why)
    warned = await wire.ask("PATCH", f"{path}/a/scale", {"spec": {"replicas": 2, "no": 1}}, kind=MERGE)
    assert (warned.status, len(warned.warnings)) == (200, 1)


async def test_reviews_and_tokens_have_types_too(wire: Wire) -> None:
    account = f"/api/v1/namespaces/{await wire.namespace()}/serviceaccounts"
    await wire.make(account, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}})
    for path, version, kind, spec, why in (
        ("/apis/authorization.k8s.io/v1/subjectaccessreviews", "authorization.k8s.io/v1", "SubjectAccessReview", 5, GO_FIELD.format("number", "SubjectAccessReview.spec", "v1.SubjectAccessReviewSpec")),
        ("/apis/authorization.k8s.io/v1/subjectaccessreviews", "authorization.k8s.io/v1", "SubjectAccessReview", {"user": 5}, GO_FIELD.format("number", "SubjectAccessReviewSpec.spec.user", "string")),
        (f"{account}/a/token", "authentication.k8s.io/v1", "TokenRequest", {"expirationSeconds": "x"}, GO_FIELD.format("string", "TokenRequestSpec.spec.expirationSeconds", "int64")),
    ):  # fmt: skip
        heard = await wire.ask("POST", path, {"apiVersion": version, "kind": kind, "spec": spec})
        assert (heard.status, heard.body["message"].partition(f"as a {kind}: ")[2]) == (400, why)


async def test_a_read_has_no_body(wire: Wire, built_in: str) -> None:
    for path in (built_in, f"{built_in}/a"):
        assert (await wire.ask("GET", path, "x", kind=MERGE)).status == 200
