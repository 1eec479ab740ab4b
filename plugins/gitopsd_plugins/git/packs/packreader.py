"""Reads single objects out of a pack that has an index (version 2), by their names. Nothing of it is believed."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from gitopsd_plugins.git.packs.packed import CHECKSUM, MalformedPack, Packed
from gitopsd_plugins.git.packs.packindex import FAR, MAGIC
from gitopsd_plugins.git.packs.unpacking import Unpacked, Unpacking

_FANOUT = len(MAGIC)
_ORDER = _FANOUT + 256 * 4
_FEW = 512
"""Names that are searched as one text, which costs less than to halve them further."""


class PackReader:
    """An open pack. Every method raises `MalformedPack` for what is damaged."""

    def __init__(self, stem: Path) -> None:
        """Raises OSError for files that are not there."""
        self._index = _mapped(stem.with_suffix(".idx"))
        self._unpacking = Unpacking(_mapped(stem.with_suffix(".pack")))
        if self._index[:_FANOUT] != MAGIC or len(self._index) < _ORDER:
            raise MalformedPack("an index that is not of version 2")
        self._fanout = (0, *struct.unpack(">256L", self._index[_FANOUT:_ORDER]))
        self._count = self._fanout[-1]
        self._offsets = _ORDER + self._count * (CHECKSUM + 4)

    def offset(self, name: bytes) -> int | None:
        """Where the object of this name stands; None where the pack does not hold it."""
        first, last = self._fanout[name[0]], self._fanout[name[0] + 1]
        if not first <= last <= self._count:
            raise MalformedPack("an index out of order")
        while last - first > _FEW:
            middle = (first + last) // 2
            first, last = (middle, last) if self._names(middle, middle + 1) <= name else (first, middle)
        names = self._names(first, last)
        at = names.find(name)
        while at % CHECKSUM and at > 0:  # across two names
            at = names.find(name, at + 1)
        if at < 0:
            return None
        at = first + at // CHECKSUM
        offset = self._number(self._offsets + 4 * at)
        if offset >= FAR:
            far = self._offsets + 4 * self._count + 8 * (offset - FAR)
            offset = self._number(far) << 32 | self._number(far + 4)
        return offset

    def read(self, offset: int) -> Unpacked:
        """Kind and bytes of the object that stands there. Raises KeyError for one whose base is not in the pack."""
        return self._unpacking.whole(offset, self._base)

    def _base(self, found: Packed) -> int:
        if not found.base_name:
            return found.base_offset
        offset = self.offset(found.base_name)
        if offset is None:
            raise KeyError(found.base_name)
        return offset

    def _names(self, first: int, last: int) -> bytes:
        return self._index[_ORDER + first * CHECKSUM : _ORDER + last * CHECKSUM]

    def _number(self, at: int) -> int:
        text = self._index[at : at + 4]
        if len(text) < 4:
            raise MalformedPack("an index that ends early")
        return int.from_bytes(text, "big")


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as opened:
        try:
            return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:
            raise MalformedPack("an empty file") from error
