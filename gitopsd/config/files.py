"""Which files a `-c` path means, and their bytes.

A folder means its *.yaml and *.yml files, those of its folders included, in the order of their paths. Names that begin
with a dot are left out, links are followed: so a mounted ConfigMap, whose files are links through `..data` into a hidden
folder, is read once. A folder called `secrets.d` holds secrets, not documents.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitopsd.config.problems import Problem
from gitopsd.plugin import Place

SUFFIXES = (".yaml", ".yml")
SECRETS = "secrets.d"
MAX_FILES = 10_000
MAX_FILE = 16 << 20
MAX_TOTAL = 64 << 20
MAX_DEPTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One file's bytes under the name that messages use."""

    name: str
    content: bytes = field(repr=False)


class Unreadable(Exception):  # noqa: N818 - it becomes a `Problem` at once and never leaves this package
    """A path that cannot be taken; `path` and the message are for the user."""

    def __init__(self, path: Path | str, message: str) -> None:
        super().__init__(message)
        self.path = str(path)

    def problem(self) -> Problem:
        """The same as a value."""
        return Problem(place=Place(file=self.path), message=str(self))


def find(path: Path) -> Sequence[Path]:
    """The files that one `-c` path means, sorted. Raises `Unreadable`."""
    found = sorted(_below(path, ())) if stat.S_ISDIR(_status(path).st_mode) else [path]
    if len(found) > MAX_FILES:
        raise Unreadable(path, f"holds more than {MAX_FILES} files; name a smaller folder")
    return found


def read(path: Path, most: int = MAX_TOTAL) -> Text:
    """The bytes of a regular file. Raises `Unreadable` when it is missing, a pipe, a device, or larger than `most`."""
    if not stat.S_ISREG(_status(path).st_mode):
        raise Unreadable(path, "is neither a file nor a folder")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise Unreadable(path, _why(error)) from error
    if len(content) > MAX_FILE:
        raise Unreadable(path, f"is larger than {MAX_FILE >> 20} MiB; split it")
    if len(content) > most:
        raise Unreadable(path, f"with it all files are larger than {MAX_TOTAL >> 20} MiB together; declare less")
    return Text(name=str(path), content=content)


def _below(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    status = _status(folder)
    here = (status.st_dev, status.st_ino)
    if here in above:
        raise Unreadable(folder, "is a link to a folder that it lies in; remove the link")
    if len(above) >= MAX_DEPTH:
        raise Unreadable(folder, f"lies deeper than {MAX_DEPTH} folders")
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise Unreadable(folder, _why(error)) from error
    for name in names:
        path = folder / name
        if name.startswith(".") or name == SECRETS:
            continue
        if path.is_dir():
            yield from _below(path, (*above, here))
        elif name.endswith(SUFFIXES):
            yield path


def _status(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise Unreadable(path, _why(error)) from error


def _why(error: OSError) -> str:
    reason = (error.strerror or type(error).__name__).lower()
    remedy = "; name an existing file or folder" if isinstance(error, FileNotFoundError) else ""
    return f"cannot be read: {reason}{remedy}"
