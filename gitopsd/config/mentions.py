"""Where a document names another object, so that a message about a reference can say the line. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitopsd.config.problems import Path
from gitopsd.plugin import ObjectRef, keys

DEPENDS_ON = ("metadata", "annotations", keys.DEPENDS_ON)


def find(document: Mapping[str, Any], ref: ObjectRef) -> Path:
    """The path of a mapping with the object's name and kind, or of our annotation that names it; () when there is none."""
    found = next(_all(document.get("spec"), ref, ("spec",)), ())
    annotations = document["metadata"].get("annotations") or {}
    return found or (DEPENDS_ON if ref.name in annotations.get(keys.DEPENDS_ON, "") else ())


def kind(document: Mapping[str, Any], ref: ObjectRef) -> Path:
    """The path of the word that says the object's kind; () when there is none."""
    return next(((*path, "kind") for path in _all(document.get("spec"), ref, ("spec",), implied=False)), ())


def _all(value: Any, ref: ObjectRef, path: Path, *, implied: bool = True) -> Iterator[Path]:
    """`implied`: a mapping that leaves the kind out counts."""
    if isinstance(value, Mapping):
        if value.get("name") == ref.name and value.get("kind", ref.kind if implied else "") == ref.kind:
            yield path
        for key, below in value.items():
            yield from _all(below, ref, (*path, key), implied=implied)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _all(below, ref, (*path, index), implied=implied)
