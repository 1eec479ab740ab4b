"""Makes `zeros.json`, how Kubernetes' built-in types write their empty fields, from a folder with their Go sources.

    python make_zeros.py FOLDER > zeros.json

A tool for maintainers, as `make_types.py`; FOLDER holds `k8s.io/api`, `k8s.io/apimachinery` and so on, as a vendor folder does.
OpenAPI does not tell whether a Go field is a pointer and whether an empty one is written, which decides what a server answers to
`hostNetwork: false` or to a Role without rules:

    {"io.k8s.api.core.v1.PodSpec": {"omits": ["hostNetwork", ...], "zeros": {"containers": null}}, ...}

`omits` are scalars whose zero is left out, `zeros` are fields that are written even when nobody set them, with what is written.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r'^\t\w+\s+(\S+)\s+`[^`]*json:"([^"]+)"', re.MULTILINE)
SCALARS = {"string": "", "boolean": False, "integer": 0, "int32": 0, "int64": 0, "double": 0, "number": 0}
STRUCTS = {"Time": None, "MicroTime": None, "Quantity": "0", "IntOrString": 0}
"""Go structs that are a scalar in JSON; `omitempty` does not leave them out."""
ROOTS = {
    "k8s.io/api": "io.k8s.api",
    "k8s.io/apimachinery/pkg/apis": "io.k8s.apimachinery.pkg.apis",
    "k8s.io/apiextensions-apiserver/pkg/apis": "io.k8s.apiextensions-apiserver.pkg.apis",
    "k8s.io/kube-aggregator/pkg/apis": "io.k8s.kube-aggregator.pkg.apis",
}

Facts = dict[str, Any]


def main() -> None:
    """Read the sources, print the table with one line per type."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    types = json.loads(Path(__file__).with_name("types.json").read_text(encoding="utf-8"))["types"]
    found: dict[str, Facts] = {}
    for name, body in structs(folder):
        if name in types and (facts := of_struct(body, types[name]["fields"])):
            found[name] = facts
    lines = [f"{json.dumps(name)}:{json.dumps(found[name], separators=(',', ':'))}" for name in sorted(found)]
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")


def structs(folder: Path) -> Iterator[tuple[str, str]]:
    """Every struct by its name in OpenAPI, with the text between its braces."""
    for root, prefix in ROOTS.items():
        for path in sorted((folder / root).rglob("*.go")):
            package = ".".join((prefix, *path.parent.relative_to(folder / root).parts))
            text = re.sub(r"^\s*//.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
            for name, body in STRUCT.findall(text):
                yield f"{package}.{name}", body


def of_struct(body: str, fields: Facts) -> Facts:
    """The facts of one struct; empty where its empty fields need no care."""
    omits: list[str] = []
    zeros: Facts = {}
    for kind, tag in FIELD.findall(body):
        name, *options = tag.split(",")
        if name not in fields:
            continue
        is_omitted = "omitzero" in options or ("omitempty" in options and not _is_struct(kind))
        zero = _zero(kind, fields[name])
        if is_omitted and isinstance(zero, str | int):
            omits.append(name)
        elif not is_omitted and zero != {}:
            zeros[name] = zero
    return {key: value for key, value in (("omits", omits), ("zeros", zeros)) if value}


def _is_struct(kind: str) -> bool:
    return kind.removeprefix("metav1.").removeprefix("resource.").removeprefix("intstr.") in STRUCTS


def _zero(kind: str, field: Any) -> Any:
    """What an unset field of this Go type is in JSON; `{}` for structs, which the table of types tells already."""
    if kind.startswith(("*", "[]", "map[")):
        return None
    if _is_struct(kind):
        return STRUCTS[kind.rpartition(".")[2]]
    if isinstance(field, str):
        return SCALARS.get(field, {})
    return None if "list" in field or "map" in field else {}


if __name__ == "__main__":
    main()
