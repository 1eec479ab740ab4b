"""Reads and writes `metadata.managedFields`: who owns which fields of one object.

An owner is identified by manager, operation, API version and subresource. It knows the wire format only; the rules of
ownership are in `apply.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.merging import fields
from gitopsd_plugins.sandbox.merging.fields import FieldSet, canonical


class Owner(Struct, frozen=True, kw_only=True):
    """One entry of managedFields. `operation` is Apply or Update; `time` is RFC 3339."""

    manager: str
    operation: str
    version: str
    subresource: str = ""
    time: str = ""
    fields: FieldSet

    def is_applier(self, manager: str, subresource: str) -> bool:
        """Whether this entry is what `manager` applied before."""
        return self.operation == "Apply" and self.manager == manager and self.subresource == subresource

    def is_updater(self, manager: str, version: str, subresource: str) -> bool:
        """Whether a further update by `manager` belongs to this entry."""
        identity = (self.operation, self.manager, self.version, self.subresource)
        return identity == ("Update", manager, version, subresource)

    def holding(self, held: FieldSet) -> Owner:
        """The same owner of other fields."""
        return self if held is self.fields else replace(self, fields=held)


def read(entries: Any) -> tuple[Owner, ...]:
    """The owners that managedFields names. Raises ValueError where a client wrote something else."""
    return tuple(_owner(entry) for entry in entries or () if entry)


def _owner(entry: Json) -> Owner:
    return Owner(
        manager=entry.get("manager", ""),
        operation=entry.get("operation", "Update"),
        version=entry.get("apiVersion", ""),
        subresource=entry.get("subresource", ""),
        time=entry.get("time") or "",
        fields=entry.get("fieldsV1") or {},
    )


def checked(entries: Any) -> tuple[Owner, ...]:
    """As `read`, for entries that a client sent: spelling made canonical, operation and version checked."""
    owners = []
    for owner in read(entries):
        if owner.operation not in ("Apply", "Update"):
            raise ValueError(f"invalid operation {owner.operation!r}")
        owners.append(owner.holding(canonical(owner.fields)))
    return tuple(owners)


def without(owners: Sequence[Owner], paths: tuple[tuple[str, ...], ...]) -> Sequence[Owner]:
    """The owners without these fields, and without those who own nothing else."""
    if not paths:
        return owners
    held = [owner.holding(fields.without(owner.fields, paths)) for owner in owners]
    return [owner for owner in held if owner.fields]


def written(owners: Iterable[Owner]) -> list[Json]:
    """managedFields in the server's order: appliers first, then by time and name."""
    return [_entry(owner) for owner in sorted(owners, key=_order)]


def _order(owner: Owner) -> tuple[str, str, str, str, str]:
    return owner.operation, owner.time, owner.manager, owner.version, owner.subresource


def _entry(owner: Owner) -> Json:
    entry: Json = {"manager": owner.manager, "operation": owner.operation, "apiVersion": owner.version}
    if owner.time:
        entry["time"] = owner.time
    entry |= {"fieldsType": "FieldsV1", "fieldsV1": owner.fields}
    if owner.subresource:
        entry["subresource"] = owner.subresource
    return entry


def same(left: Sequence[Owner], right: Sequence[Owner]) -> bool:
    """Whether both lists say the same but for the times."""
    return sorted((replace(o, time="") for o in left), key=_order) == sorted(
        (replace(o, time="") for o in right), key=_order
    )
