"""Labels and annotations that are no texts in their file: kustomize remembers how they are spelled, and so do we.

An annotation ends as the text that stands in the file (`1.10`, not `1.1`), a label as what it stands for, unless a patch
brought it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitopsd.plugin import yaml

FIELDS = ("labels", "annotations")


class Spelled(str):
    """A scalar as it is spelled; `value` is what it stands for."""

    __slots__ = ("value",)

    value: Any

    def __deepcopy__(self, memo: dict[int, Any]) -> Spelled:
        return self


def of(spelling: str, value: Any) -> Spelled:
    """The scalar `value`, spelled like this."""
    made = Spelled(spelling)
    made.value = value
    return made


def keep(body: dict[str, Any], data: bytes | str, document: int, place: tuple[str | int, ...], *, nulls: bool) -> None:
    """Put `Spelled` scalars into the labels and annotations of the object at `place` of a document.

    `nulls`: into annotations also where they are null, in words.
    """
    metadata = body.get("metadata")
    if not isinstance(metadata, dict):
        return
    for field in FIELDS:
        found: Any = metadata.get(field)
        for key, value in found.items() if isinstance(found, dict) else ():
            if not _may_be_spelled(value) or (value is None and not (nulls and field == "annotations")):
                continue
            spelling = yaml.spelling(data, (*place, "metadata", field, key), document=document)
            if spelling and spelling != value:
                found[key] = of(spelling, value)


def _may_be_spelled(value: Any) -> bool:
    """Whether the file may say it in another way; of texts dates, which kustomize writes out in full."""
    if isinstance(value, str):
        return value.endswith("Z") and value[4:5] == "-"
    return not isinstance(value, dict | list)


def plain(value: Any) -> Any:
    """What a scalar stands for."""
    return value.value if isinstance(value, Spelled) else value


def settle(metadata: dict[str, Any], fields: Sequence[str] = FIELDS) -> None:
    """Make labels and annotations what they stand for."""
    for field in fields:
        found = metadata.get(field)
        if isinstance(found, dict) and any(isinstance(value, Spelled) for value in found.values()):
            metadata[field] = {key: plain(value) for key, value in found.items()}
