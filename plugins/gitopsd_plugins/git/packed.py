"""One object as it stands in the bytes of a pack: what its head says, what it unpacks to, what a difference makes of its base.

All of it is hostile: nothing is unpacked beyond what an object says of itself, and that has a limit.
"""

from __future__ import annotations

import hashlib
import mmap
import zlib
from typing import NamedTuple

from dulwich.errors import ApplyDeltaError
from dulwich.pack import apply_delta

HEADER = 12
"""Bytes before the first object."""
CHECKSUM = 20
MAX_OBJECT = 256 << 20
"""Bytes of one object, unpacked: as much as one file may have."""

NAMES = {1: b"commit", 2: b"tree", 3: b"blob", 4: b"tag"}
_OFS_DELTA, _REF_DELTA = 6, 7
_LONGEST_HEAD = 48
_CHUNK = 1 << 18


class MalformedPack(ValueError):  # noqa: N818 - named by what it is
    """A pack that no honest server sends; the message says in which way."""


class Packed(NamedTuple):
    """Where an object stands and of which kind and size it is: whole, or a difference from another one."""

    offset: int
    kind: int
    size: int
    data: int
    """Where its compressed bytes begin."""
    base_offset: int
    base_name: bytes


def head(contents: mmap.mmap, offset: int, end: int) -> Packed:
    """What stands at this offset of a pack whose objects end at `end`. Raises `MalformedPack`."""
    text = contents[offset : min(offset + _LONGEST_HEAD, end)]
    try:
        return _head(text, offset)
    except IndexError as error:
        raise MalformedPack("a pack that ends early") from error


def _head(text: bytes, offset: int) -> Packed:
    byte = text[0]
    kind, size, shift, at = byte >> 4 & 7, byte & 15, 4, 1
    while byte & 0x80:
        byte = text[at]
        size |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if shift > 63:
            raise MalformedPack("an object whose size is no size")
    if size > MAX_OBJECT:
        raise MalformedPack(f"an object of more than {MAX_OBJECT >> 20} MiB")
    if kind in NAMES:
        return Packed(offset, kind, size, offset + at, -1, b"")
    if kind == _REF_DELTA:
        return Packed(offset, kind, size, offset + at + CHECKSUM, -1, text[at : at + CHECKSUM])
    if kind != _OFS_DELTA:
        raise MalformedPack(f"an object of the unknown kind {kind}")
    back, at = _back(text, at)
    if not HEADER <= offset - back < offset:
        raise MalformedPack("a difference from what lies outside of the pack")
    return Packed(offset, kind, size, offset + at, offset - back, b"")


def _back(text: bytes, at: int) -> tuple[int, int]:
    """How far before an object its base lies, and where that number ends."""
    byte = text[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = text[at]
        value = (value + 1) << 7 | byte & 0x7F
        if value >> 62:
            raise MalformedPack("a difference from what lies outside of the pack")
    return value, at + 1


def unpacked(contents: mmap.mmap, found: Packed, end: int) -> tuple[bytes, int]:
    """An object's bytes, and where its compressed ones end. Never unpacks more than one byte beyond what it says."""
    # One look at what it can take at most: what is not used of it is copied by zlib, so that it may not be the whole pack.
    step = min(found.size + (found.size >> 10) + 64, _CHUNK)
    stream, at = zlib.decompressobj(), found.data
    try:
        piece = contents[at : min(at + step, end)]
        made = stream.decompress(piece, found.size + 1)
        if stream.eof and len(made) == found.size:
            return made, at + len(piece) - len(stream.unused_data)
        return _continued(contents, found, at + len(piece) - len(stream.unconsumed_tail), end, stream, made)
    except zlib.error as error:
        raise MalformedPack("an object that cannot be unpacked") from error


def _continued(
    contents: mmap.mmap, found: Packed, at: int, end: int, stream: zlib._Decompress, made: bytes
) -> tuple[bytes, int]:
    """The same for an object that takes more than one look, or is not what it says."""
    parts, size = [made], len(made)
    while not stream.eof and at < end and size <= found.size:
        piece = contents[at : min(at + _CHUNK, end)]
        made = stream.decompress(piece, found.size - size + 1)
        at += len(piece) - len(stream.unconsumed_tail)
        size += len(made)
        parts.append(made)
    if size > found.size:
        raise MalformedPack("an object that is larger than it says")
    if not stream.eof or size != found.size:
        raise MalformedPack("an object that ends early")
    return b"".join(parts), at - len(stream.unused_data)


def applied(base: bytes, delta: bytes) -> bytes:
    """What a difference makes of its base; the size that it says is looked at first. Raises `MalformedPack`."""
    size, at = _number(delta, 0)
    wanted, _ = _number(delta, at)
    if size != len(base):
        raise MalformedPack("a difference from an object of another size")
    if wanted > MAX_OBJECT:
        raise MalformedPack(f"an object of more than {MAX_OBJECT >> 20} MiB")
    try:
        parts = apply_delta(base, delta)
    except ApplyDeltaError as error:
        raise MalformedPack(
            "a difference that makes another size than it says, or copies what its base does not hold"
        ) from error
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _number(delta: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(delta) and shift <= 63:
        byte = delta[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
    raise MalformedPack("a difference that ends early")


def name(kind: int, data: bytes) -> bytes:
    """The 20 bytes that name an object of this kind (1 to 4) and content."""
    digest = hashlib.sha1(b"%s %d\0" % (NAMES[kind], len(data)), usedforsecurity=False)
    digest.update(data)
    return digest.digest()
