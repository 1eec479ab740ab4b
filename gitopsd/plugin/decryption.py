"""What a `Decryptor` is given and what it answers. Keys and what they open exist in memory only, and are never shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gitopsd.model import digest
from gitopsd.model.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What one Secret with keys holds now. `place` names it in messages."""

    place: str
    values: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A data key, or a share of one, that only a service can open: which sort of service, and what to ask it."""

    id: Digest
    sort: str
    fields: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, sort: str, fields: Mapping[str, str]) -> Lock:
        """The lock with these fields; equal fields are one lock."""
        return cls(id=digest.of_value([sort, dict(fields)]), sort=sort, fields=fields)


class Locked(Exception):  # noqa: N818 - a state and no mistake: it is answered by opening the locks
    """A file cannot be opened before services have opened one of these locks, or several."""

    def __init__(self, locks: tuple[Lock, ...]) -> None:
        super().__init__(f"{len(locks)} locks")
        self.locks = locks


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A file as it was before it was encrypted. `values` are the texts in it that were."""

    data: bytes = field(repr=False)
    values: frozenset[str] = field(default=frozenset(), repr=False)
