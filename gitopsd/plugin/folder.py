"""A folder on disk as `Objects`, so that a `Tree` can read it lazily: nothing is read, hashed or listed before it is asked for.

Identities here are not digests of content: a directory is named by its path, a file by its path, size and time of change,
which is enough to find it again and to see that it changed. They must never enter a store. Where identities must not
depend on times, `digests` reads files when they are listed and puts their content's digest in place of size and time. Symbolic links stay links, so
that the tree resolves them inside its root; an absolute link that points into the root is made relative, every other one
is left to the tree, which refuses it. Anything but files, directories and links does not exist here.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

from gitopsd.model.digest import Digest, of_bytes
from gitopsd.model.errors import Transient
from gitopsd.model.tree import Entry, File, Folder, Link, Node

MAX_FILE = 64 * 1024 * 1024
MAX_ENTRIES = 250_000


class LocalFolder:
    """The folder at `path`, resolved once; `root` is what `Tree` is made with. `max_file` in bytes."""

    def __init__(self, path: Path, *, max_file: int = MAX_FILE, digests: bool = False) -> None:
        self._base = path.resolve()
        self._max_file = max_file
        self._digests = digests
        self._nodes: dict[Digest, Node] = {}
        self.root = _folder("")

    def node(self, digest: Digest) -> Node:
        """The entries of one directory, listed once. Raises `Transient` where it cannot be listed."""
        found = self._nodes.get(digest)
        if found is None:
            found = self._nodes[digest] = self._listed(_path(digest))
        return found

    def blob(self, digest: Digest) -> bytes:
        """The bytes of one file. Raises `Transient` where it cannot be read, is too large, or is no file any more."""
        return self._read(_path(digest))

    def _read(self, path: str) -> bytes:
        try:
            # O_NOFOLLOW and O_NONBLOCK: a link or a pipe put in its place since the listing is refused, not followed
            descriptor = os.open(self._base / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise Transient(f"{path}: cannot be read: {error.strerror}") from error
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Transient(f"{path}: is no file any more")
            data = file.read(self._max_file + 1)
        if len(data) > self._max_file:
            raise Transient(f"{path}: larger than {self._max_file:,} bytes; leave it out")
        return data

    def _listed(self, path: str) -> Node:
        entries: dict[str, Entry] = {}
        try:
            with os.scandir(self._base / path) as found:
                for entry in found:
                    if len(entries) >= MAX_ENTRIES:
                        raise Transient(f"{path or '.'}: more than {MAX_ENTRIES:,} entries; name a smaller folder")
                    if (value := self._entry(path, entry)) is not None:
                        entries[entry.name] = value
        except OSError as error:
            raise Transient(f"{path or '.'}: cannot be listed: {error.strerror}") from error
        return entries

    def _entry(self, folder: str, entry: os.DirEntry[str]) -> Entry | None:
        path = f"{folder}/{entry.name}" if folder else entry.name
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # gone since the folder was read, which may be a busy one such as /tmp
            return None
        if stat.S_ISLNK(status.st_mode):
            return Link(target=self._target(folder, self._base / path))
        if stat.S_ISDIR(status.st_mode):
            return Folder(digest=_folder(path))
        if stat.S_ISREG(status.st_mode):
            digest = Digest(f"local-file:{self._mark(path, status)}:{quote(path, errors='surrogateescape')}")
            return File(digest=digest, size=status.st_size, executable=bool(status.st_mode & stat.S_IXUSR))
        return None

    def _mark(self, path: str, status: os.stat_result) -> str:
        """What changes when the file does."""
        return of_bytes(self._read(path)) if self._digests else f"{status.st_size}:{status.st_mtime_ns}"

    def _target(self, folder: str, link: Path) -> str:
        target = PurePosixPath(os.readlink(link))
        if not target.is_absolute() or not target.is_relative_to(self._base):
            return str(target)
        up = "../" * len(PurePosixPath(folder).parts)
        return f"{up}{target.relative_to(self._base)}"


def _folder(path: str) -> Digest:
    return Digest(f"local-folder:{quote(path, errors='surrogateescape')}")


def _path(digest: Digest) -> str:
    return unquote(digest.rpartition(":")[2], errors="surrogateescape")
