"""A local folder as the files of a commit that would be made of it now: for plans, before anything is committed.

In a work tree of Git that is what it tracks, and what is new and not ignored. Files are taken as they lie there: filters of
`.gitattributes` are not run, and nothing of the folder is executed or followed out of it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from dulwich.errors import NotGitRepository
from dulwich.ignore import IgnoreFilterManager
from dulwich.objects import Blob
from dulwich.repo import Repo

from gitopsd.plugin import Rejected, UsageError
from gitopsd.plugin.sources import ignore
from gitopsd.plugin.tree import MAX_DEPTH
from gitopsd_plugins.git import listing
from gitopsd_plugins.git.listing import Leaf, Listing
from gitopsd_plugins.git.order import Limits

LeavesOut = Callable[[str, bool], bool]
"""Whether Git leaves out this path (from the folder), which is a directory or not."""


class FolderBlobs:
    """The files of a folder by the names that Git would give them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._paths: dict[str, str] = {}

    def leaf(self, path: str, status: os.stat_result) -> Leaf:
        """The file or link at this path."""
        mode = stat.S_IFLNK if stat.S_ISLNK(status.st_mode) else status.st_mode
        oid = Blob.from_string(self._read(path)).id.decode("ascii")
        self._paths.setdefault(oid, path)
        return Leaf(mode=mode, oid=oid)

    def blob(self, oid: str) -> bytes:
        """The bytes of a file, or the target of a link."""
        return self._read(self._paths[oid])

    def _read(self, path: str) -> bytes:
        place = self._root / path
        try:
            if place.is_symlink():
                return os.readlink(place).encode("utf-8", "surrogateescape")
            descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                return file.read()
        except OSError as error:
            raise Rejected(f"{place}: cannot be read: {error.strerror}") from error


def read(folder: str, limits: Limits, sparse: Sequence[str] = ()) -> tuple[Listing, FolderBlobs]:
    """All that a commit of the folder would name, or what these paths name of it. Raises `UsageError` for what is no folder, `Rejected` for its content."""
    root = Path(folder)
    if not root.is_dir():
        raise UsageError(f"{folder}: no such folder")
    blobs = FolderBlobs(root.resolve())
    leaves: dict[str, Leaf] = {}
    for path, status in _files(root.resolve(), _rules(root.resolve())):
        if not listing.within(path, sparse):
            continue
        if len(leaves) >= limits.entries:
            raise Rejected(
                f"{folder}: more than {limits.entries:,} files; leave some out with .gitignore, or name a smaller folder"
            )
        if status.st_size > limits.file:
            raise Rejected(f"{listing.shown(path)}: more than {limits.file >> 20} MiB; leave it out with spec.ignore")
        leaves[path] = blobs.leaf(path, status)
    listing.check_found(leaves, sparse)
    ignores = {
        path.rpartition("/")[0]: blobs.blob(leaf.oid)[: ignore.MAX_BYTES].decode("utf-8", "replace")
        for path, leaf in leaves.items()
        if path.rpartition("/")[2] == ignore.FILE and stat.S_ISREG(leaf.mode)
    }
    return Listing(leaves=leaves, ignores=ignores), blobs


def _files(root: Path, leaves_out: LeavesOut) -> Iterator[tuple[str, os.stat_result]]:
    todo = [""]
    while todo:
        at = todo.pop()
        if at.count("/") > MAX_DEPTH:
            raise Rejected(f"{listing.shown(at)}: deeper than {MAX_DEPTH} directories; nest them less")
        try:
            entries = sorted(os.scandir(root / at), key=lambda entry: entry.name)
        except OSError as error:
            raise Rejected(f"{root / at}: cannot be listed: {error.strerror}") from error
        for entry in entries:
            path = f"{at}{entry.name}"
            status = entry.stat(follow_symlinks=False)
            directory = stat.S_ISDIR(status.st_mode)
            if entry.name == ".git" or leaves_out(path, directory):
                continue
            if directory:
                todo.append(f"{path}/")
            elif stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                yield path, status


def _rules(root: Path) -> LeavesOut:
    """By the work tree that the folder is part of; outside of one nothing is left out."""
    try:
        repo = Repo.discover(str(root))
    except NotGitRepository:
        return lambda path, directory: False
    with closing(repo):
        prefix = os.path.relpath(root, repo.path)
        prefix = "" if prefix == "." else f"{prefix}/"
        tracked = {name.decode("utf-8", "surrogateescape") for name in repo.open_index()} if repo.has_index() else set()
        parents = {name[:at] for name in tracked for at, sign in enumerate(name) if sign == "/"}
        manager = IgnoreFilterManager.from_repo(repo)

    def leaves_out(path: str, directory: bool) -> bool:
        whole = prefix + path
        if whole in tracked or (directory and whole in parents):
            return False
        return bool(manager.is_ignored(f"{whole}/" if directory else whole))

    return leaves_out
