"""Writes the index of a pack, as Git reads it (version 2): names in order, with the checksum and the place of each object."""

from __future__ import annotations

import hashlib
import struct
from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import IO

MAGIC = b"\xfftOc\0\0\0\2"
FAR = 1 << 31
"""Offsets from here on stand in a table of their own."""


class Index:
    """What is known of the objects of a pack: equally long lists of names (20 bytes), offsets and CRCs."""

    def __init__(self) -> None:
        self.names: list[bytes] = []
        self.offsets = array("Q")
        self.checks = array("I")
        self._table = (-1, b"", b"")

    def add(self, name: bytes, offset: int, check: int) -> None:
        """Note one object."""
        self.names.append(name)
        self.offsets.append(offset)
        self.checks.append(check)

    def write(self, file: IO[bytes], checksum: bytes) -> str:
        """Write it for a pack with this checksum. Returns what names the pack (hex): a digest of the sorted names."""
        names, table = self.tables()
        text = table + checksum
        file.write(text)
        file.write(hashlib.sha1(text, usedforsecurity=False).digest())
        return hashlib.sha1(names, usedforsecurity=False).hexdigest()

    def tables(self) -> tuple[bytes, bytes]:
        """The sorted names, and all of the index before the checksums; made once, for as long as nothing is added."""
        count, names, table = self._table
        if count != len(self.names):
            order = sorted(range(len(self.names)), key=self.names.__getitem__)
            names = b"".join([self.names[at] for at in order])
            table = self._written(order, names)
            self._table = len(order), names, table
        return names, table

    def _written(self, order: Sequence[int], names: bytes) -> bytes:
        near = [self.offsets[at] for at in order]
        far = [offset for offset in near if offset >= FAR]
        if far:
            number = iter(range(len(far)))
            near = [offset if offset < FAR else FAR | next(number) for offset in near]
        checks = [self.checks[at] for at in order]
        return b"".join(
            (MAGIC, _longs(_fanout(names)), names, _longs(checks), _longs(near), struct.pack(f">{len(far)}Q", *far))
        )


def _fanout(names: bytes) -> Sequence[int]:
    """How many names begin with each byte or a lesser one."""
    first = names[::20]
    return list(accumulate(first.count(byte) for byte in range(256)))


def _longs(numbers: Sequence[int]) -> bytes:
    return struct.pack(f">{len(numbers)}L", *numbers)
