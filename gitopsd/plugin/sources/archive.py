"""From an archive (tar, tar.gz, tar.zst) to a tree in the store, in one pass, with nothing of it ever a path on a disk.

Whoever made the archive is not trusted: names stay inside, each stands once, only files and folders (and, where asked for,
symbolic links) come along, and there are limits on everything. `unpack` runs it in a worker process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from gitopsd.model.digest import of_bytes
from gitopsd.model.tree import Changes, Entry, File, Link
from gitopsd.plugin.context import Context
from gitopsd.plugin.sources import ignore, tar
from gitopsd.plugin.sources.expand import ArchiveError, Expanded
from gitopsd.plugin.sources.tar import Member, Sort
from gitopsd.plugin.tree import MAX_DEPTH, Content, Intake, PathError, Stored, normal

__all__ = ["ArchiveError", "Limits", "Unpacked", "Unpacking", "put", "unpack"]

MAX_NAME = 255
MAX_PATH = 4096
BATCH_FILES = 10_000
BATCH_BYTES = 16 << 20
"""What waits to be added together: as much as the store puts in order before it writes [measured: a fifth of the time]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an archive may hold: entries, bytes of one file and of all, and how far it may grow when it is expanded."""

    entries: int = 250_000
    file: int = 256 << 20
    total: int = 4 << 30
    ratio: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacking:
    """How an archive becomes a tree."""

    strip: bool = False
    """Take off the leading folder of every path: a packed Helm chart lies in one."""
    links: bool = False
    """Keep symbolic links; otherwise they are left out, as Flux does, and named in `Unpacked.links`."""
    ignoring: bool = False
    """Leave out what Flux's rules ignore: `.sourceignore` files of the archive, then `ignore`, else the default sets."""
    ignore: str | None = None
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What came of it. `links` are the first symbolic links that were left out."""

    stored: Stored
    links: tuple[str, ...] = ()


async def unpack(file: Path, ctx: Context, how: Unpacking, *, timeout: float) -> Unpacked:
    """Put the archive in this file into the store, in a worker process. Raises `ArchiveError` for what may not come in."""
    order = msgspec.msgpack.encode(_Order(file=str(file), how=how))
    return msgspec.msgpack.decode(await ctx.work.run(f"{__name__}:job", order, timeout=timeout), type=Unpacked)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    file: str
    how: Unpacking


def job(payload: bytes, intake: Intake) -> bytes:
    """What `unpack` has a worker process do."""
    order = msgspec.msgpack.decode(payload, type=_Order)
    with open(order.file, "rb") as stream:
        return msgspec.msgpack.encode(put(stream, intake, order.how))


def put(stream: BinaryIO, intake: Intake, how: Unpacking = Unpacking()) -> Unpacked:
    """Put an archive into the store: whole or not at all. Raises `ArchiveError` naming the entry and what is wrong."""
    expanded = Expanded(stream, total=how.limits.total, ratio=how.limits.ratio)
    found = _Contents(intake, how)
    reader = tar.Reader(expanded)
    for member in reader.members():
        found.take(member, reader)
    expanded.drain()
    entries = found.finished()
    if how.ignoring:
        entries = _kept(entries, intake, how.ignore)
    return Unpacked(stored=intake.put(Changes(entries=dict(entries))), links=tuple(found.left_out))


class _Contents:
    """What was read so far: entries by path, with the bytes of the latest files still waiting to be added together."""

    def __init__(self, intake: Intake, how: Unpacking) -> None:
        self._intake = intake
        self._how = how
        self._count = 0
        self._entries: dict[str, Entry | None] = {}
        self._folders: set[str] = set()
        self._files: set[str] = set()
        self._twins: list[tuple[str, str]] = []
        self._waiting = _Waiting()
        self.left_out: list[str] = []

    def take(self, member: Member, reader: tar.Reader) -> None:
        """Read one entry."""
        self._count += 1
        if self._count > self._how.limits.entries:
            raise ArchiveError(f"holds more than {self._how.limits.entries:,} entries; pack fewer, or split it")
        path = self._path(member)
        if member.sort is Sort.FOLDER:
            if path:
                self._folder(path, path)
            return
        self._name(path, member)
        match member.sort:
            case Sort.FILE:
                self._file(path, member, reader)
            case Sort.LINK:
                self._link(path, member)
            case Sort.HARD_LINK:
                self._twins.append((path, self._twin(path, member)))
                self._files.add(path)
            case other:
                raise ArchiveError(f"{shown(path)}: is {other.value}; only files and folders may be in it")

    def finished(self) -> dict[str, Entry]:
        """Every entry, all bytes added."""
        self._add()
        for path, other in self._twins:
            self._entries[path] = self._entries[other]
        return {path: entry for path, entry in self._entries.items() if entry is not None}

    def _path(self, member: Member) -> str:
        parts = _parts(member.name)
        if not self._how.strip:
            return "/".join(parts)
        if len(parts) < 2 and member.sort is not Sort.FOLDER:
            raise ArchiveError(f"{shown('/'.join(parts))}: lies outside of the archive's leading folder")
        return "/".join(parts[1:])

    def _folder(self, path: str, whole: str) -> None:
        """`path` and all above it are folders from now on; `whole` is for the message."""
        while path and path not in self._folders:
            if path in self._entries:
                raise ArchiveError(f"{shown(whole)}: {shown(path)} stands in the archive as a file already")
            self._folders.add(path)
            path = path.rpartition("/")[0]

    def _name(self, path: str, member: Member) -> None:
        if not path:
            raise ArchiveError(f"{shown(_text(member.name))}: is no name of a file")
        if path in self._entries:
            raise ArchiveError(f"{shown(path)}: stands in the archive twice")
        if path in self._folders:
            raise ArchiveError(f"{shown(path)}: stands in the archive as a folder already")
        self._folder(path.rpartition("/")[0], path)
        self._entries[path] = None

    def _file(self, path: str, member: Member, reader: tar.Reader) -> None:
        if member.size > self._how.limits.file:
            raise ArchiveError(
                f"{shown(path)}: more than {self._how.limits.file >> 20} MiB; leave it out of the archive"
            )
        self._waiting.add(path, reader.data(), executable=member.executable)
        self._files.add(path)
        if self._waiting.full:
            self._add()

    def _add(self) -> None:
        self._entries.update(self._waiting.added(self._intake))
        self._waiting = _Waiting()

    def _link(self, path: str, member: Member) -> None:
        target = _text(member.target)
        if not target or "\0" in target or len(member.target) > MAX_PATH:
            raise ArchiveError(f"{shown(path)}: a symbolic link whose target is no path")
        if target.startswith("/") or _leaves(path, target):
            raise ArchiveError(f"{shown(path)}: a symbolic link that leads out of the archive, to {shown(target)}")
        if self._how.links:
            self._entries[path] = Link(target=target)
        elif len(self.left_out) < 10:
            self.left_out.append(path)

    def _twin(self, path: str, member: Member) -> str:
        """The file that a hard link is another name of; it has to come first."""
        parts = _parts(member.target, f"{shown(path)}: a hard link to ")
        other = "/".join(parts[1:] if self._how.strip else parts)
        if other not in self._files:
            raise ArchiveError(
                f"{shown(path)}: a hard link to {shown(other)}, which is no file before it in the archive"
            )
        return other


@dataclass(slots=True)
class _Waiting:
    """Files whose bytes are read and not in the store yet."""

    files: list[tuple[str, bytes, bool]] = field(default_factory=list)
    size: int = 0

    @property
    def full(self) -> bool:
        """True when they should be added."""
        return len(self.files) >= BATCH_FILES or self.size >= BATCH_BYTES

    def add(self, path: str, data: bytes, *, executable: bool) -> None:
        """One more."""
        self.files.append((path, data, executable))
        self.size += len(data)

    def added(self, intake: Intake) -> Iterator[tuple[str, File]]:
        """Path and file of each, once the store has the bytes; those that it has already are not written again."""
        digests = [of_bytes(data) for _, data, _ in self.files]
        known = dict(intake.known(list(dict.fromkeys(digests))))
        fresh = {d: data for d, (_, data, _) in zip(digests, self.files, strict=True) if d not in known}
        contents = [Content(data=data, key=digest) for digest, data in fresh.items()]
        known.update(zip(fresh, intake.add(contents), strict=True))
        for digest, (path, data, executable) in zip(digests, self.files, strict=True):
            yield path, File(digest=known[digest].digest, size=len(data), executable=executable)


def _kept(entries: dict[str, Entry], intake: Intake, spec: str | None) -> dict[str, Entry]:
    """The entries that Flux's rules do not ignore."""
    texts: dict[str, str] = {}
    for path, entry in entries.items():
        folder, _, name = path.rpartition("/")
        if name == ignore.FILE and isinstance(entry, File):
            if entry.size > ignore.MAX_BYTES:
                raise ArchiveError(f"{shown(path)}: more than {ignore.MAX_BYTES >> 20} MiB")
            texts[folder] = intake.blob(entry.digest).decode("utf-8", "replace")
    rules = ignore.rules(texts, spec)
    return {path: entry for path, entry in entries.items() if not rules.excludes(path.split("/"))}


def _parts(name: bytes, before: str = "") -> list[str]:
    """A name in the archive as the names on its way; `before` is for the message."""
    text = _text(name)
    if "\0" in text:
        raise ArchiveError(f"{before}{shown(text)}: a name with a NUL character")
    if text.startswith("/"):
        raise ArchiveError(f"{before}{shown(text)}: an absolute path")
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise ArchiveError(f"{before}{shown(text)}: a path that leaves the archive")
    if len(name) > MAX_PATH or any(len(part.encode()) > MAX_NAME for part in parts):
        raise ArchiveError(f"{before}{shown(text)}: a name that is too long; shorten it")
    if len(parts) > MAX_DEPTH:
        raise ArchiveError(f"{before}{shown(text)}: deeper than {MAX_DEPTH} folders; nest them less")
    return parts


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        text = shown(name.decode("utf-8", "replace"))
        raise ArchiveError(f"{text}: a name that is not UTF-8; rename it") from error


def _leaves(path: str, target: str) -> bool:
    try:
        normal(f"{path.rpartition('/')[0]}/{target}")
    except PathError:
        return True
    return False


def shown(path: str) -> str:
    """A path for a message: on one line, without control characters, not too long."""
    text = path if path.isprintable() else repr(path)
    return text if len(text) <= 200 else f"{text[:197]}..."
