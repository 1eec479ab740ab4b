"""Whether a body is of the kind that the URL names: version and kind of creates, updates, patches and applies.

Each way of writing has its own words for it, and custom kinds have others than built-in ones.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from gitopsd_plugins.sandbox.facts import resources
from gitopsd_plugins.sandbox.facts.resources import Resource
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import causes, manifest, status
from gitopsd_plugins.sandbox.requests.call import Call
from gitopsd_plugins.sandbox.storage import store


def check(call: Call, value: Json) -> None:
    """Refuse the body of a create or update that is of another kind. Raises `Refused`."""
    resource, text = call.resource, call.body
    version, kind = value.get("apiVersion"), value.get("kind")
    if (version, kind) == (resource.api_version, resource.kind):
        return
    if why := _unreadable(value) or (_kindless(kind, _decoded(text)) if resource.custom else ""):
        raise unrecognized(call, why)
    if resource.custom:
        _check_custom(resource, value)
    else:
        _check_built_in(resource, version or resource.api_version, kind or resource.kind, _decoded(text))


def unrecognized(call: Call, why: str) -> status.Refused:
    """400 for a body whose kind cannot be known."""
    kind, shown = call.resource.kind, manifest.summary(call.body)
    return status.bad_request(f"the object provided is unrecognized (must be of type {kind}): {why} ({shown})")


def _decoded(text: bytes) -> str:
    return text.decode(errors="replace")


def _check_custom(resource: Resource, value: Json) -> None:
    version, kind = value.get("apiVersion") or "", value["kind"]
    if "apiVersion" in value and value["apiVersion"] is None:
        raise status.bad_request(f'{kind} in version "" cannot be handled as a {resource.kind}: {_NO_TEXT}')
    _check_version(resource, version)
    raise _of_custom(resource, version, kind, _name(value))


def _check_built_in(resource: Resource, version: str, kind: str, text: str) -> None:
    if why := _unknown(resource, version, kind, text):
        shown = "" if version.endswith("/") else version.rpartition("/")[2]
        raise status.bad_request(f'{kind} in version "{shown}" cannot be handled as a {resource.kind}: {why}')
    _check_version(resource, version)


def _check_version(resource: Resource, version: str) -> None:
    if version != resource.api_version:
        expected = f"does not match the expected API version ({resource.api_version})"
        raise status.bad_request(f"the API version in the data ({version}) {expected}")


def patched(call: Call, value: Json) -> Json:
    """The result of a patch, which is of the kind that it was, and has metadata. Raises `Refused`."""
    if value.get("metadata") is None:
        value = {**value, "metadata": {}}
    if (value.get("apiVersion"), value.get("kind")) == (call.resource.api_version, call.resource.kind):
        return value
    if call.content_type == manifest.STRATEGIC:
        return _kept(call.resource, value)
    _check_patched(call, value)
    return {**value, "kind": call.resource.kind}


def _check_patched(call: Call, value: Json) -> None:
    resource = call.resource
    version, kind = value.get("apiVersion"), value.get("kind")
    shown = store.encode(value).decode()
    if why := _unreadable(value):
        raise _refuse_patched(shown, why)
    if not resource.custom:
        _check_patched_built_in(call, version, kind or resource.kind, shown)
        return
    why = _kindless(kind, shown) or (_NO_TEXT if "apiVersion" in value and version is None else "")
    if why:
        raise _refuse_patched(shown, why)
    if not version:
        raise status.internal("Object 'apiVersion' is missing in 'object has no apiVersion field'")
    raise _of_custom(resource, version, str(kind), call.target.name)


def _check_patched_built_in(call: Call, version: Any, kind: str, shown: str) -> None:
    if not version:
        raise status.bad_request(
            f"the name of the object ({call.target.name} based on URL) was undeterminable: name must be provided"
        )
    if why := _unknown(call.resource, version, kind, shown):
        raise _refuse_patched(shown, why)
    _check_version(call.resource, version)


def _refuse_patched(shown: str, why: str) -> status.Refused:
    """422 for a patch whose result is of no kind, or another."""
    quoted = store.encode(shown).decode()
    return status.invalid("", "", "", [status.Cause("patch", "FieldValueInvalid", f"Invalid value: {quoted}: {why}")])


def _kept(resource: Resource, value: Json) -> Json:
    """The result of a strategic merge patch, which cannot change the kind; what is no text is left to the types."""
    for name, told in (("apiVersion", resource.api_version), ("kind", resource.kind)):
        if isinstance(value.get(name), str | None):
            value = {**value, name: told}
    return value


def check_applied(resource: Resource, value: Json) -> None:
    """Refuse a manifest of another kind. Raises `Refused`."""
    version, kind = value.get("apiVersion"), value.get("kind")
    if (version, kind) == (resource.api_version, resource.kind):
        return
    version = version if isinstance(version, str) else ""
    kind = kind if isinstance(kind, str) else ""
    if version.count("/") > 1:
        version = kind = ""
    shown = version if "/" in version else f"/{version}"
    raise status.bad_request(f"invalid object type: {shown}, Kind={kind}")


_NO_TEXT = ".apiVersion accessor error: <nil> is of the type <nil>, expected string"


def _unreadable(value: Json) -> str:
    if why := manifest.header(value):
        return why
    version = value.get("apiVersion") or ""
    return f"unexpected GroupVersion string: {version}" if version.count("/") > 1 else ""


def _kindless(kind: Any, shown: str) -> str:
    """Why a custom resource has no kind; built-in ones are what the address says then."""
    return "" if kind else f"Object 'Kind' is missing in '{shown}'"


def _name(value: Json) -> Any:
    metadata = value.get("metadata")
    return metadata.get("name", "") if isinstance(metadata, dict) else ""


def _unknown(resource: Resource, version: str, kind: str, shown: str) -> str:
    """Why a built-in kind cannot be converted to that of the resource; empty where it can, or is in another version only."""
    if (version, kind) == (resource.api_version, resource.kind):
        return ""
    if version.endswith("/"):
        return f"Object 'apiVersion' is missing in '{shown}'"
    if (version, kind) not in _registered():
        return manifest.unregistered(kind, version)
    if kind == resource.kind and version.rpartition("/")[0] == resource.group:
        return ""
    short = version.rpartition("/")[2]
    return f"converting ({short}.{kind}) to ({_package(resource)}.{resource.kind}): unknown conversion"


def _package(resource: Resource) -> str:
    """Go's package of a group's own types."""
    return resource.group.partition(".")[0] or "core"


_OPTIONS = (
    "CreateOptions",
    "DeleteOptions",
    "GetOptions",
    "ListOptions",
    "PatchOptions",
    "UpdateOptions",
    "WatchEvent",
)
"""Kinds that there are in every version."""


@lru_cache(maxsize=1)
def _registered() -> frozenset[tuple[str, str]]:
    kinds = {(each.api_version, each.kind) for each in resources.built_in()}
    lists = {(version, f"{kind}List") for version, kind in kinds}
    options = {(version, each) for version, _ in kinds for each in _OPTIONS}
    return frozenset({("v1", "Status"), ("v1", "List"), *kinds, *lists, *options})


def _of_custom(resource: Resource, version: str, kind: str, name: Any) -> status.Refused:
    found = []
    if kind != resource.kind:
        found.append(causes.wrong("kind", kind, f"must be {resource.kind}"))
    if version != resource.api_version:
        found.append(causes.wrong("apiVersion", version, f"must be {resource.api_version}"))
    return status.invalid(version.rpartition("/")[0], kind, name if isinstance(name, str) else "", found)
