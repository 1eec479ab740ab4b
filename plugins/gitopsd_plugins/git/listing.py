"""All that a commit names: paths with mode and object name, and the texts of its ignore files.

The whole list is looked at, since ignore rules may stand in any directory. Everything is hostile: numbers, depths and names
are limits or errors, and nothing here reads a file but the ignore files.
"""

from __future__ import annotations

import stat
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from gitopsd.plugin import Rejected
from gitopsd.plugin.sources import ignore
from gitopsd.plugin.tree import MAX_DEPTH
from gitopsd_plugins.git.order import FetchOrder
from gitopsd_plugins.git.packs.objects import GitObjects
from gitopsd_plugins.git.reference import FAILED

MAX_NAME = 255
MAX_PATH = 4096
MAX_TREES = 256
"""Directories that are kept in case that they stand in several places."""

SUBMODULE = 0o160000
"""The mode of an entry that is another repository."""


class Leaf(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A file, link or submodule: its mode and object name. There are many: this is made five times as fast as a dataclass."""

    mode: int
    oid: str

    @property
    def key(self) -> str:
        """The native id under which the store knows the bytes."""
        return f"git:{self.oid}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All that a commit names, and the texts of its ignore files by directory."""

    leaves: Mapping[str, Leaf]
    ignores: Mapping[str, str] = field(repr=False)

    @property
    def submodules(self) -> tuple[str, ...]:
        """Paths of other repositories, which are left out."""
        return tuple(path for path, leaf in self.leaves.items() if leaf.mode == SUBMODULE)


class Trees:
    """Directories by their object name, read and checked; the latest are kept."""

    def __init__(self, objects: GitObjects) -> None:
        self.objects = objects
        self._known: OrderedDict[str, Sequence[tuple[str, Leaf]]] = OrderedDict()

    def entries(self, oid: str, prefix: str) -> Sequence[tuple[str, Leaf]]:
        """The entries of a directory, folders included; `prefix` is where it stands, for messages."""
        found = self._known.get(oid)
        if found is None:
            names: set[str] = set()
            found = [
                (_checked(raw, prefix, names), Leaf(mode=mode, oid=child))
                for raw, mode, child in self.objects.entries(oid)
            ]
            self._known[oid] = found
            if len(self._known) > MAX_TREES:
                self._known.popitem(last=False)
        return found


class Unfolding:
    """What a commit names, directory by directory: `shut` are those that were not opened yet, with the places where they stand.

    Every method raises `Rejected` for what no artifact may hold.
    """

    def __init__(self, trees: Trees, given: FetchOrder, sparse: Sequence[str] = ()) -> None:
        self._trees = trees
        self._given = given
        self._sparse = sparse
        self._count = 0
        self._leaves: dict[str, Leaf] = {}
        self.shut: dict[str, list[tuple[str, int]]] = {trees.objects.tree_of(given.commit): [("", 0)]}

    def open(self, oid: str) -> Mapping[str, Leaf]:
        """Open a directory wherever it is known to stand, and say what it holds beside directories."""
        new: dict[str, Leaf] = {}
        for prefix, depth in self.shut.pop(oid):
            if depth > MAX_DEPTH:
                raise Rejected(f"{shown(prefix)}: deeper than {MAX_DEPTH} directories; nest them less", reason=FAILED)
            entries = self._trees.entries(oid, prefix)
            self._count += len(entries)
            if self._count > self._given.limits.entries:
                raise Rejected(
                    f"{self._given.place}: more than {self._given.limits.entries:,} files and folders; name the folders "
                    "that are needed in spec.sparseCheckout, or split the repository",
                    reason=FAILED,
                )
            self._sort(prefix, depth, entries, new)
        self._leaves.update(new)
        return new

    def _sort(self, prefix: str, depth: int, entries: Sequence[tuple[str, Leaf]], new: dict[str, Leaf]) -> None:
        sparse = self._sparse
        for name, leaf in entries:
            path = prefix + name
            if len(path) > MAX_PATH:
                raise Rejected(f"{shown(path)}: a name that is too long; shorten it", reason=FAILED)
            if sparse and not touches(path, sparse):
                continue
            if stat.S_ISDIR(leaf.mode):
                self.shut.setdefault(leaf.oid, []).append((f"{path}/", depth + 1))
            elif not sparse or within(path, sparse):
                new[path] = leaf

    def listing(self, ignored: Mapping[str, str] | None = None) -> Listing:
        """All of it: what is still shut is opened, and the ignore files are read unless their texts are given."""
        while self.shut:
            self.open(next(reversed(self.shut)))
        check_found(self._leaves, self._sparse)
        if ignored is None:
            ignored = dict(ignores(self._trees.objects, self._leaves))
        return Listing(leaves=self._leaves, ignores=ignored)


def read(trees: Trees, given: FetchOrder, sparse: Sequence[str] = ()) -> Listing:
    """Everything the commit names, or what these paths name of it. Raises `Rejected` for what no artifact may hold."""
    return Unfolding(trees, given, sparse).listing()


def within(path: str, sparse: Sequence[str]) -> bool:
    """Whether a path is one of these, or stands below one; every path, without any."""
    return not sparse or any(path == wanted or path.startswith(f"{wanted}/") for wanted in sparse)


def touches(path: str, sparse: Sequence[str]) -> bool:
    """Whether a path may hold, or be held by, one of these."""
    return within(path, sparse) or any(wanted.startswith(f"{path}/") for wanted in sparse)


def check_found(leaves: Mapping[str, Leaf], sparse: Sequence[str]) -> None:
    """Raise `Rejected` for the first of these paths that the commit does not hold: Git keeps no empty directories."""
    for wanted in sparse:
        if not any(within(path, (wanted,)) for path in leaves):
            raise Rejected(
                f"{shown(wanted)}: no such directory in the commit; check spec.sparseCheckout", reason=FAILED
            )


def ignores(objects: GitObjects, leaves: Mapping[str, Leaf | None]) -> Iterator[tuple[str, str]]:
    """The texts of the ignore files among these, by directory."""
    for path, leaf in leaves.items():
        if not path.endswith(ignore.FILE):
            continue
        if leaf and is_ignore_file(path, leaf):
            data = objects.blob(leaf.oid)
            if len(data) > ignore.MAX_BYTES:
                raise Rejected(f"{shown(path)}: more than {ignore.MAX_BYTES >> 20} MiB", reason=FAILED)
            yield path.rpartition("/")[0], data.decode("utf-8", "replace")


def is_ignore_file(path: str, leaf: Leaf) -> bool:
    """Whether the rules of a directory stand there."""
    return path.rpartition("/")[2] == ignore.FILE and stat.S_ISREG(leaf.mode)


def _checked(name: bytes, prefix: str, names: set[str]) -> str:
    """A name of one directory. Names that could leave it, or pass for Git's own folder, never come from honest Git."""
    text = text_of(name, prefix)
    if text in {"", ".", ".."} or "/" in text or "\0" in text or _passes_for_git(text):
        raise Rejected(f"{shown(prefix + text)}: a name that no repository may hold", reason=FAILED)
    if len(name) > MAX_NAME:
        raise Rejected(f"{shown(prefix + text)}: a name that is too long; shorten it", reason=FAILED)
    if text in names:
        raise Rejected(f"{shown(prefix + text)}: named twice in one directory", reason=FAILED)
    names.add(text)
    return text


def _passes_for_git(text: str) -> bool:
    """`.git` as case-blind file systems, HFS+ (ignored characters) and NTFS (short names, trailing dots) see it."""
    if text.isascii() and text[:4].lower() not in {".git", "git~"}:
        return False  # nearly every name, and there are many
    plain = "".join(c for c in text if c not in _INVISIBLE).casefold().split(":")[0].rstrip(". ")
    return plain in {".git", "git~1"}


_INVISIBLE = frozenset(map(chr, (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF)))


def text_of(name: bytes, where: str) -> str:
    """A name or link target as text; `where` is for the message. Raises `Rejected` unless it is UTF-8."""
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise Rejected(
            f"{shown(where + name.decode('utf-8', 'replace'))}: a name that is not UTF-8; rename it", reason=FAILED
        ) from error


def shown(path: str) -> str:
    """A path for a message: on one line, without control characters, not too long."""
    text = path if path.isprintable() else repr(path)
    return text if len(text) <= 200 else f"{text[:197]}..."
