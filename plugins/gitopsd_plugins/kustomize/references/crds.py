"""`crds`: OpenAPI definitions of own kinds, whose extensions say which fields hold names, labels and annotations.

A file maps type names to `{"Schema": {"properties": ...}}`. References between types are followed, never in a circle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitopsd.plugin import Rejected, yaml
from gitopsd_plugins.kustomize.objects.identity import Gvk, text
from gitopsd_plugins.kustomize.references.config import Config
from gitopsd_plugins.kustomize.references.fieldspec import FieldSpec, FieldSpecs
from gitopsd_plugins.kustomize.references.referrers import References

MAX_DEPTH = 50
Types = Mapping[str, Any]
Found = tuple[tuple[str, ...], Mapping[str, Any]]


def read(data: bytes, file: str) -> Config:
    """The configuration that a file stands for. Raises `Rejected` naming the file."""
    try:
        types = yaml.read(data, file=file, unique_keys=False)
    except yaml.YamlError as error:
        raise Rejected(str(error)) from error
    if not isinstance(types, dict):
        raise Rejected(f"{file}: a map of type names to OpenAPI definitions is expected")
    result = Config()
    for name in types:
        properties = _properties(types, name)
        if {"kind", "apiVersion", "metadata"} <= properties.keys():
            result = result.merged(_of_kind(Gvk(kind=name.rpartition(".")[2]), list(_walk(types, name, (), ()))))
    return result


def _of_kind(gvk: Gvk, found: list[Found]) -> Config:
    def having(key: str) -> FieldSpecs:
        return FieldSpecs(FieldSpec("/".join(path), gvk) for path, schema in found if key in schema)

    return Config(
        common_annotations=having("x-kubernetes-annotation"),
        common_labels=having("x-kubernetes-label-selector"),
        name_prefix=having("x-kubernetes-identity"),
        references=tuple(_references(gvk, found)),
    )


def _references(gvk: Gvk, found: list[Found]) -> Iterator[References]:
    for path, schema in found:
        kind, version = schema.get("x-kubernetes-object-ref-kind"), schema.get("x-kubernetes-object-ref-api-version")
        if kind and version:
            name = text(schema.get("x-kubernetes-object-ref-name-key")) or "name"
            yield References(Gvk(version=text(version), kind=text(kind)), (FieldSpec("/".join((*path, name)), gvk),))


def _walk(types: Types, name: str, path: tuple[str, ...], above: tuple[str, ...]) -> Iterator[Found]:
    if name in above or len(above) > MAX_DEPTH:
        return
    for field, schema in _properties(types, name).items():
        if isinstance(schema, dict):
            yield (*path, field), schema
            if isinstance(target := schema.get("$ref"), str):
                yield from _walk(types, target, (*path, field), (*above, name))


def _properties(types: Types, name: str) -> dict[str, Any]:
    definition = types.get(name)
    schema = (definition.get("Schema") or definition.get("schema")) if isinstance(definition, dict) else None
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return properties if isinstance(properties, dict) else {}
