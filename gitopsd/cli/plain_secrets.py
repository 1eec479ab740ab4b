"""Advice for `gitopsd check`: Secrets that lie in a source with their values readable by whoever can read it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gitopsd.model.tree import File, Folder
from gitopsd.plugin import yaml
from gitopsd.plugin.tree import Tree

MAX_FILE = 1 << 20
MAX_FILES = 50_000
MOST = 20
"""Warnings about one source; the rest is counted."""
_LIKELY = re.compile(rb"""^["']?kind["']?:[ \t]*["']?Secret["']?[ \t]*\r?$""", re.M)

_VARIABLE = re.compile(r"\s*\$\{\w+\}\s*")


def warnings(tree: Tree) -> Iterator[str]:
    """A sentence with file and line for each such Secret; what is encrypted, generated or empty is none."""
    found = [text for path in _files(tree) for text in _in_file(path, tree.read(path, sealed=True))]
    yield from found[:MOST]
    if len(found) > MOST:
        yield f"and {len(found) - MOST} more Secrets with values in plain text"


def _files(tree: Tree) -> Iterator[str]:
    todo, seen = [""], 0
    while todo:
        folder = todo.pop()
        for name, entry in sorted(tree.list(folder).items()):
            path = f"{folder}/{name}" if folder else name
            if isinstance(entry, Folder):
                todo.append(path)
            elif isinstance(entry, File) and name.endswith((".yaml", ".yml", ".json")) and entry.size <= MAX_FILE:
                seen += 1
                if seen > MAX_FILES:
                    return
                yield path


def _in_file(path: str, data: bytes) -> Iterator[str]:
    if not _LIKELY.search(data):
        return
    try:
        documents = yaml.read_all(data, file=path)
    except yaml.YamlError:
        return  # whether it can be built is asked elsewhere
    for document in documents:
        if _is_plain(document.value):
            metadata = document.value["metadata"]
            named = "/".join(
                filter(None, ("Secret", str(metadata.get("namespace", "")), str(metadata.get("name", ""))))
            )
            yield (
                f"{path}:{document.line}: {named} holds values in plain text; encrypt it with SOPS (docs/secrets.md), or have it "
                "made in the cluster"
            )


def _is_plain(body: Any) -> bool:
    if (
        not isinstance(body, Mapping)
        or body.get("kind") != "Secret"
        or body.get("apiVersion") != "v1"
        or "sops" in body
    ):
        return False
    values = [
        value
        for part in ("data", "stringData")
        if isinstance(held := body.get(part), Mapping)
        for value in held.values()
    ]
    return isinstance(body.get("metadata"), Mapping) and any(
        value not in (None, "") and not (isinstance(value, str) and _VARIABLE.fullmatch(value)) for value in values
    )
