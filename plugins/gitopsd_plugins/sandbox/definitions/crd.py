"""Custom resource definitions: from the object to the resources that it makes the server offer.

It knows the definition's format and turns OpenAPI schemas into `Schema` nodes. When a definition is served, and what
becomes of its objects when it goes, is decided by `controllers/definitions.py`.
"""

from __future__ import annotations

from typing import Any

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.facts import type_table
from gitopsd_plugins.sandbox.facts.resources import ALL_VERBS, Resource, Subresource
from gitopsd_plugins.sandbox.facts.schema import ANY, STRING, Json, Schema
from gitopsd_plugins.sandbox.storage.store import Stored

COLLECTION = ("apiextensions.k8s.io", "customresourcedefinitions")

RULES = (
    "enum", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems",
    "uniqueItems", "format", "minProperties", "maxProperties", "multipleOf", "anyOf", "oneOf", "allOf", "not",
    "x-kubernetes-validations",
)  # fmt: skip
"""Keywords that are kept for `crd_rules.py` and `crd_expressions.py`."""


def is_established(body: Json) -> bool:
    """Whether the definition's condition says that it is served."""
    conditions = (body.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Established" and each.get("status") == "True" for each in conditions)


def serve(cluster: Cluster, stored: Stored) -> None:
    """Offer the resources of an established definition, replacing what it offered before."""
    if not is_established(stored.body):
        return
    spec = stored.body["spec"]
    cluster.resources.remove(spec["group"], spec["names"]["plural"])
    for resource in resources(stored.body):
        cluster.resources.add(resource)


def resources(body: Json) -> list[Resource]:
    """One resource per served version, the newest kind of version first, as the API server prefers them."""
    spec = body["spec"]
    stored_in = next((each["name"] for each in spec["versions"] if each.get("storage")), spec["versions"][0]["name"])
    served = sorted((each for each in spec["versions"] if each.get("served")), key=_preference)
    return [_resource(spec, version, stored_in) for version in served]


def _preference(version: Json) -> tuple[int, int, int, str]:
    """Sorts v2 before v1 before v1beta2 before v1alpha1 before other names."""
    name = version["name"]
    rest = name.removeprefix("v")
    major = "".join(_leading_digits(rest))
    stage, order = rest[len(major) :], {"": 0, "beta": 1, "alpha": 2}
    kind = next((each for each in ("beta", "alpha") if stage.startswith(each)), "" if not stage else "other")
    if not major or kind == "other":
        return 3, 0, 0, name
    return order[kind], -int(major), -int(stage.removeprefix(kind) or 0), name


def _leading_digits(text: str) -> list[str]:
    digits = []
    for char in text:
        if not char.isdigit():
            break
        digits.append(char)
    return digits


def _resource(spec: Json, version: Json, stored_in: str) -> Resource:
    names = spec["names"]
    declared = version.get("subresources") or {}
    scale = declared.get("scale")
    return Resource(
        group=spec["group"],
        version=version["name"],
        plural=names["plural"],
        singular=names.get("singular") or names["kind"].lower(),
        kind=names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        verbs=ALL_VERBS,
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=_subresources(names["kind"], declared),
        own_schema=root(((version.get("schema") or {}).get("openAPIV3Schema")) or {}),
        storage_version=stored_in,
        custom=True,
        scale=scale,
        declared=(version.get("schema") or {}).get("openAPIV3Schema"),
        columns=tuple(version.get("additionalPrinterColumns") or ()),
        selectable=tuple(each["jsonPath"].lstrip(".") for each in version.get("selectableFields") or ()),
    )


def _subresources(kind: str, declared: Json) -> dict[str, Subresource]:
    found = {}
    if "status" in declared:
        found["status"] = Subresource(name="status", kind=kind)
    if declared.get("scale"):
        found["scale"] = Subresource(name="scale", kind="Scale", group="autoscaling", version="v1")
    return found


def root(schema: Json) -> Schema:
    """The schema of whole custom resources: as declared, with the metadata that every object has."""
    node = node_of({**schema, "type": "object"})
    node.fields = {
        **node.fields,
        "apiVersion": STRING,
        "kind": STRING,
        "metadata": type_table.table().schema(type_table.OBJECT_META),
    }
    return node


def node_of(schema: Json) -> Schema:
    """The node of one OpenAPI schema."""
    node = _node(schema)
    below = [*node.fields.values(), *([node.element] if node.element else [])]
    if node.rules.get("x-kubernetes-validations") or any(each.has_expressions for each in below):
        node.has_expressions = True
    return node


def _node(schema: Json) -> Schema:
    rules = {name: schema[name] for name in RULES if name in schema}
    nullable = bool(schema.get("nullable"))
    if schema.get("x-kubernetes-int-or-string"):
        return Schema(shape="scalar", scalar="int-or-string", nullable=nullable, rules=rules)
    match schema.get("type"):
        case "object":
            return _object(schema, rules, nullable=nullable)
        case "array":
            return _array(schema, rules, nullable=nullable)
        case None:
            return Schema(nullable=nullable, rules=rules) if rules else ANY
        case scalar:
            return Schema(shape="scalar", scalar=scalar, nullable=nullable, rules=rules)


def _object(schema: Json, rules: Json, *, nullable: bool) -> Schema:
    properties: Json = schema.get("properties") or {}
    more = schema.get("additionalProperties")
    keeps = schema.get("x-kubernetes-preserve-unknown-fields") or more is True
    element = node_of(more) if isinstance(more, dict) else ANY if keeps else None
    fields = {name: node_of(value) for name, value in properties.items()}
    if schema.get("x-kubernetes-embedded-resource"):
        fields |= {"apiVersion": STRING, "kind": STRING, "metadata": type_table.table().schema(type_table.OBJECT_META)}
    return Schema(
        shape="map",
        fields=fields,
        element=element,
        atomic=schema.get("x-kubernetes-map-type") == "atomic",
        defaults={name: value["default"] for name, value in properties.items() if "default" in value},
        required=tuple(schema.get("required") or ()),
        nullable=nullable,
        rules=rules,
    )


def _array(schema: Json, rules: Json, *, nullable: bool) -> Schema:
    kind = schema.get("x-kubernetes-list-type", "atomic")
    items: Any = schema.get("items")
    return Schema(
        shape="list",
        element=node_of(items) if isinstance(items, dict) else ANY,
        atomic=kind == "atomic",
        keys=tuple(schema.get("x-kubernetes-list-map-keys") or ()) if kind == "map" else (),
        nullable=nullable,
        rules=rules,
    )
