"""Server-side apply and the ownership that other writes leave behind: objects and owners in, objects and owners out.

Pure. The rules: a manager owns what its last apply stated; what it no longer states and nobody else owns is removed; a
stated value that changes another manager's field is a conflict unless forced, and then takes the field; any other write
makes its manager own what it changed, and takes that from all others. Fields that identify an object have no owner.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from msgspec import Struct
from msgspec.structs import replace

from gitopsd_plugins.sandbox.facts.schema import Json, Schema
from gitopsd_plugins.sandbox.merging import elements, fields, merge, owned
from gitopsd_plugins.sandbox.merging.compare import Difference, compare
from gitopsd_plugins.sandbox.merging.fields import FieldSet
from gitopsd_plugins.sandbox.merging.owners import Owner

Paths = tuple[tuple[str, ...], ...]

IDENTIFYING = frozenset(
    (
        "f:name",
        "f:namespace",
        "f:creationTimestamp",
        "f:selfLink",
        "f:uid",
        "f:clusterName",
        "f:generation",
        "f:managedFields",
        "f:resourceVersion",
        ".",
    )
)
"""Fields of `metadata` that have no owner; nor has `metadata` itself."""
UNOWNED = frozenset(("f:apiVersion", "f:kind", "f:metadata"))


class Conflict(Struct, frozen=True, kw_only=True):
    """Fields of another manager that an apply would change."""

    owner: Owner
    fields: FieldSet


class Conflicts(Exception):  # noqa: N818 - it carries them
    """The apply was not forced and touches fields of others."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        super().__init__("conflicts")
        self.conflicts = conflicts


class Write(Struct, frozen=True, kw_only=True):
    """Who writes and how: the manager, its API version, the subresource, and the fields that this endpoint resets."""

    manager: str
    version: str
    subresource: str = ""
    force: bool = False
    time: str
    reset: Paths = ()


Outcome = tuple[Json, tuple[Owner, ...]]


def apply(live: Json, owners: Sequence[Owner], stated: Json, schema: Schema, write: Write) -> Outcome:
    """The object and its owners after `stated` is applied. Raises `owned.Untyped` and `Conflicts`."""
    everything = owned.of(stated, schema)
    ours = _tidy(everything, write.reset)
    mine = next((owner for owner in owners if owner.is_applier(write.manager, write.subresource)), None)
    others = [owner for owner in owners if owner is not mine]
    changed: Json = merge.merge(live, stated, schema)
    if mine and mine.fields:
        changed = _pruned(changed, mine.fields, [*(owner.fields for owner in others), everything], schema)
    kept: Sequence[Owner] = ()
    if others:
        whole = compare(live, changed, schema)
        kept = _dispossessed(others, _without_reset(whole, write.reset), force=write.force)
    if not ours:
        return changed, tuple(kept)
    entry = Owner(
        manager=write.manager,
        operation="Apply",
        version=write.version,
        subresource=write.subresource,
        time=_kept_time(mine) if changed == live else write.time,
        fields=fields.shared(ours),
    )
    return changed, (*kept, entry)


def _kept_time(mine: Owner | None) -> str:
    """An apply that changes nothing, no order of items either, leaves its entry's time alone; a new entry then has none."""
    return mine.time if mine else ""


def update(live: Json, owners: Sequence[Owner], new: Json, schema: Schema, write: Write) -> tuple[Owner, ...]:
    """The owners after any write but an apply turned `live` into `new`; nobody, where an item of a list has no name."""
    try:
        difference = compare(live, new, schema)
    except elements.Unnamed:
        return ()
    kept = _dispossessed(owners, difference, force=True)
    taken = _tidy(difference.changed, write.reset)
    if not taken:
        return tuple(kept)
    mine = next((o for o in kept if o.is_updater(write.manager, write.version, write.subresource)), None)
    entry = Owner(
        manager=write.manager,
        operation="Update",
        version=write.version,
        subresource=write.subresource,
        time=write.time,
        fields=fields.shared(fields.union(mine.fields, taken) if mine else taken),
    )
    return _capped((*(owner for owner in kept if owner is not mine), entry))


MOST_UPDATERS = 10
ANCIENT = "ancient-changes"


def _capped(held: tuple[Owner, ...]) -> tuple[Owner, ...]:
    """The owners with the oldest updates of many managers put together, so that their number is bounded."""
    if len(held) <= MOST_UPDATERS:
        return held
    updaters = sorted((owner for owner in held if owner.operation == "Update"), key=lambda o: (o.time, o.manager))
    excess = len(updaters) - MOST_UPDATERS
    if excess <= 0:
        return held
    merged: dict[str, list[Owner]] = {}
    for owner in updaters:
        group = merged.setdefault(owner.version, [])
        if sum(len(each) - 1 for each in merged.values()) < excess:
            group.append(owner)
    buckets = [
        replace(group[-1], manager=ANCIENT, subresource="", fields=reduce(fields.union, (o.fields for o in group)))
        for group in merged.values()
        if len(group) > 1
    ]
    gone = [owner for group in merged.values() if len(group) > 1 for owner in group]
    return (*(owner for owner in held if owner not in gone), *buckets)


def _without_reset(difference: Difference, reset: Paths) -> Difference:
    """The difference without fields that this endpoint resets anyway."""
    if not reset:
        return difference
    return Difference(fields.without(difference.changed, reset), fields.without(difference.removed, reset))


def _pruned(merged: Json, last: FieldSet, owned_sets: Sequence[FieldSet], schema: Schema) -> Json:
    """`merged` without what the manager's last apply owned and nobody owns now.

    Removing all of `last` takes unowned fields along that lie below it; they come back in two steps, first whatever is
    owned, then whatever `last` did not own, so that a defaulted field survives beside its owned siblings.
    """
    last = owned.named(last, schema)
    wanted: FieldSet = {}
    for each in owned_sets:
        wanted = fields.union(wanted, each)
    wanted = owned.named(wanted, schema)
    if not fields.difference(last, wanted):
        return merged
    everything = _all(merged, schema)
    bare: Json = merge.remove(merged, last, schema)
    kept = fields.union(_all(bare, schema), wanted)
    restored: Json = merge.remove(merged, fields.difference(everything, kept), schema)
    lost = fields.difference(everything, _all(restored, schema))
    result: Json = merge.remove(merged, fields.intersection(lost, last), schema)
    return result


def _all(value: Json, schema: Schema) -> FieldSet:
    return owned.named(owned.of(value, schema, lenient=True), schema)


def _dispossessed(others: Sequence[Owner], difference: Difference, *, force: bool) -> list[Owner]:
    """The owners without what the write changed or removed. Raises `Conflicts` unless forced."""
    if not others or not (difference.changed or difference.removed):
        return list(others)
    if not force:
        conflicts = [
            Conflict(owner=o, fields=common)
            for o in others
            if (common := fields.intersection(o.fields, difference.changed))
        ]
        if conflicts:
            raise Conflicts(conflicts)
    lost = fields.union(difference.changed, difference.removed)
    remaining = [owner.holding(fields.difference(owner.fields, lost)) for owner in others]
    return [owner for owner in remaining if owner.fields]


def _tidy(held: FieldSet, reset: Paths) -> FieldSet:
    """The set without the fields that nobody owns, and without a `metadata` that holds nothing else."""
    metadata = {element: node for element, node in held.get("f:metadata", {}).items() if element not in IDENTIFYING}
    result = {element: node for element, node in held.items() if element not in UNOWNED}
    if metadata:
        result["f:metadata"] = metadata
    return fields.without(result, reset)
