"""A digest as the database keeps it: 32 bytes instead of 71 characters."""

from __future__ import annotations

from gitopsd.model.digest import Digest
from gitopsd.model.errors import Transient

_PREFIX = "sha256:"


def pack(digest: Digest) -> bytes:
    """The 32 bytes of a digest. Raises `Transient` for anything that the store could never hold."""
    try:
        packed = bytes.fromhex(digest.removeprefix(_PREFIX))
    except ValueError as error:
        raise missing(digest) from error
    if len(packed) != 32 or not digest.startswith(_PREFIX):
        raise missing(digest)
    return packed


def unpack(packed: bytes) -> Digest:
    """The inverse of `pack`."""
    return Digest(_PREFIX + packed.hex())


def missing(digest: str) -> Transient:
    """The error for content that is not there."""
    return Transient(f"content {digest} is not in the store; it will be fetched again", reason="ContentMissing")


def damaged(digest: str) -> Transient:
    """The error for content whose bytes do not match its digest."""
    return Transient(
        f"damaged content {digest} was dropped from the store; it will be fetched again", reason="ContentDamaged"
    )
