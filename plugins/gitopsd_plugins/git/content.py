"""From a Git commit to a tree in the store: what changed is read, checked and put; what did not is neither.

Content is taken as it lies in Git, without any end-of-line conversion. Files are read only where the store does not know
their object name yet.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from msgspec.structs import replace

from gitopsd.plugin import Changes, Content, Digest, Entry, File, Intake, Link, Rejected, Stored
from gitopsd.plugin.sources import ignore
from gitopsd.plugin.sources.ignore import Rules
from gitopsd_plugins.git import listing
from gitopsd_plugins.git.difference import Difference
from gitopsd_plugins.git.listing import SUBMODULE, Leaf, Listing
from gitopsd_plugins.git.order import FetchOrder, FolderOrder, Limits
from gitopsd_plugins.git.reference import FAILED

MAX_LINK = 4096
LFS = b"version https://git-lfs.github.com/spec/"
LFS_POINTER = 1024

Order = FetchOrder | FolderOrder
LESS = "leave some out with spec.ignore, or name the folders that are needed in spec.sparseCheckout"


class Blobs(Protocol):
    """Where the bytes of files are."""

    def blob(self, oid: str) -> bytes:
        """The bytes of one file."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Guests:
    """Files of other repositories, in the store already, by where they stand; and the texts of their ignore files."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    ignores: Mapping[str, str] = field(default_factory=dict)

    def joined(self, other: Guests) -> Guests:
        """Both; of what both hold the other's."""
        return Guests(entries={**self.entries, **other.entries}, ignores={**self.ignores, **other.ignores})


NOBODY = Guests()
NOTHING: Mapping[str, File] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What the rules keep of a commit, and of that the files that are in the store for certain, by object name."""

    leaves: Mapping[str, Leaf]
    files: Mapping[str, File]


def kept(found: Listing, rules: Rules) -> Mapping[str, Leaf]:
    """A commit's files and links that these rules keep."""
    out = set(rules.excluded(found.leaves))
    return {path: leaf for path, leaf in found.leaves.items() if path not in out and leaf.mode != SUBMODULE}


def entries(objects: Blobs, found: Listing, rules: Rules, order: Order, intake: Intake) -> Mapping[str, Entry]:
    """A commit's files that these rules keep, brought into the store."""
    return _Reader(objects, intake, order).entries(kept(found, rules))


def put(
    objects: Blobs,
    order: Order,
    found: Listing,
    intake: Intake,
    guests: Guests = NOBODY,
    taken: Taken | None = None,
) -> Stored:
    """Put all of a commit's files into the store, and those of others with them; `taken` where there are no others."""
    rules = ignore.rules({**found.ignores, **guests.ignores}, order.rules.ignore)
    if taken:
        own = _Reader(objects, intake, order).entries(taken.leaves, taken.files)
    else:
        own = entries(objects, found, rules, order, intake)
    out = set(rules.excluded(guests.entries))
    joined = {path: entry for path, entry in guests.entries.items() if path not in out}
    return _stored(Changes(entries={**own, **joined}), order, intake)


def change(objects: Blobs, order: FetchOrder, found: Difference, intake: Intake) -> Stored:
    """Put what a commit changes of the order's base into the store."""
    gone: dict[str, Entry | None] = dict.fromkeys(found.gone)
    changed = _Reader(objects, intake, order).entries(found.changed)
    stored = _stored(Changes(entries={**gone, **changed}, base=Digest(order.tree)), order, intake)
    if stored.files > order.limits.entries:
        raise Rejected(f"{order.place}: more than {order.limits.entries:,} files; {LESS}", reason=FAILED)
    return stored


def _stored(changes: Changes, order: Order, intake: Intake) -> Stored:
    stored = intake.put(changes)
    if stored.size > order.limits.total:
        raise _too_large(order)
    return stored


def _too_large(order: Order) -> Rejected:
    return Rejected(f"{order.place}: more than {order.limits.total >> 20} MiB of files; {LESS}", reason=FAILED)


class _Reader:
    """Turns leaves into entries of the store's tree, reading the bytes that it does not know."""

    def __init__(self, objects: Blobs, intake: Intake, order: Order) -> None:
        self._objects = objects
        self._intake = intake
        self._order = order

    def entries(self, leaves: Mapping[str, Leaf], there: Mapping[str, File] = NOTHING) -> Mapping[str, Entry]:
        """One entry per path."""
        found: dict[str, Entry] = {}
        elsewhere: dict[str, tuple[str, Leaf]] = {}
        for path, leaf in leaves.items():
            if stat.S_ISLNK(leaf.mode):
                found[path] = self._link(path, leaf)
            elif file := there.get(leaf.oid):
                found[path] = _file(file, leaf) if leaf.mode & 0o100 else file
            else:
                elsewhere[path] = leaf.key, leaf
        return {**found, **self._files(elsewhere)} if elsewhere else found

    def _files(self, wanted: Mapping[str, tuple[str, Leaf]]) -> Mapping[str, Entry]:
        """Files by their paths, with their native ids: those that the store does not know are read."""
        known = dict(self._intake.known(list(dict.fromkeys(key for key, _ in wanted.values()))))
        missing = {key: (path, leaf) for path, (key, leaf) in wanted.items() if key not in known}
        known.update(zip(missing, self._intake.add(self._contents(missing)), strict=True))
        return {path: _file(known[key], leaf) for path, (key, leaf) in wanted.items()}

    def _contents(self, missing: Mapping[str, tuple[str, Leaf]]) -> Iterator[Content]:
        total = 0
        for key, (path, leaf) in missing.items():
            data = self._read(leaf.oid, path)
            total += len(data)
            if total > self._order.limits.total:
                raise _too_large(self._order)
            yield Content(data=data, key=key)

    def _read(self, oid: str, path: str) -> bytes:
        data = self._objects.blob(oid)
        if wrong := fault(data, path, self._order.limits):
            raise Rejected(wrong, reason=FAILED)
        return data

    def _link(self, path: str, leaf: Leaf) -> Link:
        data = self._objects.blob(leaf.oid)
        if len(data) > MAX_LINK or b"\0" in data:
            raise Rejected(f"{listing.shown(path)}: a symbolic link whose target is no path", reason=FAILED)
        return Link(target=listing.text_of(data, path))


def fault(data: bytes, path: str, limits: Limits) -> str:
    """Why a file may not be in an artifact; '' where it may."""
    if len(data) > limits.file:
        return f"{listing.shown(path)}: more than {limits.file >> 20} MiB; leave it out with spec.ignore"
    if len(data) < LFS_POINTER and data.startswith(LFS):
        return (
            f"{listing.shown(path)}: a Git LFS pointer, whose content gitopsd does not fetch; "
            "commit the file itself, or leave it out with spec.ignore"
        )
    return ""


def _file(found: File, leaf: Leaf) -> File:
    return replace(found, executable=True) if leaf.mode & 0o100 else found
