"""Working with a cache repository that may be damaged: it is begun anew once, before the server is to blame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from dulwich.repo import Repo

from gitopsd.plugin import Rejected
from gitopsd_plugins.git import cache
from gitopsd_plugins.git.order import FetchOrder, Malformed
from gitopsd_plugins.git.packs.objects import Damaged, GitObjects
from gitopsd_plugins.git.reference import FAILED

T = TypeVar("T")


def through(given: FetchOrder, use: Callable[[Repo, GitObjects], T]) -> T:
    """What `use` makes of the order's cache, which is held meanwhile. Raises `Rejected` for what the server sent damaged."""
    with cache.held(Path(given.cache), given.remote, complete=bool(given.branch)) as folder:
        try:
            return _used(folder, given, use)
        except (Damaged, Malformed):
            # Whether the cache or the server is to blame shows without the cache.
            cache.discard(folder)
        try:
            return _used(folder, given, use)
        except Damaged as error:
            cache.discard(folder)
            place = given.remote.address
            raise Rejected(f"{place} sent a commit that cannot be read: {error}", reason=FAILED) from error


def _used(folder: Path, given: FetchOrder, use: Callable[[Repo, GitObjects], T]) -> T:
    with cache.opened(folder, given.limits.cache) as repo:
        found = use(repo, GitObjects(repo))
        cache.remember(repo, given.commit)
        return found
