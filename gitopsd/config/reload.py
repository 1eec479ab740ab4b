"""From one declared set to the next while gitopsd runs: what changed, and when a new set is too small to be meant. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from gitopsd.config.declared_set import DeclaredSet
from gitopsd.plugin import ObjectRef, UsageError

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """The difference between two sets. `changed`: the intent is another one; a moved or reformatted object is not in it."""

    added: frozenset[ObjectRef] = frozenset()
    changed: frozenset[ObjectRef] = frozenset()
    removed: frozenset[ObjectRef] = frozenset()
    clusters: frozenset[str] = frozenset()
    """Clusters that came, went, or are reached in another way."""
    secrets: frozenset[tuple[str, str]] = frozenset()
    """(namespace, name) of Secret and ConfigMap documents that came, went or changed."""
    settings: tuple[str, ...] = ()
    """Settings that differ, as users write them: `limits`, `fieldManager`."""


def compare(old: DeclaredSet, new: DeclaredSet) -> Reload:
    """What a reload changes. Children are not part of either set."""
    both = old.objects.keys() & new.objects.keys()
    return Reload(
        added=frozenset(new.objects.keys() - old.objects.keys()),
        changed=frozenset(r for r in both if _differs(old, new, r)),
        removed=frozenset(old.objects.keys() - new.objects.keys()),
        clusters=_different(_ways(old), _ways(new)),
        secrets=_different(old.secrets, new.secrets) | _different(old.config_maps, new.config_maps),
        settings=tuple(
            field.encode_name
            for field in msgspec.structs.fields(new.settings)
            if getattr(old.settings, field.name) != getattr(new.settings, field.name)
        ),
    )


def check(old: DeclaredSet, new: DeclaredSet) -> None:
    """Refuse a set that shrank suspiciously. Raises `UsageError`.

    That is by over half, or to nothing: more often a vanished mount than a decision. The last good set then stays in force;
    a restart, or the setting in the new files, lets the new one in.
    """
    was, now = len(old.objects), len(new.objects)
    if new.settings.safety.shrunken_set and was and (2 * now < was or not now):
        raise UsageError(
            f"the declared set shrank from {was} to {now} objects, so the last one stays in force; "
            "if that is meant, restart gitopsd or set safety.shrunkenSet: false",
            reason="SetShrunken",
        )


def _differs(old: DeclaredSet, new: DeclaredSet, ref: ObjectRef) -> bool:
    return old.objects[ref].spec != new.objects[ref].spec or old.intents[ref] != new.intents[ref]


def _ways(declared: DeclaredSet) -> Mapping[str, object]:
    return {name: (cluster.access, cluster.spec, cluster.labels) for name, cluster in declared.clusters.items()}


def _different(old: Mapping[K, V], new: Mapping[K, V]) -> frozenset[K]:
    return frozenset(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
