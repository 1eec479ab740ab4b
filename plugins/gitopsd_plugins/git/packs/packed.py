"""One object as it stands in the bytes of a pack: what its head says, what it unpacks to, what a difference makes of its base.

All of it is hostile: nothing is unpacked beyond what an object says of itself, and that has a limit.
"""

from __future__ import annotations

import hashlib
import mmap
import zlib

import msgspec
from dulwich.errors import ApplyDeltaError
from dulwich.pack import apply_delta

HEADER = 12
"""Bytes before the first object."""
CHECKSUM = 20
MAX_OBJECT = 256 << 20
"""Bytes of one object, unpacked: as much as one file may have."""

COMMIT, TREE, BLOB, TAG = 1, 2, 3, 4
NAMES = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob", TAG: b"tag"}
_OFS_DELTA, _REF_DELTA = 6, 7
LONGEST_HEAD = 48
"""Bytes that are enough to tell what an object says of itself."""
_LOOK = 4096
"""Bytes that are looked at first: most objects end in them, and what is not used of them is copied by zlib."""
_OVER = 16
"""Bytes by which a small object may be longer compressed than it is."""
_LONGEST_SIZES = 20
"""Bytes of two numbers below 2^70."""
_CHUNK = 1 << 18


class MalformedPack(ValueError):  # noqa: N818 - named by what it is
    """A pack that no honest server sends; the message says in which way."""


class Packed(msgspec.Struct, frozen=True, gc=False):
    """Where an object stands and of which kind and size it is: whole, or a difference from another one."""

    offset: int
    kind: int
    size: int
    data: int
    """Where its compressed bytes begin."""
    base_offset: int
    base_name: bytes


def at(contents: mmap.mmap, offset: int, end: int) -> tuple[Packed, bytes, int]:
    """What stands at this offset of a pack whose objects end at `end`, what it unpacks to, and where the next one begins.

    Never unpacks more than one byte beyond what an object says of itself. Raises `MalformedPack`.
    """
    stream = zlib.decompressobj()
    try:
        found = _head(contents[offset : min(offset + LONGEST_HEAD, end)], offset)
        begin, size = found.data, found.size
        text = contents[begin : min(begin + min(size + _OVER, _LOOK), end)]
        made = stream.decompress(text, size + 1)
        if stream.eof and len(made) == size:
            return found, made, begin + len(text) - len(stream.unused_data)
        after = begin + len(text) - len(stream.unconsumed_tail)
        return found, *_continued(contents, found, after, end, stream, made)
    except zlib.error as error:
        raise MalformedPack("an object that cannot be unpacked") from error
    except IndexError as error:
        raise _early() from error


def head(text: bytes, offset: int) -> Packed:
    """What the bytes of a pack that begin at this offset say of the object there. Raises `MalformedPack`."""
    try:
        return _head(text, offset)
    except IndexError as error:
        raise _early() from error


def _early() -> MalformedPack:
    return MalformedPack("a pack that ends early")


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


def _continued(
    contents: mmap.mmap, found: Packed, at: int, end: int, stream: zlib._Decompress, made: bytes
) -> tuple[bytes, int]:
    """An object that takes more than one look, or is not what it says: its bytes, and where its compressed ones end."""
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
    size, wanted = _sizes(delta)
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


def _sizes(delta: bytes) -> tuple[int, int]:
    """The bytes of the base and of what comes out, as a difference says them."""
    found = []
    value = shift = 0
    for byte in delta[:_LONGEST_SIZES]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            found.append(value)
            if len(found) == 2:
                return found[0], found[1]
            value = shift = 0
    raise MalformedPack("a difference that ends early")


def name(kind: int, data: bytes) -> bytes:
    """The 20 bytes that name an object of this kind (1 to 4) and content."""
    return hashlib.sha1(b"%s %d\0" % (NAMES[kind], len(data)) + data, usedforsecurity=False).digest()
