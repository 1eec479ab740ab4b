"""Makes `types.json`, the facts about Kubernetes' built-in kinds that the sandbox serves, from a running API server.

    python make_types.py --kubeconfig FILE > types.json

A tool for maintainers: it calls `kubectl get --raw` for discovery and OpenAPI v3 and prints one line per type, so that a
new Kubernetes version is a readable diff. It knows no other file of the sandbox; `type_table.py` reads what it writes:

    {"version": "v1.36.2",
     "groups": [{"group": "apps", "versions": {"v1": [RESOURCE, ...]}}, ...],      in the server's order of preference
     "types": {"io.k8s.api.core.v1.Container": {"fields": {NAME: FIELD}, "required": [...], "defaults": {...}}, ...}}

A FIELD is a scalar's name ("string", "int32", "date-time", "int-or-string", ...), "any", or an object with exactly one
of `ref`, `list`, `map` (the element), beside `listType`, `listMapKeys`, `mapType`, `patchStrategy`, `patchMergeKey`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
Get = Callable[[str], Json]

ANNOTATIONS = {
    "x-kubernetes-patch-strategy": "patchStrategy",
    "x-kubernetes-patch-merge-key": "patchMergeKey",
    "x-kubernetes-list-type": "listType",
    "x-kubernetes-list-map-keys": "listMapKeys",
    "x-kubernetes-map-type": "mapType",
}
PLAIN_REFERENCES = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "date-time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "date-time",
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int-or-string",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "any",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "any",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": "any",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray": "any",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool": "any",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray": "any",
}
RESOURCE_KEYS = ("name", "singularName", "kind", "namespaced", "verbs", "shortNames", "categories", "group", "version")


def reference(schema: Json) -> str:
    """The type that a schema refers to, directly or through a one-element `allOf`; '' for none."""
    target = schema.get("$ref") or next((part["$ref"] for part in schema.get("allOf", []) if "$ref" in part), "")
    return str(target).removeprefix("#/components/schemas/")


def compact(schema: Json) -> Any:
    """The FIELD that stands for one property's schema."""
    facts = {name: schema[key] for key, name in ANNOTATIONS.items() if key in schema}
    if target := reference(schema):
        plain = PLAIN_REFERENCES.get(target)
        return plain if plain else {"ref": target, **facts}
    if schema.get("type") == "array":
        return {"list": compact(schema["items"]), **facts}
    if "additionalProperties" in schema:
        return {"map": compact(schema["additionalProperties"]), **facts}
    if schema.get("type") == "object":
        return {"map": "any", **facts}
    if schema.get("format") == "int-or-string" or "oneOf" in schema:
        return "int-or-string"
    return schema.get("format") or schema.get("type") or "any"


def shaped(schema: Json) -> Json:
    """One type. Defaults that say nothing (empty string, zero, false) are left out; `{}` marks a struct always there."""
    properties = schema.get("properties", {})
    entry: Json = {"fields": {name: compact(value) for name, value in properties.items()}}
    if required := schema.get("required"):
        entry["required"] = required
    defaults = {name: value["default"] for name, value in properties.items() if "default" in value}
    if defaults := {name: value for name, value in defaults.items() if value == {} or value}:
        entry["defaults"] = defaults
    if schema.get("x-kubernetes-map-type") == "atomic":
        entry["mapType"] = "atomic"
    return entry


def reachable(types: Json, roots: set[str]) -> Json:
    """The types that `roots` need, directly or through others, sorted by name."""
    wanted: set[str] = set()
    pending = list(roots)
    while pending:
        name = pending.pop()
        if name not in wanted and name in types:
            wanted.add(name)
            pending.extend(part for field in types[name]["fields"].values() for part in references(field))
    return {name: types[name] for name in sorted(wanted)}


def references(field: Any) -> list[str]:
    """The names of the types inside one FIELD."""
    if isinstance(field, str):
        return []
    return [field["ref"]] if "ref" in field else references(field.get("list", field.get("map")))


def groups(get: Get) -> list[Json]:
    """Every group with its versions and resources, subresources included, as plain discovery gives them."""
    found = [{"group": "", "versions": {"v1": resources(get("/api/v1"))}}]
    for group in get("/apis")["groups"]:
        versions = {v["version"]: resources(get(f"/apis/{v['groupVersion']}")) for v in group["versions"]}
        found.append({"group": group["name"], "versions": versions})
    return found


def resources(document: Json) -> list[Json]:
    """The resources of one APIResourceList, without its hashes and empty fields."""
    return [{key: entry[key] for key in RESOURCE_KEYS if entry.get(key)} for entry in document["resources"]]


def schemas(get: Get) -> tuple[Json, set[str]]:
    """All types of all groups, and those that are a kind of their own."""
    types: Json = {}
    for path in get("/openapi/v3")["paths"]:
        if path == "api/v1" or path.startswith("apis/"):
            types |= get(f"/openapi/v3/{path}").get("components", {}).get("schemas", {})
    kinds = {name for name, schema in types.items() if "x-kubernetes-group-version-kind" in schema}
    shapes = {name: shaped(schema) for name, schema in types.items() if name not in PLAIN_REFERENCES}
    for name in kinds & set(shapes):
        shapes[name]["kinds"] = [
            "/".join(part for part in (gvk["group"], gvk["version"], gvk["kind"]) if part)
            for gvk in types[name]["x-kubernetes-group-version-kind"]
        ][:1]
    return shapes, {name for name in kinds if not name.endswith("List")}


def main() -> None:
    """Read the server that `--kubeconfig` names, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", required=True)
    options = parser.parse_args()

    def get(path: str) -> Json:
        command = ["kubectl", "--kubeconfig", options.kubeconfig, "get", "--raw", path]
        document: Json = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        return document

    types, kinds = schemas(get)
    write(get("/version")["gitVersion"], groups(get), reachable(types, kinds))


def write(version: str, found: list[Json], types: Json) -> None:
    """Print JSON with one line per group and per type."""
    line = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
    out = sys.stdout
    out.write(f'{{"version":{line(version)},\n"groups":[\n')
    out.write(",\n".join(json.dumps(group, separators=(",", ":")) for group in found))
    out.write('\n],\n"types":{\n')
    out.write(",\n".join(f"{line(name)}:{line(shape)}" for name, shape in types.items()))
    out.write("\n}}\n")


if __name__ == "__main__":
    main()
