"""Which keys a `known_hosts` file trusts a host with: plain and hashed names, patterns, several keys of one host. Pure.

Lines with a marker are refused, since a certificate authority or a revocation that is not heeded would trust too much.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field

PORT = 22


class MalformedLine(ValueError):  # noqa: N818 - named by what it is
    """A line that cannot be used; the message says which one and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKey:
    """A public key: its type, and its bytes as they cross the wire."""

    type: str
    blob: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode("ascii").rstrip("=")


def name(host: str, port: int) -> str:
    """A host as the file writes it."""
    return host if port == PORT else f"[{host}]:{port}"


def keys(text: str, host: str) -> tuple[HostKey, ...]:
    """The keys of a host (as `name` writes it), in their order. Raises `MalformedLine` for a marker."""
    found: list[HostKey] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0].startswith("@"):
            raise MalformedLine(f"line {number}: markers such as @cert-authority are not served")
        if len(words) < 3 or not _names(words[0], host):
            continue
        try:
            found.append(HostKey(type=words[1], blob=base64.b64decode(words[2], validate=True)))
        except binascii.Error as error:
            raise MalformedLine(f"line {number}: the key is no base64") from error
    return tuple(dict.fromkeys(found))


def _names(patterns: str, host: str) -> bool:
    if patterns.startswith("|"):
        return _hashed(patterns, host)
    listed = patterns.lower().split(",")
    if any(pattern.startswith("!") and _matches(pattern[1:], host) for pattern in listed):
        return False
    return any(_matches(pattern, host) for pattern in listed)


def _matches(pattern: str, host: str) -> bool:
    parts = (".*" if sign == "*" else "." if sign == "?" else re.escape(sign) for sign in pattern)
    return re.fullmatch("".join(parts), host.lower()) is not None


def _hashed(text: str, host: str) -> bool:
    _, version, salt, wanted = [*text.split("|"), "", "", ""][:4]
    try:
        digest = hmac.digest(base64.b64decode(salt, validate=True), host.encode(), "sha1")
    except binascii.Error:
        return False
    return version == "1" and hmac.compare_digest(base64.b64encode(digest).decode("ascii"), wanted)
