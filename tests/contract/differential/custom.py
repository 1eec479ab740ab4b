"""Two custom kinds: one whose schema has every feature that the sandbox knows, and one that keeps whatever it is given."""

from __future__ import annotations

from typing import Any

from contract.differential.kinds import GROUP, Kind

Json = dict[str, Any]


def _object(required: list[str] | None = None, **properties: Json) -> Json:
    found: Json = {"type": "object", "properties": properties}
    return {**found, "required": required} if required else found


TEXT: Json = {"type": "string"}
PART = {
    **_object(["name"], name={"type": "string", "maxLength": 5}, count={"type": "integer", "default": 1}, note=TEXT),
    "x-kubernetes-validations": [{"rule": "self.count >= oldSelf.count", "message": "counts up"}],
}
KEPT: Json = {
    "type": "string",
    "maxLength": 9,
    "x-kubernetes-validations": [{"rule": "self == oldSelf", "reason": "FieldValueForbidden", "message": "stays"}],
}
ROUTE = _object(
    ["host", "port"],
    host=TEXT,
    port={"type": "integer"},
    protocol={"type": "string", "default": "TCP"},
    weight={"type": "integer"},
)
SPEC = _object(
    ["size"],
    size={"type": "integer", "minimum": 1, "maximum": 9},
    mode={"type": "string", "default": "fast", "enum": ["fast", "slow"]},
    ratio={"type": "number"},
    on={"type": "boolean", "default": False},
    replicas={"type": "integer"},
    free={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    known={**_object(a=TEXT), "x-kubernetes-preserve-unknown-fields": True},
    either={"x-kubernetes-int-or-string": True},
    nothing={"type": "string", "nullable": True},
    filled={"type": "string", "nullable": True, "default": "full"},
    whole={**_object(x=TEXT, y=TEXT), "x-kubernetes-map-type": "atomic"},
    map={
        "type": "object",
        "maxProperties": 3,
        "additionalProperties": _object(v=KEPT, w={"type": "integer", "default": 3}),
    },
    nested={**_object(a=_object(b={"type": "string", "default": "deep"}), c=TEXT), "default": {}},
    parts={
        "type": "array",
        "maxItems": 5,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": PART,
    },
    routes={
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["host", "port", "protocol"],
        "items": ROUTE,
    },
    tags={"type": "array", "x-kubernetes-list-type": "set", "items": TEXT},
    numbers={"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "integer"}},
    plain={"type": "array", "items": TEXT, "maxItems": 3},
    objects={"type": "array", "items": _object(k=TEXT, d={"type": "string", "default": "dd"})},
    when={"type": "string", "format": "date-time"},
)
SPEC["x-kubernetes-validations"] = [
    {
        "rule": "self.size != 2 || !has(self.replicas) || self.replicas != 3",
        "messageExpression": "'%d of size %d are too many'.format([self.replicas, self.size])",
        "fieldPath": ".replicas",
    }
]
STATUS = _object(
    ready={"type": "boolean"},
    replicas={"type": "integer"},
    conditions={
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": _object(["type"], type=TEXT, status=TEXT, reason=TEXT),
    },
)

WIDGET = Kind(
    api_version=f"{GROUP}/v1",
    kind="Widget",
    plural="widgets",
    tree={
        "spec": {
            "size": (1, 2, 2, 10),
            "mode?": ("fast", "slow", "other", None),
            "ratio?": (1, 0.5),
            "on?": (True, False),
            "replicas?": (1, 3),
            "free?": {"a?": {"b?": (1, 2), "c?": [1, 2]}, "d?": ("x", None)},
            "known?": {"a?": ("1", 2), "z?": {"y?": 1}},
            "either?": (1, "1", True),
            "nothing?": ("x", None),
            "filled?": ("x", None),
            "whole?": {"x?": ("1", "2"), "y?": "1"},
            "map?": {"k?": {"v?": ("1", "2"), "w?": 4}, "l?": {"v?": "1"}},
            "nested?": {"a?": {"b?": ("1", "2")}, "c?": "1"},
            "parts?": [{"name": "a", "count?": (1, 2)}, {"name": "b", "note?": ("x", "y")}, {"name": "toolong"}],
            "routes?": [
                {"host": "a", "port": 1, "weight?": (1, 2)},
                {"host": "a", "port": 1, "protocol": "UDP"},
                {"host": "b", "port": 2, "protocol?": "TCP"},
            ],
            "tags?": ["x", "y", "z"],
            "numbers?": [1, 2],
            "plain?": ["p", "q", "r"],
            "objects?": [{"k?": ("1", "2")}, {"k": "3", "d?": "x"}],
            "when?": ("2026-01-01T00:00:00Z", "never"),
            "unknown?": {"a": 1},
        }
    },
    least={"spec": {"size": 1}},
    status={
        "ready?": (True, False),
        "replicas?": (0, 1),
        "conditions?": [{"type": "Ready", "status?": ("True", "False")}, {"type": "Other", "reason?": "r"}],
    },
    scales=True,
    custom=True,
)
LOOSE = Kind(
    api_version=f"{GROUP}/v1",
    kind="Loose",
    plural="looses",
    tree={
        "spec?": {"a?": ("1", 2, None), "list?": [1, "x", {"y": 1}], "deep?": {"er?": {"x?": 1, "y?": [1]}}},
        "status?": {"x?": (1, 2)},
        "more?": {"a?": 1},
    },
    least={},
    custom=True,
)
CUSTOM = (WIDGET, LOOSE)


def definitions() -> list[Json]:
    """Their definitions."""
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    widget = _object(spec=SPEC, status=STATUS)
    loose = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return [
        _definition(WIDGET, widget, subresources={"status": {}, "scale": scale}),
        _definition(LOOSE, loose),
    ]


def _definition(kind: Kind, schema: Json, **more: Json) -> Json:
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **more}
    names = {"kind": kind.kind, "plural": kind.plural, "singular": kind.kind.lower(), "listKind": f"{kind.kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }
