"""JSON Schema (2020-12) of everything that can be declared, for editors."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from functools import lru_cache
from textwrap import dedent
from typing import Any

import msgspec

from gitopsd.config import quantities
from gitopsd.config.cluster import ClusterDocument
from gitopsd.config.problems import near
from gitopsd.config.quantities import Duration, Size
from gitopsd.config.secrets import ConfigMapDocument, SecretDocument
from gitopsd.config.settings import SettingsDocument
from gitopsd.plugin import UsageError
from gitopsd.plugin.registry import Registry

DIALECT = "https://json-schema.org/draft/2020-12/schema"
OWN: Mapping[str, type[msgspec.Struct]] = {
    "Settings": SettingsDocument,
    "Cluster": ClusterDocument,
    "Secret": SecretDocument,
    "ConfigMap": ConfigMapDocument,
}


def schema(registry: Registry, kind: str | None = None) -> Mapping[str, Any]:
    """The schema of one kind's documents, or of any declared document. Raises `UsageError` for an unknown kind."""
    known = {name for _, name in registry.kinds} | OWN.keys()
    if kind is None:
        return _any({name: _of(registry, name) for name in sorted(known)})
    if kind not in known:
        raise UsageError(f"no schema of {kind!r}{near(kind, known)} (known: {', '.join(sorted(known))})")
    return {"$schema": DIALECT, **_of(registry, kind)}


@lru_cache
def explained(struct: type[msgspec.Struct]) -> Mapping[str, str]:
    """What the docstrings below a struct's fields say, by the name that users write."""
    body = ast.parse(dedent(inspect.getsource(struct))).body[0]
    names = {field.name: field.encode_name for field in msgspec.structs.fields(struct)}
    found: dict[str, str] = {}
    if isinstance(body, ast.ClassDef):
        for field, below in zip(body.body, body.body[1:], strict=False):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[names[name]] = inspect.cleandoc(text)
    return found


def _of(registry: Registry, kind: str) -> Mapping[str, Any]:
    if kind in OWN:
        return _own(OWN[kind])
    served = registry.kind_named(kind)
    assert served is not None  # `kind` was taken from the registry
    return served.schema()


def _own(struct: type[msgspec.Struct]) -> Mapping[str, Any]:
    (found,), definitions = msgspec.json.schema_components(
        [struct], schema_hook=quantities.schema, ref_template="#/$defs/{name}"
    )
    for nested in _structs(struct):
        _complete(definitions[nested.__name__]["properties"], nested)
    return {**found, "$defs": definitions}


def _complete(properties: dict[str, Any], struct: type[msgspec.Struct]) -> None:
    """Add what the fields' docstrings say, and the defaults that only we can write as users do."""
    texts = explained(struct)
    for field in msgspec.structs.fields(struct):
        part = properties[field.encode_name]
        if field.encode_name in texts:
            part["description"] = texts[field.encode_name]
        if field.type in {Duration, Size} and callable(field.default_factory):
            part["default"] = str(field.default_factory())


def _structs(struct: type[msgspec.Struct]) -> set[type[msgspec.Struct]]:
    """The struct and those that its fields hold."""
    found = {struct}
    for field in msgspec.structs.fields(struct):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            found |= _structs(field.type)
    return found


def _any(schemas: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """One schema out of several: their definitions side by side, each under its kind's name."""
    definitions: dict[str, Any] = {}
    for kind, one in schemas.items():
        body = {key: value for key, value in one.items() if key not in {"$defs", "$schema", "$id"}}
        definitions[kind] = _renamed(body, kind)
        for name, definition in one.get("$defs", {}).items():
            definitions[f"{kind}.{name}"] = _renamed(definition, kind)
    choices = [{"$ref": f"#/$defs/{kind}"} for kind in schemas]
    return {"$schema": DIALECT, "title": "gitopsd", "anyOf": choices, "$defs": definitions}


def _renamed(value: Any, kind: str) -> Any:
    match value:
        case {"$ref": str(ref), **rest} if ref.startswith("#/$defs/"):
            return {"$ref": f"#/$defs/{kind}.{ref.removeprefix('#/$defs/')}", **_renamed(rest, kind)}
        case dict():
            return {key: _renamed(below, kind) for key, below in value.items()}
        case list():
            return [_renamed(below, kind) for below in value]
    return value
