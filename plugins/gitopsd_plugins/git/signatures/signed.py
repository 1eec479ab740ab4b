"""What a Git object says and what signs it, taken apart as Git does: the signature, and the bytes that it is made over. Pure.

A commit carries its signature as a header, a tag at its end. Nothing is parsed and written again, so that what is verified
is what lies in the repository, byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_HEADERS = (b"gpgsig ", b"gpgsig-sha256 ")


class SignatureError(ValueError):
    """A signature that does not convince; the message says why, as the end of a sentence."""


class MalformedKey(ValueError):  # noqa: N818 - named by what it is
    """What is no public key; the message says where, as the end of a sentence."""


class Form(StrEnum):
    """In which form something is signed."""

    PGP = "OpenPGP"
    SSH = "SSH"
    X509 = "X.509"
    NONE = "none"
    OTHER = "unknown"


_BEGINS = {
    b"-----BEGIN PGP SIGNATURE-----": Form.PGP,
    b"-----BEGIN PGP MESSAGE-----": Form.PGP,
    b"-----BEGIN SSH SIGNATURE-----": Form.SSH,
    b"-----BEGIN SIGNED MESSAGE-----": Form.X509,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """An object's signature in its armour, b"" without one, and the bytes that it has to fit to."""

    payload: bytes
    signature: bytes

    @property
    def form(self) -> Form:
        """What the armour says."""
        if not self.signature.strip():
            return Form.NONE
        first = self.signature.lstrip().partition(b"\n")[0].rstrip()
        return _BEGINS.get(first, Form.OTHER)


def commit(raw: bytes) -> Signed:
    """A commit's signature. Headers of the same name are joined as Git joins them."""
    head, blank, body = raw.partition(b"\n\n")
    kept: list[bytes] = []
    signature: list[bytes] = []
    into = kept
    for line in head.split(b"\n"):
        if not line.startswith(b" "):
            into = [] if line.startswith(_HEADERS) else kept
            if line.startswith(_HEADERS[0]):
                into, line = signature, line.removeprefix(_HEADERS[0])
        elif into is signature:
            line = line[1:]
        into.append(line)
    return Signed(payload=b"\n".join(kept) + blank + body, signature=b"\n".join(signature))


def tag(raw: bytes) -> Signed:
    """An annotated tag's signature: what begins with the last line that opens an armour."""
    at = 0
    found = len(raw)
    while at < len(raw):
        end = raw.find(b"\n", at)
        line = raw[at : end if end >= 0 else len(raw)]
        if line.rstrip() in _BEGINS:
            found = at
        at = end + 1 if end >= 0 else len(raw)
    return Signed(payload=raw[:found], signature=raw[found:])
