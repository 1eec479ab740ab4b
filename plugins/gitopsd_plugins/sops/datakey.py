"""From master keys to a file's data key: one key of a group opens its share, enough shares make the data key.

What only a service can open is not asked for here, where there is no `Context`: such keys are named as locks, and whoever can
ask brings what was behind them, or why they stay locked.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gitopsd.plugin import Answers, Lock, Locked
from gitopsd_plugins.sops import agekeys, pgpkeys, shamir
from gitopsd_plugins.sops.agekeys import Closed
from gitopsd_plugins.sops.document import SopsError
from gitopsd_plugins.sops.keyring import Keyring
from gitopsd_plugins.sops.metadata import MasterKey, Metadata

LENGTH = 32
LOCAL = {"age": agekeys.opened, "pgp": pgpkeys.opened}


@dataclass(slots=True)
class _Tried:
    """What came of one group: its share, or what was in the way."""

    share: bytes | None = None
    locks: list[Lock] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def of(metadata: Metadata, keyring: Keyring, answers: Answers) -> bytes:
    """The data key. Raises `SopsError` saying which key is missing, and `Locked` where a service has to be asked first."""
    tried = [_group(group, keyring, answers) for group in metadata.groups]
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


def _group(group: tuple[MasterKey, ...], keyring: Keyring, answers: Answers) -> _Tried:
    """Local keys first: they cost nothing, and ask nobody."""
    tried = _Tried()
    for key in sorted(group, key=lambda key: key.sort not in LOCAL):
        if key.sort not in LOCAL:
            _ask(key, answers, tried)
        else:
            try:
                tried.share = LOCAL[key.sort](key.sealed, keyring.age if key.sort == "age" else keyring.pgp)
            except Closed as error:
                looked = _looked_at(keyring) if str(error).startswith("there is no") else ""
                tried.said.append(f"{key}: {error}{looked}")
        if tried.share is not None:
            break
    return tried


def _ask(key: MasterKey, answers: Answers, tried: _Tried) -> None:
    """What a service said to the key; before it was asked, a lock."""
    lock = Lock.of(key.sort, {**key.fields, "enc": key.sealed})
    if lock.id in answers.opened:
        tried.share = answers.opened[lock.id]
    elif lock.id in answers.refused:
        tried.said.append(f"{key}: {answers.refused[lock.id]}")
    else:
        tried.locks.append(lock)


def _looked_at(keyring: Keyring) -> str:
    return f" in {' or '.join(keyring.places)}" if keyring.places else "; set spec.decryption.secretRef"


def _missing(tried: list[_Tried], got: int, needed: int) -> str:
    said = "; ".join(text for group in tried if group.share is None for text in group.said)
    if len(tried) == 1:
        return f"no key opens it: {said}"
    return f"{needed} of its {len(tried)} key groups are needed, {got} could be opened: {said}"
