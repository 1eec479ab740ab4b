"""One request to one answer, without HTTP's details: paths to handlers, users, refusals, warnings.

`answer` is synchronous and complete but for watches, which it opens and the server writes out. It is what tests may call
in process, and the only place that maps verbs to `reads.py`, `creation.py`, `writes.py`, `applies.py`, `deletion.py` and
`subresources.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.facts import discovery
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import bodies, delete_options, negotiation, status
from gitopsd_plugins.sandbox.requests import call as calls
from gitopsd_plugins.sandbox.requests.call import Call
from gitopsd_plugins.sandbox.requests.user import User
from gitopsd_plugins.sandbox.storage.store import Stored, encode
from gitopsd_plugins.sandbox.verbs import applies, creation, deletion, reads, subresources, writes
from gitopsd_plugins.sandbox.views import views
from gitopsd_plugins.sandbox.views.watch import Watcher

BODY_TYPES = ("application/json", "application/yaml", bodies.PROTOBUF, "")
PROBES = ("/healthz", "/livez", "/readyz")
"""Paths that need no token."""


class Asked(Struct, frozen=True, kw_only=True):
    """A request as HTTP delivers it. Header names are lower case, or the mapping does not care."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    user: User


class Answer(Struct, frozen=True, kw_only=True):
    """What to send. `watcher` stands for a body that goes on."""

    code: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    warnings: tuple[str, ...] = ()
    retry_after: int = 0
    watcher: Watcher | None = None


def answer(cluster: Cluster, asked: Asked) -> Answer:
    """Carry out one request."""
    found = _in_json(cluster, asked)
    if not found.body or not found.content_type.startswith("application/json"):
        return found
    wanted = negotiation.form(asked.headers.get("accept", ""))
    if wanted is not None and wanted.yaml and found.content_type == "application/json":
        text = negotiation.yaml(msgspec.json.decode(found.body))
        return replace(found, body=text.encode(), content_type="application/yaml")
    if negotiation.is_pretty(wanted, asked.query.get("pretty", ""), asked.headers.get("user-agent", "")):
        return replace(found, body=msgspec.json.format(found.body, indent=2))
    return found


def _in_json(cluster: Cluster, asked: Asked) -> Answer:
    try:
        target = calls.parse(asked.path, cluster.resources)
        if target is None:
            return _other(cluster, asked)
        return _answered(cluster, _call(asked, target))
    except status.Refused as refused:
        return _refusal(refused)


def _refusal(refused: status.Refused, warnings: Sequence[str] = ()) -> Answer:
    body = encode(refused.body)
    return Answer(code=refused.code, body=body, retry_after=refused.retry_after, warnings=tuple(warnings))


def _answered(cluster: Cluster, call: Call) -> Answer:
    """The answer to a request; a refusal tells the warnings that came up before it."""
    try:
        return _resource(cluster, call)
    except status.Refused as refused:
        return _refusal(refused, call.warnings)


def _call(asked: Asked, target: calls.Target) -> Call:
    return Call(
        verb=calls.verb(asked.method, target, asked.query),
        target=target,
        query=asked.query,
        user=asked.user,
        agent=asked.headers.get("user-agent", ""),
        content_type=asked.headers.get("content-type", "").partition(";")[0].strip().lower(),
        accept=asked.headers.get("accept", ""),
        body=asked.body,
    )


def _resource(cluster: Cluster, call: Call) -> Answer:
    cluster.access.check(call)
    _check_types(call)
    if call.verb == "get":
        reads.check_version(cluster, call)
    match call.verb:
        case "get" if call.target.subresource in ("", "status"):
            return Answer(body=reads.view(cluster, call)(call.resource, reads.found(cluster, call)))
        case "list":
            return Answer(body=reads.listed(cluster, call))
        case "watch":
            return Answer(watcher=reads.watch(cluster, call))
        case "delete":
            return _delete(cluster, call)
        case "deletecollection":
            return _delete_collection(cluster, call)
    return _write(cluster, call)


READ_WITHOUT_BODY = ("get", "list", "watch")
CUSTOM_PATCHES = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"


def _check_types(call: Call) -> None:
    """Refuse bodies and answers in forms that the sandbox does not speak."""
    negotiation.checked(call.accept, call.verb, call.resource)
    if call.verb == "patch":
        if call.resource.custom and call.content_type not in CUSTOM_PATCHES.split(", "):
            raise status.unknown_format(CUSTOM_PATCHES)
        if call.content_type not in calls.PATCH_TYPES:
            raise status.unsupported_media_type()
    elif call.verb in READ_WITHOUT_BODY:
        return
    elif (call.verb in ("create", "update") or call.body) and call.content_type not in BODY_TYPES:
        raise status.unknown_format(negotiation.OBJECTS)


def _write(cluster: Cluster, call: Call) -> Answer:
    calls.check_options(call)
    special = subresources.answer(cluster, call)
    if special is not None:
        return _shown(cluster, call, special, 201 if call.verb == "create" else 200)
    if call.verb == "create":
        return _shown(cluster, call, creation.create(cluster, call), 201)
    key = call.resource.key, (call.target.namespace, call.target.name)
    code = 201 if cluster.store.get(*key) is None else 200
    if call.verb == "update":
        return _shown(cluster, call, writes.update(cluster, call), code)
    change = applies.apply if call.is_apply() else writes.change
    return _shown(cluster, call, change(cluster, call), code)


def _shown(cluster: Cluster, call: Call, written: Stored | Json, code: int) -> Answer:
    warnings = tuple(call.warnings)
    if isinstance(written, Stored):
        return Answer(code=code, body=reads.view(cluster, call)(call.resource, written), warnings=warnings)
    if (
        written["kind"] == call.resource.kind
        and call.target.subresource in ("", "status")
        and "list" in call.resource.verbs
    ):
        return Answer(code=code, body=views.body(call.resource, written), warnings=warnings)
    return Answer(code=code, body=encode(written), warnings=warnings)


def _delete(cluster: Cluster, call: Call) -> Answer:
    asked = delete_options.of(call)
    deletion.warn(call, asked)
    stored = reads.found(cluster, call)
    return _shown(cluster, call, deletion.delete(cluster, call, stored, asked), 200)


def _delete_collection(cluster: Cluster, call: Call) -> Answer:
    asked = delete_options.of(call)
    page = reads.page(cluster, call)
    for stored in page.objects:
        deletion.check(call, stored, asked)
    deletion.warn(call, asked)
    if not delete_options.is_dry(asked):
        for stored in page.objects:
            deletion.mark(cluster, stored, asked)
    return Answer(body=reads.shown(call, page), warnings=tuple(call.warnings))


def _other(cluster: Cluster, asked: Asked) -> Answer:
    """Paths that name no resource: probes, discovery, OpenAPI."""
    path = asked.path.rstrip("/")
    if path in PROBES or path.startswith(tuple(f"{probe}/" for probe in PROBES)):
        return Answer(body=b"ok", content_type="text/plain")
    if path.startswith("/openapi/"):
        return _openapi(cluster, asked, path)
    document = _document(cluster, asked, path)
    if document is None:
        return NOT_FOUND
    aggregated = document.get("kind") == "APIGroupDiscoveryList"
    return Answer(body=encode(document), content_type=discovery.AGGREGATED if aggregated else "application/json")


def _document(cluster: Cluster, asked: Asked, path: str) -> Json | None:
    accept, known = asked.headers.get("accept", ""), cluster.resources
    aggregated = "as=APIGroupDiscoveryList" in accept and "v=v2;" in accept + ";"
    parts = path.strip("/").split("/")
    match parts:
        case ["version"]:
            return discovery.version()
        case ["api"]:
            address = asked.headers.get("host", "")
            return discovery.aggregated(known, core=True) if aggregated else discovery.api_versions(address)
        case ["apis"]:
            return discovery.aggregated(known, core=False) if aggregated else discovery.group_list(known)
        case ["api", "v1"]:
            return discovery.resource_list(known, "", "v1")
        case ["apis", group] if group and group in known.groups():
            return {"kind": "APIGroup", "apiVersion": "v1", **discovery.group(known, group)}
        case ["apis", group, version] if version in known.versions(group):
            return discovery.resource_list(known, group, version)
    return None


NOT_FOUND = Answer(code=404, body=b"404 page not found\n", content_type="text/plain")


def _openapi(cluster: Cluster, asked: Asked, path: str) -> Answer:
    from gitopsd_plugins.sandbox.facts import openapi

    known = cluster.resources
    match path.strip("/").split("/"):
        case ["openapi", "v2"] if "protobuf" in asked.headers.get("accept", ""):
            return Answer(body=openapi.before(), content_type=openapi.BEFORE_TYPE)
        case ["openapi", "v2"]:
            return Answer(body=encode(openapi.BEFORE))
        case ["openapi", "v3"]:
            return Answer(body=encode(openapi.paths(known)))
        case ["openapi", "v3", "api", "v1"]:
            return Answer(body=encode(openapi.document(known, "", "v1")))
        case ["openapi", "v3", "apis", group, version] if version in known.versions(group):
            return Answer(body=encode(openapi.document(known, group, version)))
    return NOT_FOUND
