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


@dataclass(slots=True)
class _Branch:
    """What changes in one directory: its own entries, and the directories in which something changes."""

    entries: dict[str, Entry | None] = field(default_factory=dict)
    below: dict[str, _Branch] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _New:
    """A node that may not be stored yet."""

    data: bytes
    totals: Totals


def put(database: Database, known: Nodes, changes: Changes, sure: Mapping[Digest, int], now: Clock) -> Stored:
    """Make the tree that differs by `changes` from its base; `sure` are files that are certainly there, with their sizes.

    A path below a file replaces the file by a directory; an entry for a directory replaces all of it; directories without
    entries vanish. Raises `PathError` for a path that cannot be, `Transient` for content that is not in the store.
    """
    branch = _sorted(changes.entries)
    blobs.require(database, _files(changes.entries, sure), now)
    growth = _Growth(known)
    base = Folder(digest=changes.base) if changes.base else None
    top = growth.fold(base, branch, "")
    if not isinstance(top, Folder):
        top = Folder(digest=EMPTY)
    needed = {entry.digest for entry in (base, top, *changes.entries.values()) if isinstance(entry, Folder)}
    _write(database, growth.made, needed - growth.made.keys(), now)
    totals = growth.totals(top.digest)
    return Stored(tree=top.digest, size=totals.size, files=totals.files)


_NOTHING = Totals()


class _Growth:
    """Folds branches into a base, gathering the nodes that it makes, children before parents."""

    def __init__(self, known: Nodes) -> None:
        self._known = known
        self.made = {EMPTY: _New(data=b"", totals=Totals())}

    def fold(self, start: Entry | None, branch: _Branch, path: str) -> Entry | None:
        """What stands at a path where `start` stood; None where nothing is left."""
        before = self._known.texts(start.digest) if isinstance(start, Folder) else {}
        changed = {name: entry for name, entry in branch.entries.items() if name not in branch.below}
        for name, below in branch.below.items():
            changed[name] = self._fold_below(before.get(name), branch, name, below, f"{path}/{name}" if path else name)
        after = dict(before)
        for name, entry in changed.items():
            if entry is None or (isinstance(entry, Folder) and entry.digest == EMPTY):
                after.pop(name, None)
            else:
                after[name] = nodes.text(entry)
        if after == before:
            return start
        return self._make(start, before, after, changed) if after else None

    def _fold_below(self, old: str | None, branch: _Branch, name: str, below: _Branch, path: str) -> Entry | None:
        if name not in branch.entries:
            return self.fold(nodes.decode(old) if old else None, below, path)
        stated = branch.entries[name]
        entry = self.fold(stated, below, path)
        if isinstance(stated, File | Link) and entry != stated:
            raise PathError(f"{path}: both a file and a directory in the same changes")
        return entry

    def totals(self, digest: Digest) -> Totals:
        """The totals of a node that was made here or is stored."""
        new = self.made.get(digest)
        return new.totals if new else self._known.totals(digest)

    def _make(self, start: Entry | None, before: Texts, after: Texts, changed: Mapping[str, Entry | None]) -> Folder:
        totals = self.totals(start.digest) if isinstance(start, Folder) else _NOTHING
        gone = [nodes.decode(before[name]) for name in changed if name in before] if before else []
        size, files = totals.size, totals.files
        for parts, sign in ((gone, -1), (changed.values(), 1)):
            for part in parts:
                if isinstance(part, File):
                    size, files = size + sign * part.size, files + sign
                elif isinstance(part, Folder):
                    weight = self.totals(part.digest)
                    size, files = size + sign * weight.size, files + sign * weight.files
        data = nodes.encode(after)
        digest = of_bytes(data)
        self.made.setdefault(digest, _New(data=data, totals=Totals(size=size, files=files)))
        return Folder(digest=digest)


def _sorted(entries: Mapping[str, Entry | None]) -> _Branch:
    top = _Branch()
    folders = {"": top}
    for path, entry in entries.items():
        if isinstance(entry, Link):
            _check_target(path, entry.target)
        parent, slash, name = path.rpartition("/")
        _check_name(path, name)
        branch = folders.get(parent) if parent or not slash else None
        if branch is None:
            branch = folders[parent] = _descend(top, path, parent)
        branch.entries[name] = entry
    return top


def _descend(branch: _Branch, path: str, parent: str) -> _Branch:
    names = parent.split("/")
    if len(names) >= MAX_DEPTH:
        raise PathError(f"{path[:200]}…: deeper than {MAX_DEPTH} directories")
    for name in names:
        _check_name(path, name)
        branch = branch.below.setdefault(name, _Branch())
    return branch


def _check_name(path: str, name: str) -> None:
    """Raises `PathError` for a name that could leave the tree or cannot be on a disk."""
    if name in {"", ".", ".."} or "\0" in name:
        raise PathError(f"{path[:200]!r}: not a path inside a tree")
    if len(name) > MAX_NAME or (not name.isascii() and len(_bytes(path, name)) > MAX_NAME):
        raise PathError(f"{path[:200]}…: a name is longer than {MAX_NAME} bytes")


def _check_target(path: str, target: str) -> None:
    if not target or "\0" in target or len(_bytes(path, target)) > MAX_TARGET:
        raise PathError(f"{path}: a link needs a target of 1 to {MAX_TARGET} bytes without NUL")


def _bytes(path: str, name: str) -> bytes:
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise PathError(f"{path[:200]!r}: holds a character that no file name can have") from error


def _files(entries: Mapping[str, Entry | None], sure: Mapping[Digest, int]) -> dict[bytes, int]:
    """The files that are to be looked for, with their sizes."""
    files: dict[bytes, int] = {}
    for path, entry in entries.items():
        if not isinstance(entry, File) or sure.get(entry.digest) == entry.size:
            continue
        if files.setdefault(pack(entry.digest), entry.size) != entry.size:
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
