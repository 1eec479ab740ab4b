"""Data keys that were sealed with age: for X25519 identities and for SSH keys. The library is the extra `[sops]`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from gitopsd.plugin import Credential, Misconfigured

_SSH = re.compile(rb"-----BEGIN (?:OPENSSH|RSA|EC|DSA)? ?PRIVATE KEY-----")
_POST_QUANTUM = "AGE-SECRET-KEY-PQ-"


class Closed(Exception):  # noqa: N818 - says what is so: none of these keys opens it
    """None of the keys that there are opens it; the message says which were tried."""


def opened(sealed: str, keys: Sequence[Credential]) -> bytes:
    """The data key or share. Raises `Closed`, and `Misconfigured` for a key that is none and a library that is missing."""
    if not keys:
        raise Closed("there is no age key")
    pyrage = _library()
    identities = [identity for key in keys for identity in _identities(key, pyrage)]
    try:
        return bytes(pyrage.decrypt(sealed.encode("utf-8", "replace"), identities))
    except pyrage.DecryptError:
        raise Closed(f"{', '.join(key.place for key in keys)} does not open it") from None


def _library() -> Any:
    try:
        import pyrage
    except ImportError:
        raise Misconfigured(
            "files that are encrypted with age need the extra [sops]; install gitopsd[sops]", reason="DecryptionFailed"
        ) from None
    return pyrage


def _identities(key: Credential, pyrage: Any) -> Iterator[Any]:
    if _SSH.search(key.content):
        try:
            yield pyrage.ssh.Identity.from_buffer(key.content)
        except pyrage.IdentityError:
            raise _unfit(key, "is no SSH private key without a passphrase") from None
        return
    for number, line in enumerate(key.content.decode("utf-8", "replace").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if text.upper().startswith(_POST_QUANTUM):
            raise _unfit(key, f"line {number} is a post-quantum identity, which the age library does not have yet")
        try:
            yield pyrage.x25519.Identity.from_str(text)
        except pyrage.IdentityError:
            raise _unfit(key, f"line {number} is no age identity; it begins with AGE-SECRET-KEY-1") from None


def _unfit(key: Credential, what: str) -> Misconfigured:
    return Misconfigured(f"{key.place}: {what}", reason="DecryptionFailed")
