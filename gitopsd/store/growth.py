"""Making a tree from a base and its changes. Only directories on a changed path are read, made and written.

The changes are sorted into branches, one per path segment, and folded into the base from the leaves up. Nothing is locked
meanwhile: the new nodes are written at the end, in one short transaction which also makes sure that all that was taken
over is still there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from gitopsd.model.digest import Digest, of_bytes
from gitopsd.model.tree import Changes, Entry, File, Folder, Link
from gitopsd.plugin.tree import MAX_DEPTH, PathError, Stored
from gitopsd.store import blobs, nodes, retention
from gitopsd.store.address import missing, pack
from gitopsd.store.database import Database
from gitopsd.store.nodes import EMPTY, Nodes, Texts, Totals
from gitopsd.store.retention import Clock

MAX_NAME = 255
MAX_TARGET = 4096
"""Bytes; the limits of Linux, so that a tree can always be written out."""


class _Kept:
    """The base's own entry stays."""


_KEPT = _Kept()


@dataclass(slots=True)
class _Branch:
    """What changes at one path, and below it."""

    entry: Entry | _Kept | None = _KEPT
    below: dict[str, _Branch] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _New:
    """A node that may not be stored yet."""

    data: bytes
    totals: Totals


def put(database: Database, known: Nodes, changes: Changes, now: Clock) -> Stored:
    """Make the tree that differs by `changes` from its base.

    A path below a file replaces the file by a directory; an entry for a directory replaces all of it; directories without
    entries vanish. Raises `PathError` for a path that cannot be, `Transient` for content that is not in the store.
    """
    branch = _sorted(changes.entries)
    blobs.require(database, _files(changes.entries), now)
    growth = _Growth(known)
    base = Folder(digest=changes.base) if changes.base else None
    top = growth.fold(base, branch, "") or Folder(digest=EMPTY)
    if not isinstance(top, Folder):
        raise PathError("the top of a tree is a directory")
    needed = {entry.digest for entry in (base, top, *changes.entries.values()) if isinstance(entry, Folder)}
    _write(database, growth.made, needed - growth.made.keys(), now)
    totals = growth.totals(top.digest)
    return Stored(tree=top.digest, size=totals.size, files=totals.files)


class _Growth:
    """Folds branches into a base, gathering the nodes that it makes, children before parents."""

    def __init__(self, known: Nodes) -> None:
        self._known = known
        self.made = {EMPTY: _New(data=b"", totals=Totals())}

    def fold(self, base: Entry | None, branch: _Branch, path: str) -> Entry | None:
        """What stands at a path after its changes."""
        start = base if isinstance(branch.entry, _Kept) else branch.entry
        if isinstance(start, Folder) and start.digest == EMPTY and path:
            start = None
        if not branch.below:
            return start
        before = self._known.texts(start.digest) if isinstance(start, Folder) else {}
        after = dict(before)
        for name, sub in branch.below.items():
            self._change(after, name, sub, f"{path}/{name}" if path else name)
        if after == before:
            return start
        if after and isinstance(branch.entry, File | Link):
            raise PathError(f"{path}: both a file and a directory in the same changes")
        return self._make(start, before, after, set(branch.below)) if after else None

    def totals(self, digest: Digest) -> Totals:
        """The totals of a node that was made here or is stored."""
        new = self.made.get(digest)
        return new.totals if new else self._known.totals(digest)

    def _change(self, texts: dict[str, str], name: str, branch: _Branch, path: str) -> None:
        old = texts.get(name)
        entry = self.fold(nodes.decode(old) if old else None, branch, path)
        if entry is None:
            texts.pop(name, None)
        else:
            texts[name] = nodes.text(entry)

    def _make(self, start: Entry | None, before: Texts, after: Texts, touched: set[str]) -> Folder:
        size = files = 0
        if isinstance(start, Folder):
            totals = self.totals(start.digest)
            size, files = totals.size, totals.files
        for texts, sign in ((before, -1), (after, 1)):
            for name in touched & texts.keys():
                part = self._weight(nodes.decode(texts[name]))
                size, files = size + sign * part.size, files + sign * part.files
        data = nodes.encode(after)
        digest = of_bytes(data)
        self.made.setdefault(digest, _New(data=data, totals=Totals(size=size, files=files)))
        return Folder(digest=digest)

    def _weight(self, entry: Entry) -> Totals:
        match entry:
            case File(size=size):
                return Totals(size=size, files=1)
            case Folder(digest=digest):
                return self.totals(digest)
            case Link():
                return Totals()


def _sorted(entries: Mapping[str, Entry | None]) -> _Branch:
    top = _Branch()
    for path, entry in entries.items():
        if isinstance(entry, Link):
            _check_target(path, entry.target)
        at = top
        for name in _names(path):
            at = at.below.setdefault(name, _Branch())
        at.entry = entry
    return top


def _names(path: str) -> list[str]:
    """The segments of a path. Raises `PathError` for one that could leave the tree or cannot be on a disk."""
    names = path.split("/")
    if len(names) > MAX_DEPTH:
        raise PathError(f"{path[:200]}…: deeper than {MAX_DEPTH} directories")
    for name in names:
        if name in {"", ".", ".."} or "\0" in name:
            raise PathError(f"{path[:200]!r}: not a path inside a tree")
        if len(_bytes(path, name)) > MAX_NAME:
            raise PathError(f"{path[:200]}…: a name is longer than {MAX_NAME} bytes")
    return names


def _check_target(path: str, target: str) -> None:
    if not target or "\0" in target or len(_bytes(path, target)) > MAX_TARGET:
        raise PathError(f"{path}: a link needs a target of 1 to {MAX_TARGET} bytes without NUL")


def _bytes(path: str, name: str) -> bytes:
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise PathError(f"{path[:200]!r}: holds a character that no file name can have") from error


def _files(entries: Mapping[str, Entry | None]) -> dict[bytes, int]:
    files: dict[bytes, int] = {}
    for path, entry in entries.items():
        if isinstance(entry, File) and files.setdefault(pack(entry.digest), entry.size) != entry.size:
            raise PathError(f"{path}: two sizes for one digest")
    return files


def _write(database: Database, made: Mapping[Digest, _New], needed: Collection[Digest], now: Clock) -> None:
    rows = {pack(digest): new for digest, new in made.items()}
    with database.write() as connection:
        time = now()
        there = retention.use_nodes(connection, {*rows, *map(pack, needed)}, time)
        for digest in needed:
            if pack(digest) not in there:
                raise missing(digest)
        connection.executemany(
            "INSERT INTO node (digest, data, size, files, touched) VALUES (?, ?, ?, ?, ?)",
            [(d, n.data, n.totals.size, n.totals.files, time) for d, n in rows.items() if d not in there],
        )
