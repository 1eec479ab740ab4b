"""Live state of many objects, where a kind that cannot be read hides no other: a 403, or a conversion webhook that is down.

One question for all is asked first; only where that fails is each kind asked for by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import anyio

from gitopsd.model.change import Live
from gitopsd.model.errors import GitopsdError
from gitopsd.model.identity import ResourceId
from gitopsd.plugin.roles import Target, Versioned


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is there of what was asked for, and what keeps the rest out of sight: of that nobody knows whether it is there."""

    live: Mapping[ResourceId, Live] = field(default_factory=dict)
    unread: Mapping[ResourceId, GitopsdError] = field(default_factory=dict)

    def and_then(self, later: Look) -> Look:
        """Both, where the later one is about other objects, or knows better."""
        unread = {id: error for id, error in self.unread.items() if id not in later.live}
        return Look(live={**self.live, **later.live}, unread={**unread, **later.unread})


async def at(ids: Collection[Versioned], target: Target) -> Look:
    """Live state, as the cluster has it now. Errors are values."""
    if not ids:
        return Look()
    try:
        return Look(live=await target.observe(ids))
    except GitopsdError as error:
        by_kind = _by_kind(ids)
        if len(by_kind) == 1:
            return Look(unread={id: error for id, _ in ids})
    parts: list[Look] = []

    async def of_one_kind(some: Collection[Versioned]) -> None:
        parts.append(await at(some, target))

    async with anyio.create_task_group() as tasks:
        for some in by_kind:
            tasks.start_soon(of_one_kind, some)
    found = Look()
    for part in parts:
        found = found.and_then(part)
    return found


def _by_kind(ids: Collection[Versioned]) -> tuple[Collection[Versioned], ...]:
    kinds: dict[tuple[str, str], list[Versioned]] = {}
    for id, version in ids:
        kinds.setdefault((id.group, id.kind), []).append((id, version))
    return tuple(kinds.values())
