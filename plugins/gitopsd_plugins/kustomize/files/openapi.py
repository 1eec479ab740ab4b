"""`openapi`: a schema of the user's own, which takes the place of the built-in type facts for the whole build.

Only what merging needs is taken from it: kinds, fields, and the extensions that name merge keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitopsd.plugin import Rejected, yaml
from gitopsd_plugins.kustomize.files.loader import Loader
from gitopsd_plugins.kustomize.objects.typefacts import Fact

BUILT_IN_VERSION = "v1.21.2"
MAX_DEPTH = 100


def facts(setting: Mapping[str, str], loader: Loader) -> dict[str, Any] | None:
    """The facts that the field asks for, None for the built-in ones. Raises `Rejected` naming the file."""
    path, version = setting.get("path", ""), setting.get("version", "")
    if "path" in setting and not path:
        raise Rejected("openapi: path is empty; name a file, or leave the field out")
    if path and version:
        raise Rejected("openapi: builtin version and custom schema provided, cannot use both")
    if path:
        return _read(loader.read(path), loader.shown(path))
    if version and version != BUILT_IN_VERSION:
        raise Rejected(f"openapi: version {version!r} is not built in; it must be {BUILT_IN_VERSION}")
    return None


def _read(data: bytes, file: str) -> dict[str, Any]:
    try:
        document = yaml.read(data, file=file, unique_keys=False)
    except yaml.YamlError as error:
        raise Rejected(str(error)) from error
    definitions = document.get("definitions") if isinstance(document, dict) else None
    if not isinstance(definitions, dict):
        raise Rejected(f"{file}: an OpenAPI document with definitions is expected")
    types: dict[str, dict[str, Fact]] = {}
    kinds: dict[str, str] = {}
    for name, schema in definitions.items():
        if isinstance(schema, dict):
            _add_type(types, name, schema, 0)
            kinds.update((kind, name) for kind in _kinds(schema))
    return {"kinds": kinds, "types": types}


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    listed = schema.get("x-kubernetes-group-version-kind")
    found = [g for g in listed if isinstance(g, dict)] if isinstance(listed, list) else []
    return ["/".join(str(g[part]) for part in ("group", "version", "kind") if g.get(part)) for g in found]


def _add_type(types: dict[str, dict[str, Fact]], name: str, schema: Mapping[str, Any], depth: int) -> None:
    properties = schema.get("properties")
    fields = properties.items() if isinstance(properties, dict) and depth < MAX_DEPTH else ()
    types[name] = {
        field: _fact(types, f"{name}#{field}", inner, depth + 1) for field, inner in fields if isinstance(inner, dict)
    }


def fact(schema: Mapping[str, Any]) -> Fact:
    """What one schema by itself says of a field."""
    return _fact({}, "", schema, 0)


def _fact(types: dict[str, dict[str, Fact]], name: str, schema: Mapping[str, Any], depth: int) -> Fact:
    if isinstance(target := schema.get("$ref"), str):
        return target.removeprefix("#/definitions/")
    strategies = str(schema.get("x-kubernetes-patch-strategy", "")).split(",")
    if "merge" in strategies:
        key = schema.get("x-kubernetes-patch-merge-key")
        keys = schema.get("x-kubernetes-list-map-keys") or ([key] if key else [])
        items = schema.get("items")
        keys = [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []
        return {"keys": keys, "of": _fact(types, name, items, depth + 1) if isinstance(items, dict) else None}
    if isinstance(inner := schema.get("additionalProperties"), dict):
        return {"map": _fact(types, name, inner, depth + 1)}
    if "properties" in schema:
        _add_type(types, name, schema, depth)
        return name
    return None
