"""Taking fields over from another field manager: the patch of an object's managedFields that moves them into our entry.

Pure. An apply alone would leave the old manager as co-owner, so that a field removed from Git stayed in the cluster for
ever. The patch states the resourceVersion, so the server refuses it where the object changed meanwhile.

No dry run can show both steps, the patch and the apply after it. What the second removes is worked out here instead: what
the old managers alone hold and we do not state goes, and gives way to what the server fills in by itself, which the dry run
of a new object of another name shows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gitopsd.plugin import Body, Live, ObjectRef, Ours, Treatment, WriteMode
from gitopsd_plugins.kubernetes import holders, live
from gitopsd_plugins.kubernetes.holders import Holders

_ABSENT: Any = object()


def managers(found: Live, app: ObjectRef, treatment: Treatment) -> tuple[str, ...]:
    """Those whose fields become ours with the first apply of this app; none where it owns the object, or merges."""
    return () if found.owner == Ours(app=app) or treatment.mode is WriteMode.MERGE else found.contested


def patch(body: Body, contested: Collection[str], manager: str) -> list[dict[str, Any]]:
    """The JSON patch; empty where none of `contested` owns anything."""
    entries = list(body["metadata"].get("managedFields") or [])
    own = live.own_entry(entries, manager)  # another instance's too where both write under one name
    theirs = (entry for entry in entries if entry is not own and not entry.get("subresource"))
    taken = [entry for entry in theirs if entry.get("manager") in contested]
    if not taken:
        return []
    fields: dict[str, Any] = dict(own.get("fieldsV1") or {}) if own else {}
    for entry in taken:
        fields = union(fields, entry.get("fieldsV1") or {})
    merged = {**(own or _entry(body, taken[0], manager)), "fieldsV1": fields}
    kept = [entry for entry in entries if entry not in taken and entry is not own]
    return [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": body["metadata"]["resourceVersion"]},
        {"op": "replace", "path": "/metadata/managedFields", "value": [merged, *kept]},
    ]


def predicted(body: Body, sent: Body, fresh: Body, found: Live, contested: Collection[str], manager: str) -> Body:
    """The object after takeover and apply, given what the dry run of the apply alone said.

    `fresh` is what the server makes of `sent` where there is nothing yet; {} where it would not say.
    """
    who = Holders.of(found.managers, manager, contested)
    taken: dict[str, Any] = {}
    for entry in who.ours:
        taken = union(taken, entry.get("fieldsV1") or {})
    others = tuple(entry.get("fieldsV1") or {} for entry in who.others)
    left = _left(body, taken, _Beside(sent=sent, fresh=fresh, others=others))
    return left if isinstance(left, Mapping) else body


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beside:
    """What decides about a value, at the same place: what we send, what the server fills in, and what others hold."""

    sent: Any
    fresh: Any
    others: tuple[Mapping[str, Any], ...]
    held: bool = True

    def below(self, key: str) -> _Beside:
        """One step down, by a key of `fieldsV1`. Who holds something in an item of a list does not hold the item yet."""
        others = tuple(node[key] for node in self.others if key in node)
        return _Beside(
            sent=holders.value_at(self.sent, key, _ABSENT),
            fresh=holders.value_at(self.fresh, key, _ABSENT),
            others=others,
            held=any(not key.startswith("k:") or "." in node or not node for node in others),
        )

    @property
    def stays(self) -> bool:
        """True where somebody wants a value to be there."""
        return self.sent is not _ABSENT or self.held


def _left(value: Any, taken: Mapping[str, Any], beside: _Beside) -> Any:
    """What is left of a mapping or list when all that `taken` holds goes, but for what is sent or held by others."""
    if isinstance(value, list):
        decided = [_decided(item, taken, holders.key_of(taken, item), beside) for item in value]
        return [item for item in decided if item is not _ABSENT]
    if not isinstance(value, Mapping):
        return value
    keys = {name: f"f:{name}" if f"f:{name}" in taken else None for name in value}
    kept = {name: _decided(value[name], taken, key, beside) for name, key in keys.items()}
    return {name: left for name, left in kept.items() if left is not _ABSENT}


def _decided(value: Any, taken: Mapping[str, Any], key: str | None, beside: _Beside) -> Any:
    if key is None:
        return value
    node, beside = taken[key], beside.below(key)
    if not node.keys() - {"."}:
        return value if beside.stays else beside.fresh
    left = _left(value, node, beside)
    empty = isinstance(left, (Mapping, list)) and not left
    return beside.fresh if not beside.stays and ("." in node or empty) else left


def _entry(body: Body, taken: Mapping[str, Any], manager: str) -> dict[str, Any]:
    entry = {"manager": manager, "operation": "Apply", "apiVersion": body["apiVersion"], "fieldsType": "FieldsV1"}
    return {**entry, "time": taken["time"]} if "time" in taken else entry


def union(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What one or the other holds."""
    merged = dict(one)
    for key, value in other.items():
        mine = merged.get(key)
        merged[key] = union(mine, value) if isinstance(mine, Mapping) and isinstance(value, Mapping) else value
    return merged
