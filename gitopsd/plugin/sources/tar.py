"""The tar format: one entry after the other, from a stream, and the writer of reproducible archives.

Read are the POSIX forms (ustar, pax) and GNU's long names. It knows the format and nothing of what may be inside: names are
handed on as they are. Python's own reader is not used, since it keeps every entry and reads extension headers of any size
into memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from gitopsd.plugin.sources.expand import ArchiveError

BLOCK = 512
PIECE = 256 << 10
MAX_EXTENSION = 1 << 20
"""Bytes of an extension header; the longest path takes 4 KiB."""

_EMPTY = bytes(BLOCK)
_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK = b"x", b"g", b"L", b"K"


class Sort(Enum):
    """What an entry is; the value is how a message calls it."""

    FILE = "a file"
    FOLDER = "a folder"
    LINK = "a symbolic link"
    HARD_LINK = "a hard link"
    DEVICE = "a device"
    PIPE = "a named pipe"
    SPARSE = "a sparse file"
    OTHER = "of a type that is not known"


_SORTS = {
    b"0": Sort.FILE,
    b"\0": Sort.FILE,
    b"7": Sort.FILE,
    b"1": Sort.HARD_LINK,
    b"2": Sort.LINK,
    b"3": Sort.DEVICE,
    b"4": Sort.DEVICE,
    b"5": Sort.FOLDER,
    b"6": Sort.PIPE,
    b"S": Sort.SPARSE,
}


class Bytes(Protocol):
    """A stream that gives exactly what is asked for, and less only at its end."""

    def read(self, size: int) -> bytes:
        """The next bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One entry; names are bytes as they stand there. `size` in bytes, 0 for all but files."""

    name: bytes
    sort: Sort
    size: int = 0
    executable: bool = False
    target: bytes = b""


@dataclass(slots=True)
class _Said:
    """What extension headers say about the entry that follows them."""

    values: dict[bytes, bytes] = field(default_factory=dict)


class Reader:
    """Reads `stream` once, from its beginning."""

    def __init__(self, stream: Bytes) -> None:
        self._stream = stream
        self._left = 0
        self._padding = 0

    def members(self) -> Iterator[Member]:
        """Each entry; what of its bytes was not read by then is skipped at the next step."""
        said = _Said()
        while (header := self._header()) is not None:
            size, letter = _number(header[124:136], "size"), header[156:157]
            if letter in {_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK}:
                _remember(said, letter, self._extension(size))
                continue
            member = _member(header, letter, size, said.values)
            self._left, self._padding = member.size, -member.size % BLOCK
            yield member
            said = _Said()

    def data(self) -> bytes:
        """The bytes of the entry that was given last."""
        parts = list(iter(self._piece, b""))
        return b"".join(parts)

    def _piece(self) -> bytes:
        found = self._stream.read(min(self._left, PIECE))
        if self._left and not found:
            raise ArchiveError("ends in the middle of a file; it was cut off")
        self._left -= len(found)
        return found

    def _header(self) -> bytes | None:
        while self._piece():
            pass
        self._stream.read(self._padding)
        self._padding = 0
        header = self._stream.read(BLOCK)
        if not header or header == _EMPTY:
            return None
        if len(header) < BLOCK:
            raise ArchiveError("ends in the middle of a header; it was cut off")
        _check(header)
        return header

    def _extension(self, size: int) -> bytes:
        if size > MAX_EXTENSION:
            raise ArchiveError(f"holds an extension header of more than {MAX_EXTENSION >> 20} MiB")
        self._left, self._padding = size, -size % BLOCK
        return self.data()


def _check(header: bytes) -> None:
    """The sum of all bytes, the sum's own field taken as blanks; old programs added signed bytes."""
    stated = _number(header[148:156], "checksum")
    rest = header[:148] + b" " * 8 + header[156:]
    if stated != sum(rest) and stated != sum(byte - 256 if byte > 127 else byte for byte in rest):
        raise ArchiveError("is no tar archive, or a header of it is damaged")


def _number(data: bytes, what: str) -> int:
    """Octal digits, or GNU's binary form."""
    if data[0] == 0x80:
        return int.from_bytes(data[1:], "big")
    text = data.strip(b" \0")
    if not text:
        return 0
    if not all(48 <= digit <= 55 for digit in text):
        raise ArchiveError(f"is no tar archive, or a header of it is damaged: the {what} is no number")
    return int(text, 8)


def _remember(said: _Said, letter: bytes, data: bytes) -> None:
    if letter == _LONG_NAME:
        said.values[b"path"] = data.split(b"\0")[0]
    elif letter == _LONG_LINK:
        said.values[b"linkpath"] = data.split(b"\0")[0]
    elif letter == _PAX:
        said.values.update(_records(data))
    # a global header holds comments; a path or size for all entries alike makes no sense


def _records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """`LENGTH KEY=VALUE` lines, the length counting the whole line."""
    at = 0
    while at < len(data):
        end = data.find(b" ", at)
        length = data[at:end] if end >= 0 else b""
        stop = at + int(length) if 0 < len(length) < 8 and length.isdigit() else 0
        key, equals, value = data[end + 1 : stop - 1].partition(b"=")
        if stop <= end or stop > len(data) or data[stop - 1 : stop] != b"\n" or not equals:
            raise ArchiveError("holds an extension header that is damaged")
        yield key, value
        at = stop


def _member(header: bytes, letter: bytes, size: int, said: dict[bytes, bytes]) -> Member:
    name = header[:100].split(b"\0")[0]
    if header[257:263] == b"ustar\0" and header[345] != 0:
        name = header[345:500].split(b"\0")[0] + b"/" + name
    name = said.get(b"path", name)
    size = _decimal(said[b"size"]) if b"size" in said else size
    sort = _SORTS.get(letter, Sort.OTHER)
    if any(key.startswith(b"GNU.sparse.") for key in said):
        sort = Sort.SPARSE
    if sort is Sort.FILE and name.endswith(b"/"):  # how the oldest programs wrote folders
        sort = Sort.FOLDER
    return Member(
        name=name,
        sort=sort,
        size=size if sort in {Sort.FILE, Sort.SPARSE, Sort.OTHER} else 0,
        executable=bool(_number(header[100:108], "mode") & 0o100),
        target=said.get(b"linkpath", header[157:257].split(b"\0")[0]),
    )


def _decimal(data: bytes) -> int:
    if not data.isdigit() or len(data) > 20:
        raise ArchiveError("holds an extension header that is damaged: the size is no number")
    return int(data)


def written(members: Iterable[tuple[Member, bytes]]) -> Iterator[bytes]:
    """An archive of these entries, piece by piece: no times, no owners, three modes, as Flux packs artifacts."""
    for member, data in members:
        mode = 0o755 if member.sort is Sort.FOLDER or member.executable else 0o644
        letter = b"5" if member.sort is Sort.FOLDER else b"0"
        if len(member.name) > 100:
            records = _record(b"path", member.name)
            yield from _block(b"PaxHeaders.0/" + member.name[-80:], b"x", 0o644, records)
        yield from _block(member.name[:100], letter, mode, data)
    yield _EMPTY * 2


def _record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def _block(name: bytes, letter: bytes, mode: int, data: bytes) -> Iterator[bytes]:
    numbers = b"%07o\0%07o\0%07o\0" % (mode, 0, 0)
    head = name.ljust(100, b"\0") + numbers + b"%011o\0%011o\0" % (len(data), 0) + b" " * 8 + letter
    head = (head + bytes(100) + b"ustar\x0000").ljust(BLOCK, b"\0")
    yield head[:148] + b"%06o\0 " % sum(head) + head[156:]
    yield data
    yield bytes(-len(data) % BLOCK)
