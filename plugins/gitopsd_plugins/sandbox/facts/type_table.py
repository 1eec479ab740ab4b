"""Reads `types.json` and `zeros.json` (made by `make_types.py` and `make_zeros.py`): the schemas of built-in types, and which
groups and resources exist.

It knows the file's format and nothing else; what a resource does with it is decided elsewhere. The table is read on the
first use and kept for the life of the process, because it never changes and costs some milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gitopsd_plugins.sandbox.facts.schema import ANY, Json, Schema

OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


class TypeTable(Struct, kw_only=True):
    """The facts of one Kubernetes version. `groups` and `types` are as the file has them."""

    version: str
    groups: list[Json]
    types: Mapping[str, Json]
    kinds: Mapping[str, str]
    """`apps/v1/Deployment` -> its type's name."""
    zeros: Mapping[str, Json]
    built: dict[str, Schema]

    def schema(self, name: str) -> Schema:
        """The schema of a named type. Raises KeyError for an unknown name."""
        if name not in self.built:
            node = self.built[name] = Schema(shape="map", type_name=name)
            zeros = self.zeros.get(name, {})
            node.omits, node.zeros = frozenset(zeros.get("omits", ())), zeros.get("zeros", {})
            self._fill(node, self.types[name])
        return self.built[name]

    def _fill(self, node: Schema, facts: Json) -> None:
        node.required = tuple(facts.get("required", ()))
        node.defaults = facts.get("defaults", {})
        node.atomic = facts.get("mapType") == "atomic"
        for name, value in facts["fields"].items():
            node.fields[name] = self._field(value)

    def _field(self, facts: str | Json) -> Schema:
        if isinstance(facts, str):
            return ANY if facts == "any" else _scalar(facts)
        if "list" in facts:
            return self._list(facts)
        if "map" in facts:
            return Schema(shape="map", element=self._field(facts["map"]), atomic=facts.get("mapType") == "atomic")
        target = self.schema(facts["ref"])
        if set(facts) == {"ref"}:
            return target
        return _annotated(target, facts)

    def _list(self, facts: Json) -> Schema:
        kind = facts.get("listType", "atomic")
        return Schema(
            shape="list",
            element=self._field(facts["list"]),
            atomic=kind == "atomic",
            keys=tuple(facts.get("listMapKeys", ())) if kind == "map" else (),
            merge_key=facts.get("patchMergeKey", ""),
            strategy=facts.get("patchStrategy", ""),
        )


@lru_cache(maxsize=32)
def _scalar(name: str) -> Schema:
    return Schema(shape="scalar", scalar=name)


def _annotated(target: Schema, facts: Json) -> Schema:
    """A field of a named type with its own annotations. Shares the fields, which may still be being filled."""
    return Schema(
        shape=target.shape,
        fields=target.fields,
        element=target.element,
        defaults=target.defaults,
        required=target.required,
        omits=target.omits,
        zeros=target.zeros,
        atomic=facts.get("mapType", "") == "atomic" or target.atomic,
        strategy=facts.get("patchStrategy", ""),
        type_name=target.type_name,
    )


@lru_cache(maxsize=1)
def table() -> TypeTable:
    """The table of the Kubernetes version that the sandbox shows to its clients."""
    document = _read("types.json")
    types = document["types"]
    kinds = {kind: name for name, facts in types.items() for kind in facts.get("kinds", ())}
    return TypeTable(
        version=document["version"],
        groups=document["groups"],
        types=types,
        kinds=kinds,
        zeros=_read("zeros.json"),
        built={},
    )


def _read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(Path(__file__).with_name(name).read_bytes())
    return document
