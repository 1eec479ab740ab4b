"""Reads Git objects out of a dulwich repository, each checked against its name, so that damage is seen and never used."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from contextlib import suppress
from typing import TypeVar

from dulwich.errors import ApplyDeltaError, ChecksumMismatch, FileFormatException, NotCommitError
from dulwich.objects import Commit, ObjectID, ShaFile, Tag, parse_tree
from dulwich.repo import Repo

T = TypeVar("T", bound=ShaFile)

_NAMES = {1: b"commit", 2: b"tree", 3: b"blob", 4: b"tag"}
_MAX_TAGS = 10


class Damaged(Exception):  # noqa: N818 - private to this plugin: leads to a fetch anew
    """An object is missing from the repository, or is not what its name says."""


class GitObjects:
    """The objects of one repository by name (40 hex digits). Every method may raise `Damaged`."""

    def __init__(self, repo: Repo) -> None:
        self._store = repo.object_store
        self._packs = list(self._store.packs)

    def has(self, oid: str) -> bool:
        """True when an object of this name is there."""
        return bool(oid) and ObjectID(oid.encode()) in self._store

    def commit(self, oid: str) -> Commit:
        """A commit; tags that lead to one are followed."""
        for _ in range(_MAX_TAGS):
            kind, data = self._read(oid)
            if kind == b"commit":
                return self._parsed(Commit, data)
            if kind != b"tag":
                break
            oid = self._parsed(Tag, data).object[1].decode("ascii")
        raise Damaged(f"{oid} is not a commit")

    def raw(self, oid: str) -> bytes:
        """The bytes of an object, as it was signed."""
        return self._read(oid)[1]

    def tree_of(self, commit: str) -> str:
        """The name of a commit's root tree."""
        tree: bytes = self.commit(commit).tree
        return tree.decode("ascii")

    def parents(self, commit: str) -> Sequence[str]:
        """The names of a commit's parents."""
        return [parent.decode("ascii") for parent in self.commit(commit).parents]

    def entries(self, tree: str) -> Sequence[tuple[bytes, int, str]]:
        """The names of one directory with mode and object name."""
        kind, data = self._read(tree)
        if kind != b"tree":
            raise Damaged(f"{tree} is not a tree")
        try:
            return [(name, mode, oid.decode("ascii")) for name, mode, oid in parse_tree(data, 20)]
        except (ValueError, FileFormatException) as error:
            raise Damaged(f"the tree {tree} cannot be read") from error

    def blob(self, oid: str) -> bytes:
        """The bytes of a file."""
        kind, data = self._read(oid)
        if kind != b"blob":
            raise Damaged(f"{oid} is not a file")
        return data

    def _parsed(self, kind: type[T], data: bytes) -> T:
        try:
            found = kind.from_string(data)
            found.check()
        except (ValueError, FileFormatException, NotCommitError) as error:
            raise Damaged("an object cannot be read") from error
        return found

    def _raw(self, oid: ObjectID) -> tuple[int, bytes]:
        """Nearly everything is in the pack that was read last: the store looks for loose files first, each time."""
        for at, pack in enumerate(self._packs):
            with suppress(KeyError):
                found = pack.get_raw(oid)
                if at:
                    self._packs.insert(0, self._packs.pop(at))
                return found
        found = self._store.get_raw(oid)
        self._packs = list(self._store.packs)
        return found

    def _read(self, oid: str) -> tuple[bytes, bytes]:
        try:
            number, data = self._raw(ObjectID(oid.encode()))
        except (
            KeyError,
            ValueError,
            OSError,
            EOFError,
            AssertionError,
            zlib.error,
            ChecksumMismatch,
            ApplyDeltaError,
        ) as error:
            raise Damaged(f"the object {oid} is missing or cannot be read") from error
        kind = _NAMES.get(number, b"")
        if hashlib.sha1(b"%s %d\0" % (kind, len(data)) + data, usedforsecurity=False).hexdigest() != oid:
            raise Damaged(f"the object {oid} is not what its name says")
        return kind, data
