"""Takes a downloaded pack into a repository: every object is unpacked once, named by its content, and indexed.

dulwich does the same in four passes; this is most of what a first fetch costs. The pack is hostile: its checksum, its number
of objects, every size and every delta are checked. Objects that it leans on without holding them are added, as Git does, so
that each pack can be read by itself. What is unpacked on the way is wanted next: it is handed on, files to whoever takes them
as they pass, the rest up to some size.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import zlib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dulwich.object_format import DEFAULT_OBJECT_FORMAT
from dulwich.objects import RawObjectID
from dulwich.pack import extend_pack

from gitopsd_plugins.git.packs import packed
from gitopsd_plugins.git.packs.packed import BLOB, CHECKSUM, HEADER, NAMES, MalformedPack, Packed
from gitopsd_plugins.git.packs.packindex import Index
from gitopsd_plugins.git.packs.unpacking import Unpacked, Unpacking

AT_HAND = 48 << 20
"""Bytes of unpacked objects that are handed on."""
_DELTAS = 16 << 20
"""Bytes of differences that are kept until their base is named; the others are unpacked a second time."""
_WINDOW = 16 << 20
"""Bytes of the pack that stay mapped behind the place that is read."""

Lookup = Callable[[bytes], Unpacked]
"""Kind and bytes of an object that is there already, by its name. Raises KeyError."""


class AtHand(dict[bytes, Unpacked]):
    """Objects by their names, up to a limit of bytes; what is over it is left out."""

    room = AT_HAND

    def keep(self, name: bytes, known: Unpacked) -> None:
        """Take up an object, if there is room."""
        if self.room >= len(known[1]):
            self.room -= len(known[1])
            self[name] = known


Objects = Iterator[tuple[bytes, Unpacked]]
"""Objects with their names, in the order of the pack."""

Passing = Callable[[Objects, AtHand], None]
"""Sees the objects of a pack as they pass, as many as it wants; what is no file is at hand meanwhile."""


class _Waiting:
    """A difference whose base is not named yet. `delta` is None where it has to be unpacked again."""

    __slots__ = ("check", "delta", "offset")

    def __init__(self, offset: int, check: int, delta: bytes | None) -> None:
        self.offset = offset
        self.check = check
        self.delta = delta


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A pack in its place, without the ending of its files, and what of it is at hand."""

    stem: Path
    at_hand: AtHand = field(repr=False)


def keep(file: Path, lookup: Lookup, passing: Passing | None = None) -> Kept:
    """Index the pack and give it its place beside; the file is gone afterwards. Raises `MalformedPack`, OSError.

    Where nobody sees the files as they pass, they are handed on like the rest.
    """
    at_hand = AtHand()
    with file.open("rb") as opened:
        if os.fstat(opened.fileno()).st_size < HEADER + CHECKSUM:
            raise MalformedPack("a pack that ends early")
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as contents:
            checksum = _checked(contents)
            scan = _Scan(contents, lookup)
            objects = _kept(scan.objects(), at_hand, files=passing is None)
            if passing:
                passing(objects, at_hand)
            for _ in objects:
                """What nobody wanted to see is named all the same."""
    index = scan.index
    if scan.missing:
        with file.open("r+b") as opened:
            checksum, added = extend_pack(opened, scan.missing, lookup, object_format=DEFAULT_OBJECT_FORMAT)
        for name, offset, check in added:
            index.add(name, offset, check or 0)
    made = file.parent / f"{file.name}.idx"
    with made.open("wb") as index_file:
        target = file.parent / f"pack-{index.write(index_file, checksum)}"
    os.replace(file, target.with_suffix(".pack"))
    # The index comes last: a pack without one is not seen.
    os.replace(made, target.with_suffix(".idx"))
    return Kept(stem=target, at_hand=at_hand)


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


def _kept(objects: Objects, at_hand: AtHand, *, files: bool) -> Objects:
    for name, known in objects:
        if files or known[0] != BLOB:
            at_hand.keep(name, known)
        yield name, known


class _Scan:
    """One look at all of a pack. `missing` are the names of what it leans on without holding it."""

    def __init__(self, contents: mmap.mmap, lookup: Lookup) -> None:
        self.index = Index()
        self.missing: set[RawObjectID] = set()
        self._contents = contents
        self._lookup = lookup
        self._unpacking = Unpacking(contents)
        self._placed: dict[bytes, int] = {}
        self._count_placed = 0
        self._by_offset: dict[int, list[_Waiting]] = defaultdict(list)
        self._by_name: dict[bytes, list[_Waiting]] = defaultdict(list)
        self._room = _DELTAS

    def objects(self) -> Objects:
        """Each object with its name, in the order of the pack; those whose base comes after them, at the end."""
        signature, version, count = struct.unpack(">4sLL", self._contents[:HEADER])
        if signature != b"PACK" or version != 2:
            raise MalformedPack("no pack of version 2")
        offset = HEADER
        for _ in range(count):
            found, data, after = self._unpacking.at(offset)
            check = zlib.crc32(self._contents[offset:after])
            known = (found.kind, data) if found.kind in NAMES else self._made(found, data)
            if known:
                self._unpacking.remember(offset, known)
                yield self._named(known, offset, check), known
            else:
                self._wait(found, data, check)
            offset = after
        if offset != self._unpacking.end:
            raise MalformedPack("a pack with more in it than it says")
        yield from self._late()
        if len(self.index.names) != count:
            raise MalformedPack(
                "a pack with differences from objects that are nowhere, or from one another in a circle"
            )
        self.index.tables()  # made here, while what took the last files may still be writing them

    def _named(self, known: Unpacked, offset: int, check: int) -> bytes:
        name = packed.name(*known)
        self.index.add(name, offset, check)
        return name

    @property
    def _places(self) -> Mapping[bytes, int]:
        """Where the objects stand that are named so far. Made when it is asked for: most packs never do."""
        names, offsets, count = self.index.names, self.index.offsets, self._count_placed
        if count < len(names):
            self._placed.update(zip(names[count:], offsets[count:], strict=True))
            self._count_placed = len(names)
        return self._placed

    def _made(self, found: Packed, delta: bytes) -> Unpacked | None:
        """What a difference makes; None where its base is not known yet."""
        base = self._places.get(found.base_name) if found.base_name else found.base_offset
        if base is None:
            return None
        known = self._unpacking.recent.get(base)
        if known is None:
            if not (found.base_name or self._stands(base)):
                return None
            known = self._unpacking.whole(base, self._base)
        return known[0], packed.applied(known[1], delta)

    def _base(self, found: Packed) -> int:
        return self._places[found.base_name] if found.base_name else found.base_offset

    def _stands(self, offset: int) -> bool:
        """Whether an object that is named stands there: their offsets rise as long as the pack is read in its order."""
        offsets = self.index.offsets
        at = bisect_left(offsets, offset)
        return at < len(offsets) and offsets[at] == offset

    def _wait(self, found: Packed, delta: bytes, check: int) -> None:
        self._room -= len(delta)
        waiting = _Waiting(found.offset, check, delta if self._room >= 0 else None)
        if found.base_name:
            self._by_name[found.base_name].append(waiting)
        else:
            self._by_offset[found.base_offset].append(waiting)

    def _late(self) -> Objects:
        """Name the differences that wait, from their bases outwards; what leads in a circle is never come to."""
        if not self._by_name:
            return
        for name in self._by_name.keys() & self._places.keys():
            yield from self._resolved(name, self._unpacking.whole(self._places[name], self._base))
        for name in [*self._by_name]:
            if base := self._elsewhere(name):
                self.missing.add(RawObjectID(name))
                yield from self._resolved(name, base)
        self.missing -= self._places.keys()

    def _elsewhere(self, name: bytes) -> Unpacked | None:
        if name not in self._by_name:
            return None  # came out of another difference meanwhile
        try:
            return self._lookup(name)
        except KeyError:
            return None

    def _resolved(self, name: bytes, known: Unpacked) -> Objects:
        """All that waits for this object, and for what comes of it."""
        todo = [(self._by_name.pop(name, []), known)]
        while todo:
            waiting, (kind, base) = todo.pop()
            for each in waiting:
                delta = self._unpacking.at(each.offset)[1] if each.delta is None else each.delta
                made = kind, packed.applied(base, delta)
                own = self._named(made, each.offset, each.check)
                more = [*self._by_offset.pop(each.offset, ()), *self._by_name.pop(own, ())]
                if more:
                    todo.append((more, made))
                yield own, made
