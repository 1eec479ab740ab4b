"""Bytes of a request to an object of the resource that the URL names, and the refusals where they do not fit.

Decodes JSON and, for applies, YAML through the project's own reader; checks apiVersion, kind and name; treats unknown
fields as `fieldValidation` says. It stores nothing and knows no live objects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from gitopsd_plugins.sandbox.facts.decoding import Numbers, Reader, WrongType, json_type
from gitopsd_plugins.sandbox.facts.resources import Resource
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.merging.strategic import go
from gitopsd_plugins.sandbox.requests import identity, manifest, status
from gitopsd_plugins.sandbox.requests.call import Call
from gitopsd_plugins.sandbox.requests.manifest import YamlError, header, load_json, load_yaml, repeated, syntax
from gitopsd_plugins.sandbox.storage.store import encode

PROTOBUF = "application/vnd.kubernetes.protobuf"
BODY_LIMIT = 3 * 1024 * 1024
"""Bytes of a request, as the API server limits them."""


def document(call: Call) -> Json:
    """The object of a create or update. Raises `Refused`."""
    try:
        value = _loaded(call)
    except (msgspec.DecodeError, YamlError) as error:
        raise identity.unrecognized(call, _unread(call, error)) from error
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise identity.unrecognized(call, header(value))
    identity.check(call, value)
    return _with_metadata(call.resource, value)


def _unread(call: Call, error: Exception) -> str:
    if call.content_type == PROTOBUF:
        return str(error)
    return f"couldn't get version/kind; json parse error: {syntax(error, call.body)}"


def _loaded(call: Call) -> Any:
    """The value of a body in any form. Raises what the form's reader raises."""
    if call.content_type == PROTOBUF:
        return _from_protobuf(call)
    return load_yaml(call.body) if "yaml" in call.content_type else load_json(call.body)


def _from_protobuf(call: Call) -> Any:
    from gitopsd_plugins.sandbox.facts import (
        protobuf,  # here, because only kubectl sends it, and a sandbox should start soon
    )

    try:
        return protobuf.read(call.body, call.resource.schema)
    except protobuf.Malformed as error:
        raise msgspec.DecodeError(str(error)) from error


def _with_metadata(resource: Resource, value: Json) -> Json:
    return {
        **value,
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {} if value.get("metadata") is None else value["metadata"],
    }


def read(call: Call, value: Json) -> Json:
    """The object as the server's typed decoding leaves it. Raises `Refused`; warnings go to the call."""
    try:
        body, unknown = typed(call.resource, value, "yaml" if "yaml" in call.content_type else "json")
    except WrongType as error:
        raise _undecodable(call, str(error)) from error
    _tell(call, [*_unknown(unknown), *_duplicates(call)], lambda why: _undecodable(call, why))
    return body


def _undecodable(call: Call, why: str) -> status.Refused:
    kind = call.resource.kind
    return status.bad_request(f'{kind} in version "{call.resource.version}" cannot be handled as a {kind}: {why}')


def _tell(call: Call, odd: Sequence[str], refused: Callable[[str], status.Refused]) -> None:
    """Refuse what a body says in vain, or warn of it, as the request wants. Raises `Refused`."""
    if odd and _validation(call) == "Strict":
        raise refused(f"strict decoding error: {', '.join(odd)}")
    if _validation(call) == "Warn":
        call.warnings.extend(odd)


def typed(resource: Resource, value: Json, numbers: Numbers) -> tuple[Json, Sequence[str]]:
    """The object without nulls and unknown fields, and the paths of those. Raises `WrongType`."""
    reader = Reader(resource.kind, typed=not resource.custom, numbers=numbers)
    if not resource.custom:
        return reader.read(value, resource.schema), reader.unknown
    content = {name: item for name, item in value.items() if name != "metadata"}
    inner = Reader("ObjectMeta", numbers=numbers)
    if not isinstance(value["metadata"], dict):
        raise WrongType(f"json: cannot unmarshal {json_type(value['metadata'])} into Go value of type v1.ObjectMeta")
    metadata = inner.read(value["metadata"], resource.schema.fields["metadata"])
    body = {**reader.read(content, resource.schema), "metadata": metadata}
    return body, [*reader.unknown, *(f"metadata.{path}" for path in inner.unknown)]


def _validation(call: Call) -> str:
    return call.query.get("fieldValidation") or "Warn"


def _unknown(paths: Sequence[str]) -> list[str]:
    return [f'unknown field "{path}"' for path in paths]


def _duplicates(call: Call) -> list[str]:
    """What a JSON body says twice; nobody asks where it is not to be told."""
    if "json" not in call.content_type or _validation(call) == "Ignore":
        return []
    return [f'duplicate field "{path}"' for path in repeated(call.body)]


def refuse_patched(call: Call, why: str) -> status.Refused:
    """422 for a patch whose result cannot be decoded."""
    cause = status.Cause("patch", "FieldValueInvalid", f"Invalid value: {why}")
    return status.invalid("", "", "", [cause])


def read_patched(call: Call, value: Json) -> Json:
    """As `read`, for the result of a patch. Raises `Refused` (422)."""
    try:
        body, unknown = typed(call.resource, value, "restored" if is_strategic(call) else "json")
    except WrongType as error:
        why = error.restored if is_strategic(call) else str(error)
        raise refuse_patched(call, f"{_shown(call, value)}: {why}") from error
    _tell(
        call, [*_of_patch(call), *_unknown(unknown)], lambda why: refuse_patched(call, f"{_shown(call, value)}: {why}")
    )
    return body


def _of_patch(call: Call) -> list[str]:
    """What a patch says twice, and what its operations say that means nothing."""
    found = _duplicates(call)
    if call.content_type != "application/json-patch+json":
        return found
    odd = [
        f'unknown field "[{index}].{name}"'
        for index, operation in enumerate(load_json(call.body) or ())
        for name in operation
        if name not in ("op", "path", "from", "value")
    ]
    return [f"json patch {each}" for each in (*found, *odd)]


def is_strategic(call: Call) -> bool:
    """Whether the request is a strategic merge patch."""
    return call.content_type == manifest.STRATEGIC


def _shown(call: Call, value: Json) -> str:
    """What a message shows of a patch that is refused: the patch as Go prints it, or the whole object."""
    return encode(go(patch(call))).decode() if is_strategic(call) else quoted(value)


def read_applied(call: Call, value: Json, stated: Json) -> Json:
    """As `read`, for the object after an apply. Raises `Refused` (500), as the API server does for what its types refuse."""
    try:
        body, unknown = typed(call.resource, value, "restored")
    except WrongType as error:
        kind = call.resource.kind_text
        why = f"unable to convert unstructured object to {kind}: {error.restored}"
        what = f"{stated['metadata'].get('namespace', '')}/{stated['metadata'].get('name', '')}; {kind}"
        message = f"failed to convert new object ({what}) to proper version: {why}"
        raise status.Refused(500, "", message) from error
    if _validation(call) == "Warn":
        call.warnings.extend(_unknown(unknown))
    return body


def quoted(value: Json) -> str:
    """An object as messages carry it: its JSON, as a JSON text."""
    return encode(encode(value).decode()).decode()


def patch(call: Call) -> Any:
    """The patch of a PATCH request that is no apply. Raises `Refused`."""
    try:
        return load_json(call.body)
    except msgspec.DecodeError as error:
        raise refuse_patch(call, syntax(error, call.body)) from error


def refuse_patch(call: Call, why: str) -> status.Refused:
    """400 for a patch that is none."""
    return status.bad_request(why if is_strategic(call) else f"error decoding patch: {why}")


def stated(call: Call) -> Json:
    """The manifest of a server-side apply. Raises `Refused`."""
    try:
        value = load_yaml(call.body)
    except YamlError as error:
        raise status.bad_request(f"error decoding YAML: {error}") from error
    if value is None:
        value = {}
    if not isinstance(value, dict):
        why = f"json: cannot unmarshal {json_type(value)} into Go value of type map[string]interface {{}}"
        raise status.bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {why}")
    identity.check_applied(call.resource, value)
    return _with_metadata(call.resource, value)
