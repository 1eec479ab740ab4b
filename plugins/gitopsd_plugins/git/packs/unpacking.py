"""Unpacks objects of a pack by where they stand, differences with the bases that they lead to. What came last is kept.

Differences from one object lie near one another, so that a base is seldom unpacked twice where a pack is read in its order.
"""

from __future__ import annotations

import mmap
from collections import OrderedDict
from collections.abc import Callable

from gitopsd_plugins.git.packs import packed
from gitopsd_plugins.git.packs.packed import CHECKSUM, NAMES, MalformedPack, Packed

MAX_CHAIN = 10_000
"""Differences one upon the other; git itself makes at most 4,095."""
_RECENT = 16 << 20
"""Bytes of unpacked objects that are kept."""
_WINDOW = 16 << 20
"""Bytes of the pack that may be read until none of it stays mapped."""

Unpacked = tuple[int, bytes]
"""Kind and bytes of an object."""


class Unpacking:
    """The objects of a pack by their offsets. Every method raises `MalformedPack` for what is damaged."""

    def __init__(self, contents: mmap.mmap) -> None:
        self.end = len(contents) - CHECKSUM
        """Where the last object ends."""
        self._contents = contents
        self.recent: OrderedDict[int, Unpacked] = OrderedDict()
        """What came last, by where it stands."""
        self._held = self._read = 0

    def at(self, offset: int) -> tuple[Packed, bytes, int]:
        """What stands there as it stands there, its bytes, and where the next object begins."""
        found, data, after = packed.at(self._contents, offset, self.end)
        self._read += after - offset
        if self._read > _WINDOW:
            self._contents.madvise(mmap.MADV_DONTNEED)
            self._read = 0
        return found, data, after

    def whole(self, offset: int, base_of: Callable[[Packed], int]) -> Unpacked:
        """The object that a difference, or a chain of them, makes in the end; `base_of` says where a base stands."""
        chain: list[int] = []
        while (known := self.recent.get(offset)) is None:
            found = packed.head(self._contents[offset : min(offset + packed.LONGEST_HEAD, self.end)], offset)
            if found.kind in NAMES:
                known = found.kind, self.at(offset)[1]
                self.remember(offset, known)
                break
            chain.append(offset)
            if len(chain) > MAX_CHAIN:
                raise MalformedPack("differences without an end")
            offset = base_of(found)
        for offset in reversed(chain):
            known = known[0], packed.applied(known[1], self.at(offset)[1])
            self.remember(offset, known)
        return known

    def remember(self, offset: int, known: Unpacked) -> None:
        """Keep an object that was come to otherwise."""
        size = len(known[1])
        if size > _RECENT // 4 or offset in self.recent:
            return
        self.recent[offset] = known
        self._held += size
        while self._held > _RECENT:
            _, (_, dropped) = self.recent.popitem(last=False)
            self._held -= len(dropped)
