"""The roles that open encrypted files, and what they are given and answer. Keys and what they open exist in memory only, and are
never shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gitopsd.model import digest
from gitopsd.model.digest import Digest
from gitopsd.model.errors import Rejected
from gitopsd.model.manifest import Body
from gitopsd.plugin.cloud.account import Account
from gitopsd.plugin.context import Context


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
    """A file cannot be opened before services were asked for these locks, or several."""

    def __init__(self, locks: tuple[Lock, ...]) -> None:
        super().__init__(f"{len(locks)} locks")
        self.locks = locks


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What services said to locks, by the locks' ids: what was behind one, or in words why it stays locked."""

    opened: Mapping[Digest, bytes] = field(default_factory=dict, repr=False)
    refused: Mapping[Digest, str] = field(default_factory=dict)

    def __or__(self, more: Answers) -> Answers:
        return Answers(opened={**self.opened, **more.opened}, refused={**self.refused, **more.refused})


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A file as it was before it was encrypted. `values` are the texts in it that were."""

    data: bytes = field(repr=False)
    values: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a Secret holds for a service. `place` is Secret and key, for messages."""

    place: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """With what a service is asked for an app: what Secrets hold for it, else as a service account, else as gitopsd itself."""

    keys: tuple[Keys, ...] = ()
    """The app's own Secret, then the one for all apps."""
    account: Account | None = None
    own: tuple[str, ...] = ()
    """The keys of services, with `*` for any part of a name, for which gitopsd's own identity may be used."""
    settings: Mapping[str, bytes] = field(default_factory=dict)
    """What the operator says about services: the data of a ConfigMap."""

    def held(self, name: str) -> Credential | None:
        """What the first Secret that has this key holds under it."""
        for secret in self.keys:
            if name in secret.values:
                return Credential(place=f"{secret.place}[{name}]", content=secret.values[name])
        return None

    def listed(self, name: str) -> Iterator[str]:
        """The words under this key, of all Secrets."""
        for secret in self.keys:
            yield from secret.values.get(name, b"").decode("utf-8", "replace").split()

    def may_be_itself(self, key: str) -> bool:
        """Whether the settings let a file that names this key make use of gitopsd's own identity."""
        return any(re.fullmatch(re.escape(one).replace(r"\*", ".*"), key) for one in self.own)

    def identity(self, key: str, wanted: str) -> Account | None:
        """Who asks for this key where no Secret holds `wanted`: the account, None for gitopsd itself.

        Raises `Rejected` where that is not allowed, saying what is missing.
        """
        if self.account is None and not self.may_be_itself(key):
            raise self.nobody(wanted)
        return self.account

    def nobody(self, wanted: str) -> Rejected:
        """The error where there is nothing to ask with."""
        places = f" in {' or '.join(secret.place for secret in self.keys)}" if self.keys else ""
        return Rejected(
            f"there is no {wanted}{places}, no spec.decryption.serviceAccountName, and the setting decryption.ownIdentity "
            "does not name the key"
        )


class Decryptor(Protocol):
    """Opens encrypted files while they are read out of a tree; what is opened is in memory only.

    A class without constructor arguments: it is instantiated again in a worker process, where it has no `Context`. `version`
    changes when its results may. No message may hold a value or a key.
    """

    name: str
    """What an app calls it (`decryption.provider` of a Flux Kustomization)."""
    version: str

    def seals(self, path: str, data: bytes) -> bool:
        """Whether the file at this path is for it to open. Quick, asked for every file that is read."""
        ...

    def seals_object(self, body: Body) -> bool:
        """Whether an object that was rendered is still encrypted."""
        ...

    def open(self, path: str, data: bytes, keys: Sequence[Keys], answers: Answers, *, verify: bool) -> Opened:
        """The file as it was. Raises `Rejected` naming file and key, and `Locked` where services have to be asked first.

        `answers` is what services said to locks; no such lock is asked for again. `verify`: refuse what was changed since it
        was encrypted.
        """
        ...


class KeyService(Protocol):
    """Opens what is sealed under keys that never leave a service. It works in the daemon."""

    sort: str
    """The sort of locks that it opens, in the decryptor's words."""

    def key(self, lock: Lock) -> str:
        """The key as messages and settings name it. Raises `Rejected` where the lock names none. Pure."""
        ...

    async def open(self, lock: Lock, asker: Asker, ctx: Context) -> bytes:
        """What is behind the lock. Raises `Rejected` or `Transient` naming the key, never a credential."""
        ...
