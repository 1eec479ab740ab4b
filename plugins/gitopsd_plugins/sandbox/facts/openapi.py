"""OpenAPI v3 documents, one per group and version, made of the type table and of custom resources' own schemas.

They carry what clients take from them: every kind with its fields and their types for `kubectl explain`, merge keys for client-side
patches, and the `fieldValidation` option on PATCH that makes kubectl leave validation to the server. Descriptions are left out.
"""

from __future__ import annotations

from typing import Any

from gitopsd_plugins.sandbox.facts import type_table
from gitopsd_plugins.sandbox.facts.resources import Resource, Resources
from gitopsd_plugins.sandbox.facts.schema import Json

_TYPES: dict[str, Json] = {
    "any": {},
    "boolean": {"type": "boolean"},
    "byte": {"type": "string", "format": "byte"},
    "date-time": {"type": "string", "format": "date-time"},
    "double": {"type": "number", "format": "double"},
    "int-or-string": {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "string": {"type": "string"},
}
_ANNOTATIONS = {
    "listMapKeys": "x-kubernetes-list-map-keys",
    "listType": "x-kubernetes-list-type",
    "mapType": "x-kubernetes-map-type",
    "patchMergeKey": "x-kubernetes-patch-merge-key",
    "patchStrategy": "x-kubernetes-patch-strategy",
}
_OPTIONS = [
    {"name": name, "in": "query", "schema": {"type": "string"}}
    for name in ("dryRun", "fieldManager", "fieldValidation")
]


BEFORE = {"swagger": "2.0", "info": {"title": "Kubernetes", "version": "v1.36"}, "paths": {}, "definitions": {}}
"""OpenAPI v2, which has no types here. kubectl asks for it where an object is a `List`; it then checks nothing itself."""
BEFORE_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


def before() -> bytes:
    """The same as protobuf, the only form in which kubectl reads it."""
    info = _message(1, b"Kubernetes") + _message(2, b"v1.36")
    return _message(1, b"2.0") + _message(2, info) + _message(8, b"") + _message(9, b"")


def _message(number: int, content: bytes) -> bytes:
    """A text or message of less than 128 bytes."""
    return bytes((number << 3 | 2, len(content))) + content


def paths(resources: Resources) -> Json:
    """The answer to /openapi/v3."""
    names = [_path(group, version) for group in resources.groups() for version in resources.versions(group)]
    return {"paths": {name: {"serverRelativeURL": f"/openapi/v3/{name}"} for name in names}}


def _path(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def document(resources: Resources, group: str, version: str) -> Json:
    """The document of one version."""
    found: Json = {}
    schemas: Json = {}
    for resource in resources.of_version(group, version):
        name = resource.schema.type_name or f"{'.'.join(reversed(group.split('.')))}.{version}.{resource.kind}"
        kind = {"group": group, "version": version, "kind": resource.kind}
        if "patch" in resource.verbs:
            found |= _operations(resource, kind, name)
        _collect(schemas, resource, name)
        if name in schemas:
            schemas[name] = {**schemas[name], "x-kubernetes-group-version-kind": [kind]}
    info = {"title": "Kubernetes", "version": type_table.table().version}
    return {"openapi": "3.0.0", "info": info, "paths": found, "components": {"schemas": schemas}}


def _operations(resource: Resource, kind: Json, name: str) -> Json:
    """What can be done with one object, as far as clients look at it."""
    where = f"/{_path(resource.group, resource.version)}"
    where += "/namespaces/{namespace}" if resource.namespaced else ""
    answer = {"200": {"description": "OK", "content": {"application/json": {"schema": _reference(name)}}}}
    shared = {"x-kubernetes-group-version-kind": kind, "responses": answer}
    get = {**shared, "x-kubernetes-action": "get"}
    patch = {**shared, "x-kubernetes-action": "patch", "parameters": _OPTIONS}
    return {f"{where}/{resource.plural}/{{name}}": {"get": get, "patch": patch}}


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _collect(schemas: Json, resource: Resource, name: str) -> None:
    """Put the schema of a resource and all that it refers to into `schemas`."""
    table = type_table.table()
    if resource.custom:
        meta = {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": _reference(type_table.OBJECT_META),
        }
        declared = resource.declared or {"type": "object"}
        schemas[name] = {**declared, "properties": {**declared.get("properties", {}), **meta}}
        pending = [type_table.OBJECT_META]
    else:
        pending = [name]
    while pending:
        each = pending.pop()
        if each in schemas or each not in table.types:
            continue
        facts = table.types[each]
        schemas[each] = _type(facts)
        pending.extend(target for field in facts["fields"].values() for target in _targets(field))


def _targets(field: Any) -> list[str]:
    """The types that a field is made of."""
    if isinstance(field, str):
        return []
    return [field["ref"]] if "ref" in field else _targets(field.get("list", field.get("map")))


def _type(facts: Json) -> Json:
    result: Json = {"type": "object", "properties": {name: _field(field) for name, field in facts["fields"].items()}}
    if "required" in facts:
        result["required"] = facts["required"]
    if facts.get("mapType"):
        result["x-kubernetes-map-type"] = facts["mapType"]
    return result


def _field(facts: Any) -> Json:
    if isinstance(facts, str):
        return dict(_TYPES.get(facts, {"type": "string"}))
    notes = {_ANNOTATIONS[name]: value for name, value in facts.items() if name in _ANNOTATIONS}
    if "ref" in facts:
        return {"allOf": [_reference(facts["ref"])], **notes}
    if "list" in facts:
        return {"type": "array", "items": _field(facts["list"]), **notes}
    return {"type": "object", "additionalProperties": _field(facts["map"]), **notes}
