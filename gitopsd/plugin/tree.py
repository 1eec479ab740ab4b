"""How a renderer reads a tree, and how a source writes one.

`Tree` is the only way to files: paths are resolved inside the root, symbolic links are entries that resolve inside it too,
so no path can escape, and everything that was looked at is recorded, misses included. What an unchanged record means is
decided by `Tree.unchanged`. Behind it stands any `Objects`: the store, or a folder for `gitopsd build`.

A tree may lead to trees of other places (`remote`), which were fetched before; what is looked at there is recorded like the
rest. It must not know where bytes come from, nor what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import msgspec

from gitopsd.model.digest import Digest, of_value
from gitopsd.model.errors import Rejected
from gitopsd.model.manifest import Read
from gitopsd.model.remote import Remote
from gitopsd.model.tree import Changes, Entry, Fact, File, Folder, Link, Node

MAX_LINKS = 40
MAX_DEPTH = 100
_NORMAL = re.compile(r"[^/.\0][^/\0]*(?:/[^/.\0][^/\0]*)*")
"""Most paths, told at a glance: no segment of them is blank or begins with a dot."""


Reveal = Callable[[str, bytes], bytes]


class PathError(Rejected):
    """A path that is missing, of the wrong sort, leaves the tree, or loops. The message names it."""


class RemoteNeeded(Exception):  # noqa: N818 - no error: whoever asked for a render fetches these, and asks again
    """A render cannot go on without what is at these addresses."""

    def __init__(self, remotes: Iterable[Remote]) -> None:
        self.remotes = tuple(remotes)
        super().__init__(", ".join(map(str, self.remotes)))


class Objects(Protocol):
    """Content by digest. Calls are short and synchronous; both raise `Transient` for content that is not there or damaged."""

    def node(self, digest: Digest) -> Node:
        """The entries of one directory."""
        ...

    def blob(self, digest: Digest) -> bytes:
        """The bytes of one file, checked against the digest."""
        ...


class Content(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Bytes to keep. `key` is the source's native id of them (a Git oid, an etag), '' without one."""

    data: bytes
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A tree that is in the store: its root, bytes of all files, number of files.

    `metadata` is what a source adds for the artifact: annotations that came with it.
    """

    tree: Digest
    size: int
    files: int
    verified: str = ""
    """What was verified with which key, in the words of the kind's status; '' where nothing was asked for."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Fact] = field(default_factory=dict)
    """What the kind's status tells of it beside the revision, by names of the source's own."""


class Intake(Objects, Protocol):
    """The store as a source sees it. What was put is kept for a grace period, then only while an artifact refers to it."""

    def known(self, keys: Sequence[str]) -> Mapping[str, File]:
        """Which of these native ids are in the store already; the `executable` bit is not part of it."""
        ...

    def add(self, contents: Iterable[Content]) -> Sequence[File]:
        """Keep bytes, in batches of any size; equal content is stored once. Returns one `File` per content, in order."""
        ...

    def put(self, changes: Changes) -> Stored:
        """Make the tree that differs by `changes` from its base; work is proportional to the changes."""
        ...


class Tree:
    """A read-only view of one root, recording every look at it. Not shared between renders.

    `reveal(path, data)` is what lies over it: an encrypted file reads as what it was, in memory only. `remotes` is what was
    fetched from elsewhere; None where nothing may be.
    """

    def __init__(
        self, objects: Objects, root: Digest, *, reveal: Reveal | None = None, remotes: Remotes | None = None
    ) -> None:
        self._objects = objects
        self._reveal = reveal
        self._remotes = remotes
        self.root = root
        self._reads: dict[tuple[str, bool], Digest | None] = {}
        self._parents: dict[str, Folder] = {"": Folder(digest=root)}
        """Directories that were walked to without a link on the way: most look-ups are beside one another."""

    def read(self, path: str, *, sealed: bool = False) -> bytes:
        """The bytes of a file, opened where it is encrypted; `sealed`: as they are. Raises `PathError` when there is none."""
        data = self.content(path, sealed=sealed)
        if data is None:
            raise PathError(f"{path}: {'is a directory' if self.find(path) else 'no such file'}")
        return data

    def content(self, path: str, *, sealed: bool = False) -> bytes | None:
        """As `read`; None where no file stands there. Raises `PathError` when the path leaves the tree."""
        entry = self.find(path)
        if not isinstance(entry, File):
            return None
        data = self._objects.blob(entry.digest)
        return data if sealed or self._reveal is None else self._reveal(path, data)

    def list(self, path: str = "") -> Mapping[str, Entry]:
        """The entries of a directory by name, links not followed. Raises `PathError` when there is none."""
        path = normal(path)
        entry = self._resolve(path)
        if not isinstance(entry, Folder):
            self._note(path, entry)
            raise PathError(f"{path or '.'}: {'is not a directory' if entry else 'no such directory'}")
        node = self._objects.node(entry.digest)
        self._reads[path, True] = _listing(node)
        return node

    def find(self, path: str) -> File | Folder | None:
        """What stands at a path, links followed; None when nothing does. Raises `PathError` when it leaves the tree."""
        path = normal(path)
        entry = self._resolve(path)
        self._note(path, entry)
        return entry

    @property
    def reaches(self) -> bool:
        """Whether it may lead to other places at all."""
        return self._remotes is not None

    def remote(self, remote: Remote) -> Tree | None:
        """The tree of another place; None where nothing is there.

        Raises `RemoteNeeded` for what was not fetched yet, `Rejected` where nothing may be.
        """
        self.need([remote])
        assert self._remotes is not None
        return self._remotes.tree(remote)

    def need(self, remotes: Iterable[Remote]) -> None:
        """Say what is going to be asked for, so that all of it is fetched at once. Raises as `remote`."""
        wanted = tuple(remotes)
        if self._remotes is None and wanted:
            raise Rejected(f"{wanted[0]}: nothing is fetched from other places here")
        if missing := [it for it in wanted if self._remotes is not None and it not in self._remotes.roots]:
            raise RemoteNeeded(missing)

    @property
    def reads(self) -> tuple[Read, ...]:
        """Everything looked at so far, sorted; what was looked at elsewhere comes last."""
        return (*self.own_reads(), *(self._remotes.reads if self._remotes else ()))

    def own_reads(self, remote: Remote | None = None) -> tuple[Read, ...]:
        """The same without other places, noted as this place's."""
        return tuple(
            Read(path=path, listing=listing, digest=digest, remote=remote)
            for (path, listing), digest in sorted(self._reads.items())
        )

    def unchanged(self, reads: Iterable[Read]) -> bool:
        """True when every recorded look would see the same in this tree, and in the places that it leads to."""
        return all(self._same(read) if read.remote is None else self._same_elsewhere(read) for read in reads)

    def _same_elsewhere(self, read: Read) -> bool:
        return self._remotes is not None and self._remotes.same(read)

    def _same(self, read: Read) -> bool:
        try:
            entry = self._resolve(read.path)
        except PathError:
            return False
        if read.listing:
            return isinstance(entry, Folder) and _listing(self._objects.node(entry.digest)) == read.digest
        return _seen(entry) == read.digest

    def _note(self, path: str, entry: File | Folder | None) -> None:
        self._reads[path, False] = _seen(entry)

    def _resolve(self, path: str) -> File | Folder | None:
        parent, _, name = path.rpartition("/")
        beside = self._parents.get(parent)
        found: Entry | None = None
        plain = beside is not None and name not in {"", ".", ".."}
        if beside is not None and plain:
            found = self._objects.node(beside.digest).get(name)
        if not plain or isinstance(found, Link):
            found, plain = self._walked(path)
        if plain and isinstance(found, Folder) and path.count("/") < MAX_DEPTH - 1:
            self._parents[path] = found
        return found

    def _walked(self, path: str) -> tuple[File | Folder | None, bool]:
        """What stands at the path, and whether each step to it was down into an entry of that name."""
        todo = path.split("/")[::-1] if path else []
        if len(todo) > MAX_DEPTH:
            raise PathError(f"{path}: deeper than {MAX_DEPTH} directories")
        walked: list[tuple[str, Folder]] = []
        at: File | Folder = Folder(digest=self.root)
        links, plain = 0, True
        while todo:
            name = todo.pop()
            if name in {"", "."}:
                plain = False
                continue
            if name == "..":
                plain = False
                if not walked:
                    raise PathError(f"{path}: leaves the tree")
                at = walked.pop()[1]
                continue
            if not isinstance(at, Folder):
                return None, plain
            entry = self._objects.node(at.digest).get(name)
            if entry is None:
                return None, plain
            if isinstance(entry, Link):
                links, plain = links + 1, False
                if links > MAX_LINKS:
                    raise PathError(f"{path}: too many symbolic links")
                if entry.target.startswith("/"):
                    raise PathError(f"{path}: the link {name!r} leaves the tree")
                todo.extend(entry.target.split("/")[::-1])
                continue
            walked.append((name, at))
            at = entry
        return at, plain


class Remotes:
    """What was fetched from other places: the roots by address, None where nothing was. One for all trees of a render."""

    def __init__(self, objects: Objects, roots: Mapping[Remote, Digest | None]) -> None:
        self.roots = roots
        self._objects = objects
        self._trees: dict[Remote, Tree | None] = {}

    def tree(self, remote: Remote) -> Tree | None:
        """The tree of an address that is known; that it was asked for is recorded."""
        if remote not in self._trees:
            root = self.roots[remote]
            self._trees[remote] = tree = Tree(self._objects, root, remotes=self) if root is not None else None
            if tree is not None:
                tree.find("")
        return self._trees[remote]

    @property
    def reads(self) -> tuple[Read, ...]:
        """Everything looked at in all of them."""
        found = sorted(self._trees.items())
        nothing = {remote: (Read(path="", remote=remote),) for remote, tree in found if tree is None}
        return tuple(r for at, tree in found for r in (tree.own_reads(at) if tree else nothing[at]))

    def same(self, read: Read) -> bool:
        """True when a look that was recorded for one of them would see the same."""
        if read.remote is None or read.remote not in self.roots:
            return False
        root = self.roots[read.remote]
        here = Tree(self._objects, root) if root is not None else None
        return here.unchanged([replace(read, remote=None)]) if here else read.digest is None


def normal(path: str) -> str:
    """A path relative to the root without blanks segments, `.` and `..`. Raises `PathError` when it leaves the root.

    `..` is taken back textually, as kustomize does for paths in its files.
    """
    if _NORMAL.fullmatch(path):
        return path
    if "\0" in path:
        raise PathError(f"{path!r}: holds a NUL character")
    parts: list[str] = []
    for part in path.split("/"):
        if part in {"", "."}:
            continue
        if part == "..":
            if not parts:
                raise PathError(f"{path}: leaves the tree")
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _listing(node: Node) -> Digest:
    """What a listing shows: names and sorts, not contents."""
    return of_value({name: type(entry).__name__ for name, entry in node.items()})


def _seen(entry: File | Folder | None) -> Digest | None:
    """What a look-up shows: a file's content, that it is a directory, or nothing."""
    match entry:
        case File():
            return entry.digest
        case Folder():
            return Digest("folder")
        case None:
            return None
