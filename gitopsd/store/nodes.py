"""Directories as the store keeps them: one canonical text per node, addressed by its digest, with totals beside it.

A node's text is `name NUL value NUL name NUL value …` sorted by name; a value is one letter and its data: `f` or `x` (file,
executable file) with digest and size, `d` with the digest of a directory, `l` with a link's target. Splitting it is one
call in C; an entry becomes an object only when somebody asks for it, so a look-up in a big directory stays cheap.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Lock

from gitopsd.model.digest import Digest, of_bytes
from gitopsd.model.tree import Entry, File, Folder, Link, Node
from gitopsd.store import damage
from gitopsd.store.address import damaged, missing, pack
from gitopsd.store.database import Database

Texts = Mapping[str, str]
"""A node as name -> value, undecoded."""

EMPTY = of_bytes(b"")
"""The node without entries: only a whole tree may be it."""

_CACHED = 50_000
_ENCODING = ("utf-8", "surrogateescape")  # names are bytes on the other side; nothing may be lost
_PREFIX = "sha256:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Bytes and number of the files below a node."""

    size: int = 0
    files: int = 0


class _Entries(Mapping[str, Entry]):
    """A node that decodes an entry when it is asked for."""

    __slots__ = ("texts",)

    def __init__(self, texts: Texts) -> None:
        self.texts = texts

    def __getitem__(self, name: str) -> Entry:
        return decode(self.texts[name])

    def __contains__(self, name: object) -> bool:
        return name in self.texts

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)

    def __len__(self) -> int:
        return len(self.texts)


class Nodes:
    """Reads nodes, keeping the latest used ones in memory (at most 50,000 entries). For use by many threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache: OrderedDict[Digest, Texts] = OrderedDict()
        self._entries = 0
        self._lock = Lock()

    def node(self, digest: Digest) -> Node:
        """The entries of a directory. Raises `Transient` where it is missing or damaged."""
        return _Entries(self.texts(digest))

    def texts(self, digest: Digest) -> Texts:
        """As `node`, undecoded. The empty one needs no store."""
        if digest == EMPTY:
            return {}
        with self._lock:
            cached = self._cache.get(digest)
            if cached is not None:
                self._cache.move_to_end(digest)
                return cached
        texts = _read(self._database, digest)
        self._keep(digest, texts)
        return texts

    def totals(self, digest: Digest) -> Totals:
        """The totals below a stored directory. Raises `Transient` where it is missing."""
        with self._database.read() as connection:
            row = connection.execute("SELECT size, files FROM node WHERE digest = ?", (pack(digest),)).fetchone()
        if row is None:
            raise missing(digest)
        return Totals(size=row[0], files=row[1])

    def _keep(self, digest: Digest, texts: Texts) -> None:
        with self._lock:
            if digest in self._cache:
                return
            self._cache[digest] = texts
            self._entries += len(texts) + 1
            while self._entries > _CACHED and len(self._cache) > 1:
                _, dropped = self._cache.popitem(last=False)
                self._entries -= len(dropped) + 1


def text(entry: Entry) -> str:
    """The value of an entry in its node."""
    match entry:
        case File():
            return f"{'x' if entry.executable else 'f'}{entry.digest.removeprefix(_PREFIX)} {entry.size}"
        case Folder():
            return f"d{entry.digest.removeprefix(_PREFIX)}"
        case Link():
            return f"l{entry.target}"


def decode(value: str) -> Entry:
    """The inverse of `text`. Raises ValueError for what it never makes."""
    sort, rest = value[:1], value[1:]
    match sort:
        case "f" | "x":
            digest, _, size = rest.partition(" ")
            return File(digest=Digest(_PREFIX + digest), size=int(size), executable=sort == "x")
        case "d":
            return Folder(digest=Digest(_PREFIX + rest))
        case "l":
            return Link(target=rest)
    raise ValueError(f"unknown entry {value[:80]!r}")


def encode(texts: Texts) -> bytes:
    """The canonical bytes of a node."""
    return "\0".join([part for name in sorted(texts) for part in (name, texts[name])]).encode(*_ENCODING)


def split(data: bytes) -> dict[str, str]:
    """The inverse of `encode`."""
    if not data:
        return {}
    parts = iter(data.decode(*_ENCODING).split("\0"))
    return dict(zip(parts, parts, strict=True))


def references(data: bytes) -> tuple[list[bytes], list[bytes]]:
    """The digests of the directories and of the files that a node names."""
    folders: list[bytes] = []
    files: list[bytes] = []
    for value in data.split(b"\0")[1::2]:
        sort = value[:1]
        if sort == b"d":
            folders.append(bytes.fromhex(value[1:].decode("ascii")))
        elif sort != b"l":
            files.append(bytes.fromhex(value[1:65].decode("ascii")))
    return folders, files


def _read(database: Database, digest: Digest) -> Texts:
    packed = pack(digest)
    with database.read() as connection:
        row = connection.execute("SELECT CAST(data AS BLOB) FROM node WHERE digest = ?", (packed,)).fetchone()
    if row is None:
        damage.drop(database, [packed])
        raise missing(digest)
    if of_bytes(row[0]) != digest:
        damage.drop(database, [packed])
        raise damaged(digest)
    return split(row[0])
