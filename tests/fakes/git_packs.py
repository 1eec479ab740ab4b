"""Git packs made by hand, which no honest server sends; and what is in those that one sent."""

from __future__ import annotations

import hashlib
import mmap
import struct
import zlib
from collections import Counter
from pathlib import Path

from gitopsd_plugins.git.packs import packed

BLOB, OFS, REF = 3, 6, 7


def kinds(folder: Path) -> Counter[int]:
    """How many objects of each kind there are in the packs below a folder."""
    found: Counter[int] = Counter()
    for file in folder.rglob("*.pack"):
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as contents:
            at, end = packed.HEADER, len(contents) - packed.CHECKSUM
            while at < end:
                thing, _, at = packed.at(contents, at, end)
                found[thing.kind] += 1
    return found


def head(kind: int, size: int) -> bytes:
    byte, size = kind << 4 | size & 15, size >> 4
    found = bytearray()
    while size:
        found.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    return bytes([*found, byte])


def thing(kind: int, data: bytes, *, base: bytes = b"", says: int | None = None) -> bytes:
    return head(kind, len(data) if says is None else says) + base + zlib.compress(data)


def pack(*things: bytes, count: int | None = None) -> bytes:
    data = struct.pack(">4sLL", b"PACK", 2, len(things) if count is None else count) + b"".join(things)
    return data + hashlib.sha1(data).digest()


def number(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def delta(base: int, result: int, *steps: bytes) -> bytes:
    return number(base) + number(result) + b"".join(steps)


def insert(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def name(data: bytes) -> bytes:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).digest()
