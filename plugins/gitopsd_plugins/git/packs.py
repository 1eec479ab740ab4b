"""Takes a downloaded pack into a repository: every object is unpacked once, named by its content, and indexed.

dulwich does the same in four passes; this is most of what a first fetch costs. The pack is hostile: its checksum, its number
of objects, every size and every delta are checked. Objects that it leans on without holding them are added, as Git does, so
that each pack can be read by itself. What was unpacked on the way is handed on up to some size, since it is wanted next.
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

from gitopsd_plugins.git import packed
from gitopsd_plugins.git.packed import CHECKSUM, HEADER, NAMES, MalformedPack, Packed

AT_HAND = 48 << 20
"""Bytes of unpacked objects that are handed on."""
_DELTAS = 16 << 20
"""Bytes of differences that are kept until their base is named; the others are unpacked a second time."""
_WINDOW = 16 << 20
"""Bytes of the pack that stay mapped behind the place that is read."""
_OFS_DELTA = 6


Entry = tuple[bytes, int, int]
"""Name, offset and CRC of an object."""

Lookup = Callable[[bytes], tuple[int, bytes]]
"""Kind and bytes of an object that is there already, by its name. Raises KeyError."""

AtHand = dict[bytes, tuple[int, bytes]]
"""Kind and bytes of objects by their names."""


class _Waiting:
    """A difference whose base is not named yet. `delta` is None where it has to be unpacked again."""

    __slots__ = ("check", "delta", "found")

    def __init__(self, found: Packed, check: int, delta: bytes | None) -> None:
        self.found = found
        self.check = check
        self.delta = delta


@dataclass(slots=True)
class _Index:
    """What is known so far: names with offset and checksum, and the differences by what they differ from."""

    entries: list[Entry] = field(default_factory=list)
    by_offset: dict[int, list[_Waiting]] = field(default_factory=lambda: defaultdict(list))
    by_name: dict[bytes, list[_Waiting]] = field(default_factory=lambda: defaultdict(list))
    at_hand: AtHand = field(default_factory=dict)
    room: int = AT_HAND
    room_for_deltas: int = _DELTAS

    def enter(self, kind: int, data: bytes, offset: int, check: int) -> bytes:
        """Name an object."""
        name = packed.name(kind, data)
        self.entries.append((name, offset, check))
        if self.room >= len(data):
            self.room -= len(data)
            self.at_hand[name] = kind, data
        return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A pack in its place, without the ending of its files, and what of it is at hand."""

    stem: Path
    at_hand: AtHand = field(repr=False)


def keep(file: Path, lookup: Lookup) -> Kept:
    """Index the pack and give it its place beside; the file is gone afterwards. Raises `MalformedPack`, OSError."""
    with file.open("rb") as opened:
        if os.fstat(opened.fileno()).st_size < HEADER + CHECKSUM:
            raise MalformedPack("a pack that ends early")
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as contents:
            checksum = _checked(contents)
            index, missing = _indexed(contents, lookup)
    entries = index.entries
    if missing:
        with file.open("r+b") as opened:
            checksum, added = extend_pack(opened, missing, lookup, object_format=DEFAULT_OBJECT_FORMAT)
        entries += [(name, offset, check or 0) for name, offset, check in added]
    entries.sort()
    name = hashlib.sha1(b"".join(entry[0] for entry in entries), usedforsecurity=False).hexdigest()
    target = file.parent / f"pack-{name}"
    with target.with_suffix(".tmp").open("wb") as index_file:
        write_pack_index_v2(index_file, entries, checksum)
    os.replace(file, target.with_suffix(".pack"))
    # The index comes last: a pack without one is not seen.
    os.replace(target.with_suffix(".tmp"), target.with_suffix(".idx"))
    return Kept(stem=target, at_hand=index.at_hand)


def _checked(contents: mmap.mmap) -> bytes:
    end = len(contents) - CHECKSUM
    sum_, at = hashlib.sha1(usedforsecurity=False), 0
    while at < end:
        sum_.update(contents[at : min(at + (1 << 20), end)])
        at += 1 << 20
        if not at % _WINDOW:
            contents.madvise(mmap.MADV_DONTNEED)
    if sum_.digest() != contents[end:]:
        raise MalformedPack("a pack whose checksum is wrong, or that ends early")
    return sum_.digest()


def _indexed(contents: mmap.mmap, lookup: Lookup) -> tuple[_Index, set[RawObjectID]]:
    """What is in the pack, and the names of what it leans on without holding it."""
    signature, version, count = struct.unpack(">4sLL", contents[:HEADER])
    if signature != b"PACK" or version != 2:
        raise MalformedPack("no pack of version 2")
    index, at, end, let_go = _Index(), HEADER, len(contents) - CHECKSUM, 0
    for _ in range(count):
        at = _entered(contents, at, end, index)
        if at - let_go > _WINDOW:
            contents.madvise(mmap.MADV_DONTNEED)
            let_go = at
    if at != end:
        raise MalformedPack("a pack with more in it than it says")
    _resolve(contents, end, index, [(name, offset, 0, b"") for name, offset, _ in index.entries])
    elsewhere = {RawObjectID(name): base for name in index.by_name if (base := _found(name, lookup))}
    _resolve(contents, end, index, [(name, -1, kind, data) for name, (kind, data) in elsewhere.items()])
    if len(index.entries) != count:
        raise MalformedPack("a pack with differences from objects that are nowhere, or from one another in a circle")
    return index, elsewhere.keys() - {name for name, _, _ in index.entries}


def _found(name: bytes, lookup: Lookup) -> tuple[int, bytes] | None:
    try:
        return lookup(name)
    except KeyError:
        return None


def _entered(contents: mmap.mmap, at: int, end: int, index: _Index) -> int:
    """Take up the object that begins here; answers with where the next one does."""
    found = packed.head(contents, at, end)
    data, after = packed.unpacked(contents, found, end)
    check = zlib.crc32(contents[at:after])
    if found.kind in NAMES:
        index.enter(found.kind, data, at, check)
        return after
    index.room_for_deltas -= len(data)
    waiting = _Waiting(found, check, data if index.room_for_deltas >= 0 else None)
    if found.kind == _OFS_DELTA:
        index.by_offset[found.base_offset].append(waiting)
    else:
        index.by_name[found.base_name].append(waiting)
    return after


def _resolve(contents: mmap.mmap, end: int, index: _Index, todo: list[tuple[bytes, int, int, bytes]]) -> None:
    """Name the differences, from these objects outwards; what leads in a circle is never come to.

    An object is its name, offset, kind and bytes; a kind of 0 leaves the last two to be read when somebody needs them.
    """
    while todo and (index.by_offset or index.by_name):
        name, offset, kind, data = todo.pop()
        waiting = [*index.by_offset.pop(offset, ()), *index.by_name.pop(name, ())]
        if waiting and not kind:
            kind, data = index.at_hand.get(name) or _whole(contents, offset, end)
        for each in waiting:
            at = each.found.offset
            delta = packed.unpacked(contents, each.found, end)[0] if each.delta is None else each.delta
            whole = packed.applied(data, delta)
            own = index.enter(kind, whole, at, each.check)
            if at in index.by_offset or own in index.by_name:
                todo.append((own, at, kind, whole))


def _whole(contents: mmap.mmap, offset: int, end: int) -> tuple[int, bytes]:
    found = packed.head(contents, offset, end)
    return found.kind, packed.unpacked(contents, found, end)[0]
