"""Takes a commit's files into the store while its pack is unpacked for the first time, so that none is unpacked twice.

As a rule Git writes the commit first and a directory before what it holds, so that where a file stands is known when it
passes. Which files are taken here is a guess at what the rules will keep: what is taken in vain nobody refers to, and what is
not taken, or must not be in the store, is read by its name afterwards, and what is wrong with it is said there.
"""

from __future__ import annotations

import stat
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from gitopsd.plugin import Content, File, GitopsdError, Intake
from gitopsd.plugin.sources import ignore
from gitopsd.plugin.sources.ignore import Rules
from gitopsd_plugins.git import content, listing
from gitopsd_plugins.git.content import Taken
from gitopsd_plugins.git.listing import Leaf, Listing, Unfolding
from gitopsd_plugins.git.order import FetchOrder
from gitopsd_plugins.git.packs.objects import Damaged, GitObjects
from gitopsd_plugins.git.packs.packed import BLOB, COMMIT, TREE
from gitopsd_plugins.git.packs.packs import AtHand, Objects

LARGE = 64 << 10
"""Bytes of a file that is worth a look at the usual rules: they leave out pictures and archives."""
MAX_IGNORE_FILES = 100
"""Each makes the rules anew: with more of them nothing is taken any more."""


class _Ignoring:
    """The ignore files of a commit as they pass, and what those that came leave out. `awaited` are the others, by object name."""

    def __init__(self, spec: str | None) -> None:
        self._spec = spec
        self._seen: dict[str, bytes] = {}
        self.awaited: dict[str, list[str]] = defaultdict(list)
        self.texts: dict[str, str] = {}
        """By the directory in which they stand."""
        self._out = self.rules(self.texts).sieve()
        self._too_much = False

    @property
    def complete(self) -> bool:
        """Whether all that are known of have come."""
        return not self.awaited and not self._too_much

    def rules(self, texts: Mapping[str, str]) -> Rules:
        """The source's own rules, and those of ignore files."""
        return ignore.rules(texts, self._spec)

    def expect(self, directory: str, oid: str) -> None:
        """There is one in this directory."""
        if not self._too_much:
            self.awaited[oid].append(directory)
            if oid in self._seen:
                self.see(oid, self._seen[oid])

    def see(self, oid: str, data: bytes) -> None:
        """One that is awaited passes."""
        self._seen[oid] = data
        self.texts.update(dict.fromkeys(self.awaited.pop(oid), data.decode("utf-8", "replace")))
        self._too_much = self._too_much or len(self.texts) > MAX_IGNORE_FILES or len(data) > ignore.MAX_BYTES
        if not self._too_much:
            self._out = self.rules(self.texts).sieve()

    def leaves_out(self, path: str, size: int) -> bool:
        """Whether the rules leave out a file of this size (bytes), or that cannot be told.

        The usual rules leave out few files: small ones are taken for nothing.
        """
        if self.awaited or self._too_much:
            return True
        return (size > LARGE or bool(self.texts) or self._spec is not None) and self._out(path)


class Passing:
    """`begin` starts to unfold the commit, once that is at hand; it raises for one that must not be used."""

    def __init__(self, given: FetchOrder, intake: Intake, objects: GitObjects, begin: Callable[[], Unfolding]) -> None:
        self._given = given
        self._intake = intake
        self._objects = objects
        self._begin = begin
        self._unfolding: Unfolding | None = None
        """What the commit names, as far as it could be told."""
        self._ignoring = _Ignoring(given.rules.ignore)
        self._paths: dict[str, str] = {}
        """Where the files stand that have not passed yet, by their object names."""
        self._files: Mapping[str, File] = {}
        self._found: Listing | None = None
        self._leaves: Mapping[str, Leaf] | None = None

    def __call__(self, objects: Objects, at_hand: AtHand) -> None:
        """Take what is wanted of these."""
        self._objects.glance(at_hand)
        taken: list[str] = []
        files = self._intake.add(self._contents(objects, taken))
        self._files = dict(zip(taken, files, strict=True))

    def listing(self) -> Listing | None:
        """All that the commit names, once the pack is kept; None where nothing passed. Raises as `Unfolding` does."""
        return self._found or (self._unfolding.listing() if self._unfolding else None)

    def taken(self, found: Listing) -> Taken:
        """What is to be put, and what of that was taken."""
        return Taken(leaves=self._leaves or content.kept(found, self._ignoring.rules(found.ignores)), files=self._files)

    def _contents(self, objects: Objects, taken: list[str]) -> Iterator[Content]:
        ignoring = self._ignoring
        total = 0
        for name, (kind, data) in objects:
            oid = name.hex()
            if kind != BLOB:
                self._look(kind, oid)
                continue
            if oid in ignoring.awaited:
                ignoring.see(oid, data)
            path = self._paths.pop(oid, None)
            if path is None or ignoring.leaves_out(path, len(data)):
                continue
            total += len(data)
            if total > self._given.limits.total or content.fault(data, path, self._given.limits):
                return
            taken.append(oid)
            yield Content(data=data, key=f"git:{oid}")
        self._conclude()

    def _conclude(self) -> None:
        """Tell what is to be put, where that can be told now: what was taken last is still being written."""
        if self._unfolding and not self._unfolding.shut and self._ignoring.complete:
            with suppress(GitopsdError):  # said where it is asked for
                self._found = self._unfolding.listing(self._ignoring.texts)
                self._leaves = content.kept(self._found, self._ignoring.rules(self._found.ignores))

    def _look(self, kind: int, oid: str) -> None:
        """The commit, or a directory of it, passes. Where one cannot be used, nothing more is taken."""
        try:
            if kind == COMMIT and oid == self._given.commit and not self._unfolding:
                self._unfolding = self._begin()
            elif kind == TREE and self._unfolding and oid in self._unfolding.shut:
                self._expect(self._unfolding.open(oid))
        except (Damaged, GitopsdError):
            self._unfolding = None
            self._paths.clear()

    def _expect(self, leaves: Mapping[str, Leaf]) -> None:
        for path, leaf in leaves.items():
            if stat.S_ISREG(leaf.mode):
                self._paths[leaf.oid] = path
                if path.endswith(ignore.FILE) and listing.is_ignore_file(path, leaf):
                    self._ignoring.expect(path.rpartition("/")[0], leaf.oid)
