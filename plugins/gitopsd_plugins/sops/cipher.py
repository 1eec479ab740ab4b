"""The form in which SOPS writes an encrypted value, and its authentication code over all values of a file.

Each value is sealed by AES-256-GCM with the path to it as additional data, so that none can be moved elsewhere unseen.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from decimal import Decimal
from typing import Any

from gitopsd_plugins.sops.document import Comment, Moment

SEALED = re.compile(r"ENC\[AES256_GCM,data:(.*),iv:(.+),tag:(.+),type:(.+)\]")
ONLY_ENCRYPTED = bytes.fromhex("8a3fd2ad54ce66527b1034f3d147be0b0b975b3bf44f72c6fdadec8176f27d69")
"""Begins the code of a file with `mac_only_encrypted`, so that it differs from one without."""


class Damaged(Exception):  # noqa: N818 - says what is so; whoever knows file and path makes an error of it
    """A value that is no value of SOPS, or that was not sealed like this, under this key, at this place."""


def opened(text: str, key: bytes, path: tuple[str, ...]) -> Any:
    """The value that was sealed at this path. Raises `Damaged`."""
    return opened_with(text, key, f"{':'.join(path)}:")


def opened_with(text: str, key: bytes, additional: str) -> Any:
    """The value that was sealed with this additional data. Raises `Damaged`."""
    # 50 ms that whoever loads the plugin and opens nothing never needs
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if not text:
        return ""
    found = SEALED.fullmatch(text)
    if found is None:
        raise Damaged("is not a value that SOPS encrypted")
    try:
        data, nonce, tag = (base64.b64decode(part, validate=True) for part in found.groups()[:3])
        content = AESGCM(key).decrypt(nonce, data + tag, additional.encode())
        return _typed(content, found[4])
    except (binascii.Error, ValueError):
        raise Damaged("is damaged") from None  # the cause might quote the value
    except InvalidTag:
        raise Damaged("was changed, moved, or sealed under another data key") from None


def _typed(content: bytes, sort: str) -> Any:
    text = content.decode("utf-8", "surrogateescape")
    match sort:
        case "str" | "bytes":
            return text
        case "int":
            return int(text)
        case "float":
            return float(text)
        case "bool":
            return text.lower() in ("1", "t", "true")
        case "time":
            return Moment(text)
        case "comment":
            return Comment(text)
    raise Damaged(f"is of the type {sort!r}, which is not known")


class Code:
    """The authentication code over the values of a file, in their order."""

    def __init__(self, *, only_encrypted: bool) -> None:
        self._hash = hashlib.sha512(ONLY_ENCRYPTED if only_encrypted else b"")

    def add(self, value: Any) -> None:
        """Go on with this value; comments and nothing at all are not part of it."""
        if value is not None and not isinstance(value, Comment):
            self._hash.update(spelled(value))

    def is_right(self, expected: str) -> bool:
        """Whether this is the code that the file carries."""
        return hmac.compare_digest(self._hash.hexdigest().upper().encode(), expected.encode("utf-8", "replace"))


def spelled(value: Any) -> bytes:
    """A scalar as SOPS spells it for its code."""
    if isinstance(value, bool):
        return b"True" if value else b"False"
    if isinstance(value, float):
        return decimal(value).encode()
    return raw(str(value))


def raw(text: str) -> bytes:
    """The bytes of a text; those that were no UTF-8 are what they were, half a surrogate pair is a question mark."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def decimal(value: float) -> str:
    """A float with the fewest digits that read back as itself, never with an exponent, as Go's 'f' format."""
    text = repr(value)
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")
