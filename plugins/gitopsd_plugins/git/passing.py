"""Takes a commit's files into the store while its pack is unpacked for the first time, so that none is unpacked twice.

Git writes directories before files, so that by the first file of a pack all that the commit names can be listed. Where it
cannot, or where ignore files are among what is still to come, nothing is taken here. What is missing afterwards is read by its
name, and so is what must not be in the store: what is wrong with it is said there.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping
from itertools import chain

from gitopsd.plugin import Content, File, GitopsdError, Intake
from gitopsd.plugin.sources import ignore
from gitopsd_plugins.git import content
from gitopsd_plugins.git.content import Taken
from gitopsd_plugins.git.listing import Leaf, Listing
from gitopsd_plugins.git.order import FetchOrder
from gitopsd_plugins.git.packs.objects import Damaged
from gitopsd_plugins.git.packs.packs import AtHand, Blobs


class Passing:
    """`read` lists what the commit names, from what is at hand; it raises where that cannot be told yet, or is refused."""

    def __init__(self, given: FetchOrder, intake: Intake, read: Callable[[AtHand], Listing]) -> None:
        self._given = given
        self._intake = intake
        self._read = read
        self.found: Listing | None = None
        """What the commit names, once it could be told."""
        self._leaves: Mapping[str, Leaf] = {}
        self._files: dict[str, File] = {}

    @property
    def taken(self) -> Taken | None:
        """What of the commit is to be put, and what of that is in the store; None where that could not be told."""
        return Taken(leaves=self._leaves, files=self._files) if self.found else None

    def __call__(self, blobs: Blobs, at_hand: AtHand) -> None:
        """Take what is wanted of these."""
        first = next(blobs, None)
        if first and (wanted := self._wanted(at_hand)):
            taken: list[str] = []
            files = self._intake.add(self._contents(chain([first], blobs), wanted, taken))
            self._files.update(zip(taken, files, strict=True))

    def _wanted(self, at_hand: AtHand) -> dict[str, str]:
        """Where the files that are missing in the store stand, by their native ids."""
        try:
            found = self._read(at_hand)
        except (Damaged, GitopsdError):
            return {}
        self._leaves = content.kept(found, ignore.rules(found.ignores, self._given.rules.ignore))
        self.found = found
        paths = {leaf.key: path for path, leaf in self._leaves.items() if not stat.S_ISLNK(leaf.mode)}
        self._files.update(self._intake.known(list(paths)))
        return {key: path for key, path in paths.items() if key not in self._files}

    def _contents(self, blobs: Blobs, wanted: dict[str, str], taken: list[str]) -> Iterator[Content]:
        total = 0
        for name, data in blobs:
            key = f"git:{name.hex()}"
            path = wanted.pop(key, None)
            if path is None:
                continue
            total += len(data)
            if total > self._given.limits.total or content.fault(data, path, self._given.limits):
                return
            taken.append(key)
            yield Content(data=data, key=key)
