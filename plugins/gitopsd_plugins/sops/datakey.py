"""From master keys to a file's data key: one key of a group opens its share, enough shares make the data key.

What only a service can open is not asked for here, where there is no `Context`: such keys are named as locks, and whoever can
ask brings what was behind them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gitopsd.plugin import Lock, Locked
from gitopsd_plugins.sops import agekeys, pgpkeys, shamir
from gitopsd_plugins.sops.agekeys import Closed
from gitopsd_plugins.sops.document import SopsError
from gitopsd_plugins.sops.keyring import SERVICES, Keyring
from gitopsd_plugins.sops.metadata import MasterKey, Metadata

LENGTH = 32
LOCAL = {"age": agekeys.opened, "pgp": pgpkeys.opened}


@dataclass(slots=True)
class _Tried:
    """What came of one group: its share, or what was in the way."""

    share: bytes | None = None
    locks: list[Lock] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def of(metadata: Metadata, keyring: Keyring, unlocked: Mapping[str, bytes]) -> bytes:
    """The data key. Raises `SopsError` saying which key is missing, and `Locked` where a service has to be asked first."""
    tried = [_group(group, metadata, keyring, unlocked) for group in metadata.groups]
    shares = [group.share for group in tried if group.share is not None]
    needed = metadata.threshold if len(tried) > 1 else 1
    if len(shares) < needed:
        locks = tuple(lock for group in tried if group.share is None for lock in group.locks)
        if locks:
            raise Locked(locks)
        raise SopsError(_missing(tried, len(shares), needed))
    return _joined(shares, alone=len(tried) == 1)


def _joined(shares: list[bytes], *, alone: bool) -> bytes:
    try:
        key = shares[0] if alone else shamir.combined(shares)
    except ValueError as error:
        raise SopsError(f"the shares of its key groups do not fit: {error}") from error
    if len(key) != LENGTH:
        raise SopsError(f"its data key has {len(key)} bytes, not {LENGTH}")
    return key


def _group(group: tuple[MasterKey, ...], metadata: Metadata, keyring: Keyring, unlocked: Mapping[str, bytes]) -> _Tried:
    """Local keys first: they cost nothing, and ask nobody."""
    tried = _Tried()
    for key in sorted(group, key=lambda key: key.sort not in LOCAL):
        try:
            tried.share = _opened(key, keyring, unlocked)
        except Closed as error:
            tried.said.append(f"{key}: {error}{_looked_at(keyring) if str(error).startswith('there is no') else ''}")
        if tried.share is not None:
            return tried
        if (lock := _lock(key)) is not None and lock.id not in unlocked and _may_ask(key, keyring):
            tried.locks.append(lock)
    return tried


def _looked_at(keyring: Keyring) -> str:
    return f" in {' or '.join(keyring.places)}" if keyring.places else "; set spec.decryption.secretRef"


def _opened(key: MasterKey, keyring: Keyring, unlocked: Mapping[str, bytes]) -> bytes | None:
    if key.sort in LOCAL:
        return LOCAL[key.sort](key.sealed, keyring.age if key.sort == "age" else keyring.pgp)
    if key.sort not in SERVICES:
        raise Closed("this service is not served")
    lock = _lock(key)
    found = unlocked.get(lock.id) if lock else None
    if found == b"":
        raise Closed("the service did not open it")
    if found is None and not _may_ask(key, keyring):
        raise Closed(f"there is no {SERVICES[key.sort]}")
    return found


def _may_ask(key: MasterKey, keyring: Keyring) -> bool:
    return SERVICES.get(key.sort, "") in keyring.services


def _lock(key: MasterKey) -> Lock | None:
    return Lock.of(key.sort, {**key.fields, "enc": key.sealed}) if key.sort in SERVICES else None


def _missing(tried: list[_Tried], got: int, needed: int) -> str:
    said = "; ".join(text for group in tried if group.share is None for text in group.said)
    if len(tried) == 1:
        return f"no key opens it: {said}"
    return f"{needed} of its {len(tried)} key groups are needed, {got} could be opened: {said}"
