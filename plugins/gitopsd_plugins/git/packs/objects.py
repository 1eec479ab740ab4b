"""Reads Git objects out of a dulwich repository, each checked against its name, so that damage is seen and never used."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from dulwich.errors import ApplyDeltaError, ChecksumMismatch, FileFormatException, NotCommitError
from dulwich.objects import Commit, ObjectID, ShaFile, Tag, parse_tree
from dulwich.repo import Repo

from gitopsd_plugins.git.packs import packed
from gitopsd_plugins.git.packs.packed import BLOB, NAMES, TREE, MalformedPack
from gitopsd_plugins.git.packs.packreader import PackReader
from gitopsd_plugins.git.packs.packs import AtHand, Kept

T = TypeVar("T", bound=ShaFile)

_MAX_TAGS = 10
_BROKEN = (
    KeyError,
    ValueError,  # MalformedPack is one
    OSError,
    EOFError,
    AssertionError,
    IndexError,
    struct.error,
    TypeError,
    zlib.error,
    ChecksumMismatch,
    ApplyDeltaError,
)
"""How reading ends where something is missing or damaged, dulwich's ways included."""


class Damaged(Exception):  # noqa: N818 - private to this plugin: leads to a fetch anew
    """An object is missing from the repository, or is not what its name says."""


class GitObjects:
    """The objects of one repository by name (40 hex digits). Every method may raise `Damaged`.

    Packs are read here; dulwich reads whatever else a repository may keep its objects in.
    """

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self._store = repo.object_store
        self._at_hand = AtHand()
        self._packs: list[PackReader] = []
        for index in sorted(Path(self._store.pack_dir).glob("*.idx")):
            with suppress(OSError, MalformedPack):  # gone meanwhile, or of a form that dulwich reads, or complains of
                self._packs.append(PackReader(index.with_suffix("")))

    def glance(self, at_hand: AtHand) -> None:
        """Objects of a pack that is still being added."""
        self._at_hand = at_hand

    def take(self, kept: Kept) -> None:
        """A pack that was added to the repository just now. What is at hand of it was named by what it is."""
        self._packs.insert(0, PackReader(kept.stem))
        self._at_hand = kept.at_hand

    def has(self, oid: str) -> bool:
        """True when an object of this name is there."""
        if not oid:
            return False
        try:
            return (
                any(pack.offset(bytes.fromhex(oid)) is not None for pack in self._packs)
                or ObjectID(oid.encode()) in self._store
            )
        except _BROKEN as error:
            raise Damaged(f"whether the object {oid} is there cannot be read") from error

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

    def _raw(self, oid: str) -> tuple[int, bytes]:
        """Nearly everything is in the pack that was read last: the store looks for loose files first, each time."""
        name = bytes.fromhex(oid)
        for at, pack in enumerate(self._packs):
            offset = pack.offset(name)
            if offset is None:
                continue
            with suppress(KeyError):
                found = pack.read(offset)
                if at:
                    self._packs.insert(0, self._packs.pop(at))
                return found
        return self._store.get_raw(ObjectID(oid.encode()))

    def _read(self, oid: str) -> tuple[bytes, bytes]:
        """Kind and bytes. Each tree and file is wanted once, as a rule: what was at hand of them need not be any longer."""
        known = self._at_hand.get(name := bytes.fromhex(oid)) if self._at_hand else None
        if known:
            if known[0] in {TREE, BLOB}:
                del self._at_hand[name]
            return NAMES[known[0]], known[1]
        try:
            number, data = self._raw(oid)
        except _BROKEN as error:
            raise Damaged(f"the object {oid} is missing or cannot be read") from error
        if number not in NAMES or packed.name(number, data).hex() != oid:
            raise Damaged(f"the object {oid} is not what its name says")
        return NAMES[number], data
