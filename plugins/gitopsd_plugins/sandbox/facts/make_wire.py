"""Makes `wire.json`, the field numbers of Kubernetes' protobuf messages, from folders with their `.proto` files.

    python make_wire.py FOLDER... > wire.json

A tool for maintainers, as `make_types.py`. Only types of `types.json` are kept, and what JSON writes into them:
{"io.k8s.api.core.v1.Namespace": {"1": "metadata", ...}, ...}. How a field is encoded follows from its type there, so
numbers and names are enough.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

PACKAGE = re.compile(r"^package ([\w.]+);", re.MULTILINE)
MESSAGE = re.compile(r"^message (\w+) \{(.*?)^\}", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r"^\s+(?:(?:optional|repeated|required) ([\w.]+)|map<\w+, [\w.]+>) (\w+) = (\d+);", re.MULTILINE)

Table = dict[str, dict[str, str]]


def messages(text: str, types: dict[str, dict[str, object]]) -> Table:
    """The fields by number of every message in one file; `+TYPE` for a struct that JSON writes into its parent."""
    found = PACKAGE.search(text)
    if found is None:
        return {}
    package = found[1].replace("k8s.io.", "io.k8s.", 1)

    def field(owner: str, kind: str, name: str) -> str:
        fields = types.get(f"{package}.{owner}", {}).get("fields", {name: ""})
        inlined = isinstance(fields, dict) and name not in fields and kind[:1].isupper()
        return f"+{package}.{kind}" if inlined else name

    return {
        f"{package}.{owner}": {number: field(owner, kind, name) for kind, name, number in FIELD.findall(body)}
        for owner, body in MESSAGE.findall(text)
    }


def main() -> None:
    """Read the folders, print the table with one line per type."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    types = json.loads(Path(__file__).with_name("types.json").read_text(encoding="utf-8"))["types"]
    table: Table = {}
    for folder in parser.parse_args().folders:
        for path in sorted(folder.rglob("*.proto")):
            table |= messages(path.read_text(encoding="utf-8"), types)
    lines = [
        f"{json.dumps(name)}:{json.dumps(table[name], separators=(',', ':'))}"
        for name in sorted(wanted(table, set(types)))
    ]
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")


def wanted(table: Table, types: set[str]) -> set[str]:
    """The known types and those that are written into them, in any depth."""
    found: set[str] = set()
    pending = [name for name in table if name in types]
    while pending:
        name = pending.pop()
        if name in table and name not in found:
            found.add(name)
            pending.extend(field[1:] for field in table[name].values() if field.startswith("+"))
    return found


if __name__ == "__main__":
    main()
