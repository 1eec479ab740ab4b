"""Makes `types.json`, what strategic merging needs to know of Kubernetes' built-in kinds, from facts about an API server.

    python make_types.py kubernetes-types.json > types.json

A tool for maintainers. It reads a file with "kinds" (apiVersion/kind -> type) and "types" (type -> field -> facts) and
keeps only what leads to a list that is merged by a key: everything else is replaced whole, so it needs no entry.

    {"kinds": {"apps/v1/Deployment": TYPE, ...}, "types": {TYPE: {FIELD: FACT}}}

A FACT is a type's name (go on below), `{"map": TYPE}` (go on below any key), or `{"keys": [...], "of": TYPE}` (merge
elements by these keys; no keys: a set of scalars).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

Json = dict[str, Any]
PREFIX = "io.k8s."

# What Kubernetes got after 1.21, the version whose schema kustomize has inside: kustomize replaces these lists whole and
# knows nothing of these kinds, and a build must give what kustomize gives.
NEWER_FIELDS = {
    ("api.admissionregistration.v1.MutatingWebhook", "matchConditions"),
    ("api.admissionregistration.v1.ValidatingWebhook", "matchConditions"),
    ("api.core.v1.EphemeralContainer", "ports"),
    ("api.core.v1.PodSpec", "resourceClaims"),
    ("api.core.v1.PodSpec", "schedulingGates"),
}
NEWER_KINDS = {
    "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy",
    "admissionregistration.k8s.io/v1/MutatingAdmissionPolicyBinding",
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy",
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding",
    "autoscaling/v2/HorizontalPodAutoscaler",
    "flowcontrol.apiserver.k8s.io/v1/FlowSchema",
    "flowcontrol.apiserver.k8s.io/v1/PriorityLevelConfiguration",
    "networking.k8s.io/v1/IPAddress",
    "networking.k8s.io/v1/ServiceCIDR",
    "resource.k8s.io/v1/DeviceClass",
    "resource.k8s.io/v1/ResourceClaim",
    "resource.k8s.io/v1/ResourceClaimTemplate",
    "resource.k8s.io/v1/ResourceSlice",
    "storage.k8s.io/v1/CSIStorageCapacity",
    "storage.k8s.io/v1/VolumeAttributesClass",
}


def fact(facts: Json) -> Any:
    """The FACT of one field; None where it leads nowhere."""
    of = facts.get("of", "").removeprefix(PREFIX)
    if "merge" in facts.get("patchStrategy", "").split(","):
        key = facts.get("patchMergeKey")
        keys = facts.get("listMapKeys") or ([key] if key else [])
        return {"keys": keys, "of": of} if of else {"keys": keys}
    if not of or facts.get("is") == "list":
        return None
    return {"map": of} if facts.get("is") == "map" else of


def pointed(value: Any) -> str:
    """The type that a FACT leads to; '' for none."""
    if isinstance(value, str):
        return value
    return str(value.get("map") or value.get("of") or "")


def leading(types: Json) -> Json:
    """Only the fields that are merged by a key, or lead to one that is."""
    useful: set[str] = set()
    while True:
        found = {
            name
            for name, fields in types.items()
            if any((isinstance(f, dict) and "keys" in f) or pointed(f) in useful for f in fields.values())
        }
        if found == useful:
            break
        useful = found
    return {
        name: {key: trimmed(f, useful) for key, f in fields.items() if trimmed(f, useful)}
        for name, fields in types.items()
        if name in useful
    }


def trimmed(value: Any, useful: set[str]) -> Any:
    """The FACT without a type that leads nowhere; None when nothing is left."""
    if pointed(value) in useful:
        return value
    return {"keys": value["keys"]} if isinstance(value, dict) and "keys" in value else None


def reachable(types: Json, roots: set[str]) -> Json:
    """The types that `roots` need, sorted."""
    wanted: set[str] = set()
    pending = [name for name in roots if name in types]
    while pending:
        name = pending.pop()
        if name not in wanted:
            wanted.add(name)
            pending.extend(p for f in types[name].values() if (p := pointed(f)) in types)
    return {name: types[name] for name in sorted(wanted)}


def main(path: str) -> None:
    """Read the facts, print the table."""
    source: Json = json.loads(Path(path).read_text())
    fields = {
        name.removeprefix(PREFIX): {
            key: value
            for key, facts in entry.items()
            if key not in {"", "status"}
            and (name.removeprefix(PREFIX), key) not in NEWER_FIELDS
            and (value := fact(facts))
        }
        for name, entry in source["types"].items()
    }
    types = leading(fields)
    kinds = {key: entry["type"].removeprefix(PREFIX) for key, entry in source["kinds"].items()}
    kinds = {key: name for key, name in sorted(kinds.items()) if name in types and key not in NEWER_KINDS}
    table = {"version": source["version"], "kinds": kinds, "types": reachable(types, set(kinds.values()))}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in table["types"].items()]
    kind_lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in table["kinds"].items()]
    sys.stdout.write(f'{{"version": {json.dumps(table["version"])},\n"kinds": {{\n')
    sys.stdout.write(",\n".join(kind_lines) + '\n},\n"types": {\n' + ",\n".join(lines) + "\n}}\n")


if __name__ == "__main__":
    main(sys.argv[1])
