"""PURE. What differs between two states of one object, fit to be shown: secrets are masked before anything else.

It compares plain values and knows no API. Bookkeeping of the server (managedFields, versions, status) is left out. Each change
says whose it is, as `authors` tells them apart.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitopsd.model.change import Author, FieldChange
from gitopsd.model.manifest import Body
from gitopsd.reconcile import authors, items, secrecy
from gitopsd.reconcile.authors import ABSENT

_BOOKKEEPING = frozenset(
    {"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink", "deletionTimestamp"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two states of an object, masked and without bookkeeping, and the fields that differ, in the order of their paths.

    `ours` lies between them: what our own change alone would make.
    """

    before: Body | None
    ours: Body | None
    after: Body | None
    fields: tuple[FieldChange, ...]


def compared(
    before: Body | None, after: Body | None, *, sent: Body | None = None, hidden: frozenset[str] = frozenset()
) -> Comparison:
    """What differs between what is live and what will be; `sent` is what we send, the whole of it ours where it is not given.
    `hidden` are values from Secrets that are not to be shown.

    A subtree that only one side has is one change at its top. A field that is null counts as absent.
    """
    one, other = _plain(before), _plain(after)
    middle = authors.ours_alone(one, _plain(sent) or {}, other) if sent is not None and other is not None else other
    one, middle, other = secrecy.masked(one, middle, other, known=hidden)
    ours = [FieldChange(path=p, before=b, after=a) for p, b, a in _walk("", one or {}, middle or {})]
    theirs = [
        FieldChange(path=p, before=b, after=a, by=Author.SERVER) for p, b, a in _walk("", middle or {}, other or {})
    ]
    fields = sorted((*ours, *theirs), key=lambda change: change.path) if theirs else ours
    return Comparison(before=one, ours=middle, after=other, fields=tuple(fields))


def _plain(body: Body | None) -> Body | None:
    """The body without bookkeeping, and in the one form that all states can be brought to."""
    if body is None:
        return None
    kept = {key: value for key, value in body.items() if key != "status"}
    metadata = kept.get("metadata")
    if isinstance(metadata, Mapping):
        kept["metadata"] = {key: value for key, value in metadata.items() if key not in _BOOKKEEPING}
    if kept.get("kind") == "Secret" and kept.get("apiVersion") in {"v1", None}:
        kept = _with_encoded_strings(kept)
    if kept.get("kind") == "HorizontalPodAutoscaler":
        kept = _with_ordered_metrics(kept)
    return kept


def _with_encoded_strings(body: dict[str, Any]) -> dict[str, Any]:
    """A Secret's write-only stringData where the server will put it: into data."""
    strings = body.pop("stringData", None)
    if not isinstance(strings, Mapping):
        return body
    encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in strings.items()}
    return {**body, "data": {**(body.get("data") or {}), **encoded}}


def _with_ordered_metrics(body: dict[str, Any]) -> dict[str, Any]:
    """The server keeps an autoscaler's metrics in an order of its own; order means nothing in them."""
    spec = body.get("spec")
    if not isinstance(spec, Mapping) or not isinstance(spec.get("metrics"), Sequence):
        return body
    return {**body, "spec": {**spec, "metrics": sorted(spec["metrics"], key=repr)}}


_Difference = tuple[str, Any, Any]
"""Path, value before, value after; None for an absent one."""


def _walk(path: str, before: Any, after: Any) -> Iterator[_Difference]:
    before, after = ABSENT if before is None else before, ABSENT if after is None else after
    if before is after or before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}, key=str):
            yield from _walk(_below(path, str(key)), before.get(key), after.get(key))
    elif items.is_list(before) and items.is_list(after):
        yield from _walk_items(path, before, after)
    else:
        yield path, _shown(before), _shown(after)


def _walk_items(path: str, before: Sequence[Any], after: Sequence[Any]) -> Iterator[_Difference]:
    old, new = items.named(before, after)
    names = [*new, *(name for name in old if name not in new)]
    changes = [change for name in names for change in _walk(f"{path}[{name}]", old.get(name), new.get(name))]
    if not changes and list(old) != list(new):
        yield path, list(old), list(new)  # the same items in another order
    yield from changes


def _below(path: str, key: str) -> str:
    if "." in key or "/" in key:
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def _shown(value: Any) -> Any:
    return None if value is ABSENT else value
