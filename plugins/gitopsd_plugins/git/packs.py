"""Takes a downloaded pack into a repository: every object is unpacked once, named by its content, and indexed.

dulwich does the same in four passes; this is most of what a first fetch costs. The pack is hostile: its checksum, its number
of objects, every size and every delta are checked, and nothing is unpacked beyond what it says of itself. Objects that it
leans on without holding them are added, as Git does, so that each pack can be read by itself.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import zlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dulwich.object_format import DEFAULT_OBJECT_FORMAT
from dulwich.objects import RawObjectID
from dulwich.pack import extend_pack, write_pack_index_v2

HEADER = 12
CHECKSUM = 20
MAX_OBJECT = 256 << 20
"""Bytes of one object, unpacked: as much as one file may have."""

_NAMES = {1: b"commit", 2: b"tree", 3: b"blob", 4: b"tag"}
_OFS_DELTA, _REF_DELTA = 6, 7
_CHUNK = 1 << 18


class MalformedPack(ValueError):  # noqa: N818 - named by what it is
    """A pack that no honest server sends; the message says in which way."""


Entry = tuple[bytes, int, int]
"""Name, offset and CRC of an object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """An object as it stands in the pack: whole, or as a difference from another one."""

    offset: int
    kind: int
    size: int
    data: int
    """Where its compressed bytes begin."""
    base_offset: int = -1
    base_name: bytes = b""


@dataclass(slots=True)
class _Index:
    """What is known so far: names with offset and checksum, and the differences by what they differ from."""

    entries: list[Entry] = field(default_factory=list)
    by_offset: dict[int, list[_Found]] = field(default_factory=lambda: defaultdict(list))
    by_name: dict[bytes, list[_Found]] = field(default_factory=lambda: defaultdict(list))
    checks: dict[int, int] = field(default_factory=dict)
    """CRC of each difference, by its offset."""


Lookup = Callable[[bytes], tuple[int, bytes]]
"""Kind and bytes of an object that is there already, by its name. Raises KeyError."""


def keep(file: Path, lookup: Lookup) -> None:
    """Index the pack and give it its place beside; the file is gone afterwards. Raises `MalformedPack`, OSError."""
    with file.open("rb") as opened:
        if os.fstat(opened.fileno()).st_size < HEADER + CHECKSUM:
            raise MalformedPack("a pack that ends early")
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as contents:
            checksum = _checked(contents)
            entries, missing = _indexed(contents, lookup)
    if missing:
        with file.open("r+b") as opened:
            checksum, added = extend_pack(opened, missing, lookup, object_format=DEFAULT_OBJECT_FORMAT)
        entries += [(name, offset, check or 0) for name, offset, check in added]
    entries.sort()
    name = hashlib.sha1(b"".join(entry[0] for entry in entries), usedforsecurity=False).hexdigest()
    target = file.parent / f"pack-{name}"
    with target.with_suffix(".tmp").open("wb") as index:
        write_pack_index_v2(index, entries, checksum)
    os.replace(file, target.with_suffix(".pack"))
    # The index comes last: a pack without one is not seen.
    os.replace(target.with_suffix(".tmp"), target.with_suffix(".idx"))


def _checked(contents: mmap.mmap) -> bytes:
    end = len(contents) - CHECKSUM
    with memoryview(contents) as view:
        digest = hashlib.sha1(view[:end], usedforsecurity=False).digest()
    if digest != contents[end:]:
        raise MalformedPack("a pack whose checksum is wrong, or that ends early")
    return digest


def _indexed(contents: mmap.mmap, lookup: Lookup) -> tuple[list[Entry], set[RawObjectID]]:
    """What is in the pack, and the names of what it leans on without holding it."""
    signature, version, count = struct.unpack(">4sLL", contents[:HEADER])
    if signature != b"PACK" or version != 2:
        raise MalformedPack("no pack of version 2")
    index, at, end = _Index(), HEADER, len(contents) - CHECKSUM
    for _ in range(count):
        at = _entered(contents, at, end, index)
    if at != end:
        raise MalformedPack("a pack with more in it than it says")
    _resolve(contents, end, index, [(name, offset, 0, b"") for name, offset, _ in index.entries])
    elsewhere = {RawObjectID(name): base for name in index.by_name if (base := _found(name, lookup))}
    _resolve(contents, end, index, [(name, -1, kind, data) for name, (kind, data) in elsewhere.items()])
    if len(index.entries) != count:
        raise MalformedPack("a pack with differences from objects that are nowhere, or from one another in a circle")
    return index.entries, elsewhere.keys() - {name for name, _, _ in index.entries}


def _found(name: bytes, lookup: Lookup) -> tuple[int, bytes] | None:
    try:
        return lookup(name)
    except KeyError:
        return None


def _entered(contents: mmap.mmap, at: int, end: int, index: _Index) -> int:
    """Take up the object that begins here; answers with where the next one does."""
    found = _head(contents, at, end)
    data, after = _unpacked(contents, found, end)
    with memoryview(contents) as view:
        check = zlib.crc32(view[at:after])
    if found.kind in _NAMES:
        index.entries.append((_name(found.kind, data), at, check))
        return after
    index.checks[at] = check
    if found.kind == _OFS_DELTA:
        index.by_offset[found.base_offset].append(found)
    else:
        index.by_name[found.base_name].append(found)
    return after


def _resolve(contents: mmap.mmap, end: int, index: _Index, todo: list[tuple[bytes, int, int, bytes]]) -> None:
    """Name the differences, from these objects outwards; what leads in a circle is never come to.

    An object is its name, offset, kind and bytes; a kind of 0 leaves the last two to be read when somebody needs them.
    """
    while todo and index.checks:
        name, offset, kind, data = todo.pop()
        waiting = [*index.by_offset.pop(offset, ()), *index.by_name.pop(name, ())]
        if waiting and not kind:
            base = _head(contents, offset, end)
            kind, data = base.kind, _unpacked(contents, base, end)[0]
        for found in waiting:
            whole = _applied(data, _unpacked(contents, found, end)[0])
            own = _name(kind, whole)
            index.entries.append((own, found.offset, index.checks[found.offset]))
            if found.offset in index.by_offset or own in index.by_name:
                todo.append((own, found.offset, kind, whole))


def _applied(base: bytes, delta: bytes) -> bytes:
    """What a difference makes of its base; it stops where it makes more than it says."""
    size, at = _number(delta, 0)
    wanted, at = _number(delta, at)
    if size != len(base):
        raise MalformedPack("a difference from an object of another size")
    if wanted > MAX_OBJECT:
        raise MalformedPack(f"an object of more than {MAX_OBJECT >> 20} MiB")
    parts: list[bytes] = []
    made, end = 0, len(delta)
    while at < end and made <= wanted:
        step = delta[at]
        at += 1
        if step & 0x80:
            begin, at = _copied(delta, at, step & 0x0F)
            length, at = _copied(delta, at, step >> 4 & 0x07)
            part = base[begin : begin + (length or 0x10000)]
            if len(part) != (length or 0x10000):
                raise MalformedPack("a difference that copies what its base does not hold")
        else:
            part, at = delta[at : at + step], at + step
        parts.append(part)
        made += len(part)
    if made != wanted or at != end:
        raise MalformedPack("a difference that makes another size than it says")
    return b"".join(parts)


def _copied(delta: bytes, at: int, present: int) -> tuple[int, int]:
    """A number of which only these bytes are written."""
    value = shift = 0
    while present:
        if present & 1:
            value |= int.from_bytes(delta[at : at + 1], "little") << shift
            at += 1
        present >>= 1
        shift += 8
    return value, at


def _number(delta: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(delta) and shift <= 63:
        byte = delta[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
    raise MalformedPack("a difference that ends early")


def _head(contents: mmap.mmap, offset: int, end: int) -> _Found:
    at, byte = offset + 1, _byte(contents, offset, end)
    kind, size, shift = byte >> 4 & 7, byte & 15, 4
    while byte & 0x80:
        byte = _byte(contents, at, end)
        size |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if shift > 63:
            raise MalformedPack("an object whose size is no size")
    if size > MAX_OBJECT:
        raise MalformedPack(f"an object of more than {MAX_OBJECT >> 20} MiB")
    if kind in _NAMES:
        return _Found(offset=offset, kind=kind, size=size, data=at)
    if kind == _REF_DELTA:
        return _Found(offset=offset, kind=kind, size=size, data=at + CHECKSUM, base_name=contents[at : at + CHECKSUM])
    if kind != _OFS_DELTA:
        raise MalformedPack(f"an object of the unknown kind {kind}")
    back, at = _back(contents, at, end)
    if not HEADER <= offset - back < offset:
        raise MalformedPack("a difference from what lies outside of the pack")
    return _Found(offset=offset, kind=kind, size=size, data=at, base_offset=offset - back)


def _back(contents: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    """How far before an object its base lies, and where that number ends."""
    byte = _byte(contents, at, end)
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = _byte(contents, at, end)
        value = (value + 1) << 7 | byte & 0x7F
        if value >> 62:
            raise MalformedPack("a difference from what lies outside of the pack")
    return value, at + 1


def _byte(contents: mmap.mmap, at: int, end: int) -> int:
    if at >= end:
        raise MalformedPack("a pack that ends early")
    return contents[at]


def _unpacked(contents: mmap.mmap, found: _Found, end: int) -> tuple[bytes, int]:
    """An object's bytes, and where its compressed ones end. Never unpacks more than one byte beyond what it says."""
    # One look at what it can take at most: what is not used of it is copied by zlib, so that it may not be the whole pack.
    step = min(found.size + (found.size >> 10) + 64, _CHUNK)
    parts: list[bytes] = []
    stream, size, at = zlib.decompressobj(), 0, found.data
    try:
        while not stream.eof and at < end:
            piece = contents[at : min(at + step, end)]
            at += len(piece)
            while piece or not parts:
                made = stream.decompress(piece, found.size - size + 1)
                size += len(made)
                parts.append(made)
                if size > found.size:
                    raise MalformedPack("an object that is larger than it says")
                piece = stream.unconsumed_tail
                if not made and not piece:
                    break
    except zlib.error as error:
        raise MalformedPack("an object that cannot be unpacked") from error
    if not stream.eof or size != found.size:
        raise MalformedPack("an object that ends early")
    return parts[0] if len(parts) == 1 else b"".join(parts), at - len(stream.unused_data)


def _name(kind: int, data: bytes) -> bytes:
    digest = hashlib.sha1(b"%s %d\0" % (_NAMES[kind], len(data)), usedforsecurity=False)
    digest.update(data)
    return digest.digest()
