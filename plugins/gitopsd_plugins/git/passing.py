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
"""Each makes the rules anew; with more of them nothing is taken any more."""


class Passing:
    """`begin` starts to unfold the commit, once that is at hand; it raises for one that must not be used."""

    def __init__(self, given: FetchOrder, intake: Intake, objects: GitObjects, begin: Callable[[], Unfolding]) -> None:
        self._given = given
        self._intake = intake
        self._objects = objects
        self._begin = begin
        self._unfolding: Unfolding | None = None
        """What the commit names, as far as it could be told."""
        self._found: Listing | None = None
        self._leaves: Mapping[str, Leaf] | None = None
        self._paths: dict[str, str] = {}
        """Where the files stand that have not passed yet, by their object names."""
        self._awaited: dict[str, list[str]] = defaultdict(list)
        """Directories whose ignore files have not passed yet, by the object names of those."""
        self._texts: dict[str, bytes] = {}
        """The texts of those that have."""
        self._ignores: dict[str, str] = {}
        self._own = given.rules.ignore is not None
        """Whether there are rules beside the usual ones: those leave out few files, and small ones are taken for nothing."""
        self._out = self._rules({}).sieve()
        self._files: Mapping[str, File] = {}

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
        return Taken(leaves=self._leaves or content.kept(found, self._rules(found.ignores)), files=self._files)

    def _contents(self, objects: Objects, taken: list[str]) -> Iterator[Content]:
        total = 0
        for name, (kind, data) in objects:
            oid = name.hex()
            if kind != BLOB:
                self._look(kind, oid)
                continue
            if self._awaited and oid in self._awaited:
                self._learn(oid, data)
            path = self._paths.pop(oid, None)
            if path is None or self._awaited or ((self._own or len(data) > LARGE) and self._out(path)):
                continue
            total += len(data)
            if total > self._given.limits.total or content.fault(data, path, self._given.limits):
                return
            taken.append(oid)
            yield Content(data=data, key=f"git:{oid}")
        self._conclude()

    def _conclude(self) -> None:
        """Tell what is to be put, where that can be told now: what was taken last is still being written."""
        if self._unfolding and not self._unfolding.shut and not self._awaited:
            with suppress(GitopsdError):  # said where it is asked for
                self._found = self._unfolding.listing(self._ignores)
                self._leaves = content.kept(self._found, self._rules(self._ignores))

    def _look(self, kind: int, oid: str) -> None:
        """The commit, or a directory of it, passes."""
        try:
            if kind == COMMIT and oid == self._given.commit:
                self._unfolding = self._begin()
            elif kind == TREE and self._unfolding and oid in self._unfolding.shut:
                self._expect(self._unfolding.open(oid))
        except (Damaged, GitopsdError):
            self._stop()

    def _expect(self, leaves: Mapping[str, Leaf]) -> None:
        for path, leaf in leaves.items():
            if not stat.S_ISREG(leaf.mode):
                continue
            self._paths[leaf.oid] = path
            if path.endswith(ignore.FILE) and listing.is_ignore_file(path, leaf):
                self._awaited[leaf.oid].append(path.rpartition("/")[0])
                if leaf.oid in self._texts:
                    self._learn(leaf.oid, self._texts[leaf.oid])
                if not self._unfolding:
                    return

    def _learn(self, oid: str, data: bytes) -> None:
        """An ignore file passes."""
        self._texts[oid] = data
        self._ignores.update(dict.fromkeys(self._awaited.pop(oid), data.decode("utf-8", "replace")))
        if len(self._ignores) > MAX_IGNORE_FILES or len(data) > ignore.MAX_BYTES:
            self._stop()
        else:
            self._own, self._out = True, self._rules(self._ignores).sieve()

    def _rules(self, ignores: Mapping[str, str]) -> Rules:
        return ignore.rules(ignores, self._given.rules.ignore)

    def _stop(self) -> None:
        """Take nothing more."""
        self._unfolding = None
        self._paths.clear()
