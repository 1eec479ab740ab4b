"""Schemas in comments: `containers: # {"x-kubernetes-patch-merge-key": "name", ...}` says how that one list is merged.

Hardly anybody writes them, so that a text without the words costs one search, and places are looked for by trying.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from gitopsd.plugin import yaml
from gitopsd_plugins.kustomize.files import openapi
from gitopsd_plugins.kustomize.objects.typefacts import Fact

_COMMENT = re.compile(rb"^[^\n#]*:[ \t]+#[ \t]*(\{[^\n]*x-kubernetes-patch-[^\n]*\})[ \t\r]*$", re.MULTILINE)
MAX_HINTS = 100
Place = tuple[dict[str, Any], str]


def find(data: bytes | str, documents: Sequence[yaml.Document]) -> list[tuple[Place, Fact]]:
    """The places, map and key, of lists whose merging a comment describes."""
    content = data.encode() if isinstance(data, str) else data
    if b"x-kubernetes-patch-" not in content:
        return []
    found: list[tuple[Place, Fact]] = []
    comments = {content.count(b"\n", 0, m.start()) + 1: m[1] for m in _COMMENT.finditer(content)}
    for index, document in enumerate(documents if 0 < len(comments) <= MAX_HINTS else ()):
        for path, place in _lists(document.value, ()):
            line, _ = yaml.locate(content, path, document=index, dialect=yaml.KUSTOMIZE)
            if line in comments and (fact := _fact(comments[line])) is not None:
                found.append((place, fact))
    return found


def _lists(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Place]]:
    for key, item in value.items() if isinstance(value, dict) else ():
        if isinstance(item, list):
            yield (*path, key), (value, key)
        yield from _lists(item, (*path, key))
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield from _lists(item, (*path, index))


def _fact(comment: bytes) -> Fact:
    """What the comment says, None where it is no schema: any text may stand in a comment."""
    try:
        schema = json.loads(comment)
    except ValueError:
        return None
    return openapi.fact(schema) if isinstance(schema, dict) else None
