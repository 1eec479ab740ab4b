"""A folder that an artifact's files are written into, for `gitopsd pull artifact`: all of them or none.

Folders are opened one inside the other without following links, so that nothing is written outside whatever lies there. A file that
is there with other content is left alone unless it may be replaced.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from gitopsd.plugin import Changes, Content, Digest, Entry, File, Node, Stored, Transient, UsageError, digest


class OutputFolder:
    """An `Intake` that keeps bytes as files in `held` until the whole tree is known, then writes them below `root`."""

    def __init__(self, root: Path, held: Path, *, replace: bool) -> None:
        self._root = root
        self._held = held
        self._replace = replace

    def node(self, digest: Digest) -> Node:
        """Nothing is kept as a tree."""
        raise Transient(f"{digest} is not here")

    def blob(self, digest: Digest) -> bytes:
        """The bytes of a file that was added."""
        return self._place(digest).read_bytes()

    def known(self, keys: Sequence[str]) -> Mapping[str, File]:
        """The files that were added already; the keys are digests."""
        found = {key: self._place(Digest(key)) for key in keys}
        return {
            key: File(digest=Digest(key), size=path.stat().st_size) for key, path in found.items() if path.is_file()
        }

    def add(self, contents: Iterable[Content]) -> Sequence[File]:
        """Keep bytes."""
        files: list[File] = []
        for content in contents:
            file = File(digest=digest.of_bytes(content.data), size=len(content.data))
            self._place(file.digest).write_bytes(content.data)
            files.append(file)
        return files

    def put(self, changes: Changes) -> Stored:
        """Write the files. Raises `UsageError` for what is in the way, before anything is written."""
        files = {path: entry for path, entry in changes.entries.items() if isinstance(entry, File)}
        self._root.mkdir(parents=True, exist_ok=True)
        if not self._replace:
            self._check(files)
        for path, file in files.items():
            self._write(path, file)
        size = sum(file.size for file in files.values())
        return Stored(tree=digest.of_value(sorted(files)), size=size, files=len(files))

    def _place(self, digest: Digest) -> Path:
        return self._held / digest.partition(":")[2]

    def _check(self, files: Mapping[str, Entry]) -> None:
        for path, file in files.items():
            there = self._root / path
            if os.path.lexists(there) and (there.is_symlink() or not _same(there, file)):
                raise UsageError(f"{there} is there already with other content; --force replaces it")

    def _write(self, path: str, file: File) -> None:
        *folders, name = path.split("/")
        with _opened(self._root, folders) as folder:
            temporary = f".{name[:200]}.new"
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                descriptor = os.open(temporary, flags, 0o755 if file.executable else 0o644, dir_fd=folder)
                with os.fdopen(descriptor, "wb") as opened:
                    opened.write(self.blob(file.digest))
                os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError as error:
                raise UsageError(f"{self._root / path}: cannot be written: {error.strerror}") from error


def _same(there: Path, file: Entry) -> bool:
    return isinstance(file, File) and there.is_file() and digest.of_bytes(there.read_bytes()) == file.digest


@contextmanager
def _opened(root: Path, folders: Sequence[str]) -> Iterator[int]:
    """The folder below `root` by its descriptor, made where it is missing; a link on the way is refused."""
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in folders:
            at = _below(at, name, root)
        yield at
    finally:
        os.close(at)


def _below(at: int, name: str, root: Path) -> int:
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=at)
    try:
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    except OSError as error:
        raise UsageError(f"{root}: {name} is in the way: no folder, or a link") from error
    os.close(at)
    return below
