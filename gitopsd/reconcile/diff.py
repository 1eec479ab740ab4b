"""What differs between two states of one object, field by field, fit to be shown: secrets are masked before anything else.

It compares plain values and knows no API. Bookkeeping of the server (managedFields, versions, status) is left out. Items of
a list are matched by the key that tells them apart (`name`, a port, a path), so that an inserted container does not show
as a change of all that follow it; lists without such a key are compared by position.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gitopsd.model.change import FieldChange
from gitopsd.model.manifest import Body

_BOOKKEEPING = frozenset(
    {"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink", "deletionTimestamp"}
)
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_KEYS = (
    ("name",),
    ("containerPort", "protocol"),
    ("port", "protocol"),
    ("mountPath",),
    ("devicePath",),
    ("topologyKey", "whenUnsatisfiable"),
    ("key",),
    ("ip",),
    ("host",),
    ("type",),
    ("kind", "namespace", "name"),
)
"""What tells the items of a list apart, first fit wins; the merge keys of the built-in kinds and their usual cousins."""

_ABSENT: Any = object()


def differences(before: Body | None, after: Body, *, secret: bool) -> tuple[FieldChange, ...]:
    """Changed fields in order of their paths; `secret` masks the values of data and stringData, telling only whether they differ.

    A subtree that only one side has is one change at its top. A field that is null counts as absent.
    """
    one, other = _compared(before or {}, secret=secret), _compared(after, secret=secret)
    if secret:
        one, other = _masked(one, other), _masked(other, one, after=True)
    return tuple(_walk("", one, other))


def _compared(body: Body, *, secret: bool) -> dict[str, Any]:
    """The body without bookkeeping, and in the one form that both sides can be brought to."""
    kept = {key: value for key, value in body.items() if key != "status"}
    metadata = kept.get("metadata")
    if isinstance(metadata, Mapping):
        kept["metadata"] = {key: value for key, value in metadata.items() if key not in _BOOKKEEPING}
    if secret:
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


def _masked(body: dict[str, Any], other: dict[str, Any], *, after: bool = False) -> dict[str, Any]:
    """`body` with its secret values replaced by a marker that says whether the other side has a different one."""
    hidden = dict(body)
    if isinstance(body.get("data"), Mapping):
        hidden["data"] = _marked(body["data"], other.get("data"), after=after)
    metadata = body.get("metadata")
    if isinstance(metadata, Mapping) and _LAST_APPLIED in (metadata.get("annotations") or {}):
        theirs = (other.get("metadata") or {}).get("annotations") or {}
        mine = {_LAST_APPLIED: metadata["annotations"][_LAST_APPLIED]}
        hidden["metadata"] = {
            **metadata,
            "annotations": {**metadata["annotations"], **_marked(mine, theirs, after=after)},
        }
    return hidden


def _marked(values: Mapping[str, Any], others: Any, *, after: bool) -> dict[str, str]:
    others = others if isinstance(others, Mapping) else {}
    differs = "*** (after)" if after else "*** (before)"
    return {key: differs if key in others and others[key] != value else "***" for key, value in values.items()}


def _walk(path: str, before: Any, after: Any) -> Iterator[FieldChange]:
    before, after = _ABSENT if before is None else before, _ABSENT if after is None else after
    if before is after or before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}, key=str):
            yield from _walk(_below(path, str(key)), before.get(key), after.get(key))
    elif _is_list(before) and _is_list(after):
        yield from _walk_items(path, before, after)
    else:
        yield FieldChange(path=path, before=_shown(before), after=_shown(after))


def _walk_items(path: str, before: Sequence[Any], after: Sequence[Any]) -> Iterator[FieldChange]:
    key = _key_of(before, after)
    if key is None:
        old, new = _by_position(before), _by_position(after)
    else:
        old, new = _by_key(before, key), _by_key(after, key)
    names = [*new, *(name for name in old if name not in new)]
    changes = [change for name in names for change in _walk(f"{path}[{name}]", old.get(name), new.get(name))]
    if not changes and list(old) != list(new):
        yield FieldChange(path=path, before=list(old), after=list(new))  # the same items in another order
    yield from changes


def _key_of(before: Sequence[Any], after: Sequence[Any]) -> tuple[str, ...] | None:
    return next((key for key in _KEYS if _tells_apart(key, before) and _tells_apart(key, after)), None)


def _tells_apart(key: tuple[str, ...], items: Sequence[Any]) -> bool:
    if not all(isinstance(item, Mapping) and key[0] in item for item in items):
        return False
    return len(_by_key(items, key)) == len(items)


def _by_key(items: Sequence[Any], key: tuple[str, ...]) -> dict[str, Any]:
    return {"/".join(str(item[part]) for part in key if item.get(part) not in (None, "")): item for item in items}


def _by_position(items: Sequence[Any]) -> dict[str, Any]:
    return {str(position): item for position, item in enumerate(items)}


def _below(path: str, key: str) -> str:
    if "." in key or "/" in key:
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _shown(value: Any) -> Any:
    return None if value is _ABSENT else value
