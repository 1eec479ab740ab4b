"""In what form servers answer: JSON and YAML, whole objects and metadata, and what they say where there is no such form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from contract.wire import (
    APPLY,
    DEFINITIONS,
    JSON_PATCH,
    MERGE,
    STRATEGIC,
    Json,
    Wire,
    config_map,
    config_maps,
    definition,
)

from gitopsd.plugin import yaml

DATA = Path(__file__).parent.parent / "data"
pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

ANY = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
OBJECTS = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
STREAMS = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
ONLY = f"only the following media types are accepted: {OBJECTS}"
BODIES = f"the body of the request was in an unknown format - accepted media types include: {OBJECTS}"
ROUTED = f"406: Not Acceptable\n\nAvailable representations: {OBJECTS}"


def shaped(shape: str, version: str = "v1", kind: str = "json") -> str:
    return f"application/{kind};as={shape};v={version};g=meta.k8s.io"


@pytest_asyncio.fixture
async def built_in(wire: Wire) -> str:
    """A collection of ConfigMaps with one called `a`."""
    return await _built_in(wire)


async def _built_in(wire: Wire) -> str:
    path = config_maps(await wire.namespace())
    await wire.make(path, config_map("a", labels={"which": "this"}))
    return path


@pytest_asyncio.fixture(params=["built_in", "custom"])
async def either(wire: Wire, request: pytest.FixtureRequest) -> str:
    """A collection of either sort with one object called `a`."""
    return await (_built_in if request.param == "built_in" else _custom)(wire)


@pytest_asyncio.fixture
async def custom(wire: Wire) -> str:
    """The path of a collection of a custom kind with one object called `a`."""
    return await _custom(wire)


async def _custom(wire: Wire) -> str:
    group = f"{(await wire.namespace())}.example.com"
    await wire.make(DEFINITIONS, definition(group, ANY))
    path = f"/apis/{group}/v1/things"
    await wire.until(path, lambda heard: heard.status == 200)
    await wire.make(path, {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "a"}})
    return path


async def test_objects_lists_and_refusals_as_yaml(wire: Wire, either: str) -> None:
    path = either
    for where in (f"{path}/a", path, f"{path}/nope"):
        plain = await wire.ask("GET", where)
        heard = await wire.ask("GET", where, Accept="application/yaml")
        assert (heard.status, heard.kind) == (plain.status, "application/yaml")
        assert yaml.read(heard.body) == plain.body
    heard = await wire.ask("GET", f"{path}/a", Accept=shaped("PartialObjectMetadata", kind="yaml"))
    assert yaml.read(heard.body)["kind"] == "PartialObjectMetadata"


async def test_the_most_wanted_form_that_there_is(wire: Wire, built_in: str) -> None:
    for accept, kind in (
        ("text/html, application/yaml;q=0.5, application/json;q=0.9", "application/json"),
        ("application/json;q=0.1,application/yaml", "application/yaml"),
        (f"{shaped('Nothing')},application/yaml", "application/yaml"),
        ("text/html, */*;q=0.1", "application/json"),
    ):
        heard = await wire.ask("GET", built_in, Accept=accept)
        assert (heard.status, heard.kind) == (200, kind), accept


async def test_metadata_in_the_version_before(wire: Wire, built_in: str) -> None:
    for path, shape in (
        (f"{built_in}/a", "PartialObjectMetadata"),
        (built_in, "PartialObjectMetadataList"),
        (built_in, "Table"),
    ):
        heard = await wire.ask("GET", path, Accept=shaped(shape, "v1beta1"))
        assert (heard.body["kind"], heard.body["apiVersion"]) == (shape, "meta.k8s.io/v1beta1")


async def test_forms_that_there_are_not(wire: Wire, built_in: str) -> None:
    one, several = "PartialObjectMetadata", "PartialObjectMetadataList"
    no_list = f"you requested {several}, but the requested object is not a list (*core.ConfigMap)"
    a_list = f"you requested {one}, but the requested object is a list (*core.ConfigMapList)"
    for path, accept, message in (
        (f"{built_in}/a", "text/html", ROUTED),
        (f"{built_in}/a", "application/*", ROUTED),
        (built_in, "text/html", f"{ROUTED}, {STREAMS}"),
        (built_in, shaped("Nothing"), ONLY),
        (built_in, shaped("Table", "v2"), ONLY),
        (f"{built_in}/a", shaped(several), no_list),
        (built_in, shaped(one), a_list),
    ):
        heard = await wire.ask("GET", path, Accept=accept)
        assert (heard.status, heard.body["reason"], heard.body["message"]) == (406, "NotAcceptable", message)
    heard = await wire.ask("GET", f"{built_in}?watch=1", Accept="application/yaml")
    assert (heard.status, yaml.read(heard.body)["message"]) == (
        406,
        f"only the following media types are accepted: {STREAMS}",
    )


async def test_forms_that_there_are_not_of_custom_kinds(wire: Wire, custom: str) -> None:
    heard = await wire.ask("GET", custom, Accept="text/html")
    assert (heard.status, heard.body["message"]) == (406, ONLY)
    assert (await wire.ask("GET", custom, Accept="text/html, application/*")).status == 200
    heard = await wire.ask("GET", f"{custom}/a", Accept=shaped("PartialObjectMetadataList"))
    assert (heard.status, heard.body["message"]) == (500, "content is not a list")


async def test_bodies_in_a_form_that_is_not_read(wire: Wire, either: str) -> None:
    path = either
    for method, where in (("POST", path), ("PUT", f"{path}/a"), ("DELETE", f"{path}/a"), ("DELETE", f"{path}/nope")):
        for content_type in ("text/plain", MERGE, APPLY):
            heard = await wire.ask(method, where, {}, kind=content_type)
            assert (heard.status, heard.body["reason"], heard.body["message"]) == (415, "UnsupportedMediaType", BODIES)


NOT_A_MAP = "into Go value of type map[string]interface {}"
OPERATIONS = "into Go value of type []handlers.jsonPatchOp"
PATCHES: list[tuple[str, str, str]] = [
    (MERGE, "[1]", f"error decoding patch: json: cannot unmarshal array {NOT_A_MAP}"),
    (MERGE, "null", "Invalid JSON Patch"),
    (MERGE, "", "error decoding patch: unexpected end of JSON input"),
    (STRATEGIC, "5", f"json: cannot unmarshal number {NOT_A_MAP}"),
    (STRATEGIC, "{", "unexpected end of JSON input"),
    (JSON_PATCH, "{}", f"error decoding patch: json: cannot unmarshal object {OPERATIONS}"),
    (JSON_PATCH, "5", f"error decoding patch: json: cannot unmarshal number {OPERATIONS}"),
    (JSON_PATCH, "[5]", "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp"),
    *(
        (JSON_PATCH, f'[{{"{name}": 1}}]', f"error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.{name} of type string")
        for name in ("op", "path", "from")
    ),
    (JSON_PATCH, "[", "error decoding patch: unexpected end of JSON input"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "message"), PATCHES)
async def test_patches_that_are_none(wire: Wire, built_in: str, kind: str, text: str, message: str) -> None:
    heard = await wire.ask("PATCH", f"{built_in}/a", text, kind=kind)
    assert (heard.status, heard.body["message"]) == (400, message)


async def test_an_empty_strategic_patch_changes_nothing(wire: Wire, built_in: str) -> None:
    heard = await wire.ask("PATCH", f"{built_in}/a", "null", kind=STRATEGIC)
    assert heard.status == 200


async def test_the_patches_of_custom_kinds(wire: Wire, custom: str) -> None:
    patches = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    for kind in (STRATEGIC, "text/plain"):
        heard = await wire.ask("PATCH", f"{custom}/a", {}, kind=kind)
        assert (heard.status, heard.body["message"]) == (415, BODIES.replace(OBJECTS, patches))


def of(body: Json) -> Any:
    """The fields of a refusal with what is said, else its message."""
    causes = (body.get("details") or {}).get("causes")
    return [(cause["field"], cause["message"]) for cause in causes] if causes else body.get("message")


STRUCT = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
HEADER = "couldn't get version/kind; json parse error"
SCHEME = 'in scheme "pkg/runtime/scheme.go:111"'
FIELD = "json: cannot unmarshal {} into Go struct field {} of type {}"
POLICIES = 'supported values: "Foreground", "Background", "Orphan", "nil"'
MANAGED = "orphanDependents and deletionPropagation cannot be both set"
DELETIONS: list[tuple[str, Any]] = [
    ("{", f"{HEADER}: unexpected end of JSON input"),
    ("5", f"{HEADER}: json: cannot unmarshal number into Go value of type {STRUCT}"),
    ('{"kind": 5}', f"{HEADER}: {FIELD.format('number', '.kind', 'string')}"),
    ('{"kind": "Foo"}', f'no kind "Foo" is registered for version "meta.k8s.io/v1" {SCHEME}'),
    ('{"kind": "ConfigMap", "apiVersion": "v1"}', f'no kind "ConfigMap" is registered for version "v1" {SCHEME}'),
    ('{"gracePeriodSeconds": "x"}', FIELD.format("string", "DeleteOptions.gracePeriodSeconds", "int64")),
    ('{"gracePeriodSeconds": 9223372036854775808}', FIELD.format("number 9223372036854775808", "DeleteOptions.gracePeriodSeconds", "int64")),
    ('{"preconditions": {"uid": 5}}', FIELD.format("number", "Preconditions.preconditions.uid", "types.UID")),
    ('{"preconditions": {"resourceVersion": 5}}', FIELD.format("number", "Preconditions.preconditions.resourceVersion", "string")),
    ('{"dryRun": "All"}', FIELD.format("string", "DeleteOptions.dryRun", "[]string")),
    ('{"dryRun": [1]}', FIELD.format("number", "DeleteOptions.dryRun", "string")),
    ('{"dryRun": ["x"]}', [("dryRun", 'Unsupported value: ["x"]: supported values: "All"')]),
    ('{"propagationPolicy": "x"}', [("propagationPolicy", f'Unsupported value: "x": {POLICIES}')]),
    ('{"propagationPolicy": "Orphan", "orphanDependents": true}', [("propagationPolicy", f'Invalid value: "Orphan": {MANAGED}')]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), DELETIONS)
async def test_options_of_a_deletion_that_are_none(wire: Wire, built_in: str, text: str, expected: Any) -> None:
    """Whether the object is there is not asked before."""
    for where in (f"{built_in}/a", f"{built_in}/nope", f"{built_in}?labelSelector=which%3Dnone"):
        heard = await wire.ask("DELETE", where, text)
        assert (heard.status, of(heard.body)) == (422 if isinstance(expected, list) else 400, expected)


async def test_options_of_a_deletion_that_are_taken(wire: Wire, built_in: str) -> None:
    """With a body, what the address says is not read."""
    texts = [
        "null",
        "{}",
        '{"apiVersion": "apps/v1", "kind": "DeleteOptions"}',
        '{"no": 1}',
        '{"gracePeriodSeconds": -1}',
    ]
    for number, text in enumerate(texts):
        await wire.make(built_in, config_map(f"b{number}"))
        assert (await wire.ask("DELETE", f"{built_in}/b{number}?dryRun=All&uid=x", text)).status == 200
        assert (await wire.ask("GET", f"{built_in}/b{number}")).status == 404
    text = "kind: DeleteOptions\napiVersion: v1\npropagationPolicy: x\n"
    assert (await wire.ask("DELETE", f"{built_in}/a", text, kind="application/yaml")).status == 422


async def test_options_of_a_deletion_in_its_address(wire: Wire, built_in: str) -> None:
    for query, status in (
        ("gracePeriodSeconds=x", 400), ("propagationPolicy=x", 422), ("propagationPolicy=", 422), ("dryRun=x", 422),
        ("orphanDependents=true&propagationPolicy=Orphan", 422), ("resourceVersion=1", 409), ("uid=x", 409),
    ):  # fmt: skip
        assert (await wire.ask("DELETE", f"{built_in}/a?{query}")).status == status
    path = f"{built_in}/a?dryRun=All&orphanDependents=true"  # waits for the garbage collector, so it is shown
    assert (await wire.ask("DELETE", path)).body["metadata"]["finalizers"] == ["orphan"]


FORBIDDEN = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
LISTS: list[tuple[str, Any]] = [
    ("timeoutSeconds=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
    ("limit=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
    ("limit=99999999999999999999", 'strconv.ParseInt: parsing "99999999999999999999": value out of range'),
    ("resourceVersionMatch=Exact", [("resourceVersionMatch", FORBIDDEN)]),
    ("resourceVersionMatch=Exact&resourceVersion=0", [("resourceVersionMatch", 'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"')]),
    ("resourceVersionMatch=x&resourceVersion=1", [("resourceVersionMatch", 'Unsupported value: "x": supported values: "Exact", "NotOlderThan", ""')]),
    ("sendInitialEvents=true", [("sendInitialEvents", "Forbidden: sendInitialEvents is forbidden for list")]),
    ("labelSelector=a%20b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
    ("labelSelector=a%3Dx%20y", "found 'y', expected: ',' or 'end of string'"),
    ("continue=x", "invalid continue token: continue key is not valid: illegal base64 data at input byte 0"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), LISTS)
async def test_options_of_a_list_that_are_none(wire: Wire, built_in: str, query: str, expected: Any) -> None:
    for method in ("GET", "DELETE"):
        heard = await wire.ask(method, f"{built_in}?{query}")
        assert (heard.status, of(heard.body)) == (422 if isinstance(expected, list) else 400, expected)


async def test_options_of_a_list_that_are_taken(wire: Wire, built_in: str) -> None:
    for query in ("timeoutSeconds=-1", "limit=-1", "allowWatchBookmarks=x", "watch=False", "watch=0", "nothing=1"):
        assert (await wire.ask("GET", f"{built_in}?{query}")).body["kind"] == "ConfigMapList"
    for query in ("watch", "watch=x"):
        async with wire.watch(f"{built_in}?{query}") as following:
            assert (await following())["type"] == "ADDED"


async def test_a_collection_is_deleted_page_by_page(wire: Wire, built_in: str) -> None:
    for name in "bc":
        await wire.make(built_in, config_map(name, labels={"which": "this"}))
    heard = await wire.ask("DELETE", f"{built_in}?labelSelector=which%3Dthis&limit=2")
    assert [item["metadata"]["name"] for item in heard.body["items"]] == ["a", "b"]
    assert heard.body["metadata"]["continue"]
    left = (await wire.ask("GET", f"{built_in}?labelSelector=which%3Dthis")).body
    assert [item["metadata"]["name"] for item in left["items"]] == ["c"]


async def test_managers_that_cannot_be_printed(wire: Wire, built_in: str) -> None:
    for asked, shown, sign, at in (
        ("%0A", r"\n", "000A", 0),
        ("a%09b", r"a\tb", "0009", 1),
        ("%E2%80%A8", r"\u2028", "2028", 0),
    ):
        heard = await wire.ask("POST", f"{built_in}?fieldManager={asked}", config_map("b"))
        why = f'Invalid value: "{shown}": invalid character U+{sign} (at position {at})'
        assert (heard.status, of(heard.body)) == (422, [("fieldManager", why)])
    assert (await wire.ask("POST", f"{built_in}?fieldManager=%C3%BC%20x", config_map("b"))).status == 201


SAID: dict[str, str] = json.loads((DATA / "sandbox/selectors.json").read_text())
"""What a 1.36.2 server said of selectors of labels; nothing where it took them."""


async def test_selectors_of_labels(wire: Wire, built_in: str) -> None:
    heard = {text: (await wire.ask("GET", f"{built_in}?labelSelector={quote(text)}")).body for text in SAID}
    assert {text: body["message"] if body["kind"] == "Status" else "" for text, body in heard.items()} == SAID


@pytest.mark.parametrize(
    ("query", "headers", "pretty"),
    [
        ("pretty=true", {}, True),
        ("pretty=1", {}, True),
        ("pretty=false", {"User_Agent": "curl/8.9"}, False),
        ("pretty=x", {}, False),
        ("", {"User_Agent": "curl/8.9"}, True),
        ("", {"User_Agent": "Mozilla/5.0 (X11)"}, True),
        ("", {"User_Agent": "kubectl/v1.36.2"}, False),
        ("", {"Accept": "application/json;pretty=1"}, True),
    ],
)
async def test_json_for_people_is_indented(
    wire: Wire, either: str, query: str, headers: dict[str, str], pretty: bool
) -> None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    for path in ("", "/a", "/nothing"):
        async with wire.session.get(f"{either}{path}?{query}", headers=named) as response:
            text = (await response.text()).rstrip()
        assert ("\n" in text) is pretty
        assert not pretty or text == json.dumps(json.loads(text), indent=2, ensure_ascii=False)


async def test_head_is_for_custom_resources_only(wire: Wire, built_in: str) -> None:
    custom = await _custom(wire)
    found = [
        (await wire.ask("HEAD", f"{path}{name}")).status for path in (built_in, custom) for name in ("", "/a", "/b")
    ]
    assert found == [405, 405, 405, 200, 200, 404]
