"""A folder of the person who asks for a plan, in the place of what a source would fetch. Links stay behind; nothing of it is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec
from msgspec.structs import replace

from gitopsd.model.errors import Rejected, UsageError
from gitopsd.model.tree import Changes, Entry, File, Folder
from gitopsd.plugin.context import Context
from gitopsd.plugin.folder import LocalFolder
from gitopsd.plugin.sources import ignore
from gitopsd.plugin.tree import MAX_DEPTH, Content, Intake, Stored

MAX_ENTRIES = 250_000
MAX_FILE = 256 << 20
_BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """The files of a folder by their paths, without what version control keeps for itself."""

    files: dict[str, File]
    read: Callable[[File], bytes]
    """The bytes of one of them."""

    def store(self, paths: Iterator[str], intake: Intake) -> Stored:
        """These files as a tree in the store."""
        entries: dict[str, Entry | None] = {}
        while batch := list(islice(paths, _BATCH)):
            kept = intake.add([Content(data=self.read(self.files[path])) for path in batch])
            for path, file in zip(batch, kept, strict=True):
                entries[path] = replace(file, executable=self.files[path].executable)
        return intake.put(Changes(entries=entries))


def read(folder: str) -> Local:
    """List a folder. Raises `UsageError` where there is none, `Rejected` and `Transient` for what cannot be taken."""
    if not Path(folder).is_dir():
        raise UsageError(f"{folder}: no such folder")
    local, rules = LocalFolder(Path(folder), max_file=MAX_FILE), ignore.of_patterns(ignore.read("\n".join(ignore.VCS)))
    files: dict[str, File] = {}
    count = 0
    todo = [("", Folder(digest=local.root))]
    while todo:
        at, found = todo.pop()
        if at.count("/") > MAX_DEPTH:
            raise Rejected(f"{folder}/{at}: deeper than {MAX_DEPTH} folders; nest them less")
        for name, entry in local.node(found.digest).items():
            path = f"{at}{name}"
            if rules.excludes(path.split("/"), directory=isinstance(entry, Folder)):
                continue
            count += 1
            if isinstance(entry, Folder):
                todo.append((f"{path}/", entry))
            elif isinstance(entry, File):
                files[path] = entry
        if count > MAX_ENTRIES:
            raise Rejected(f"{folder}: more than {MAX_ENTRIES:,} files and folders; name a smaller folder")
    return Local(files=files, read=lambda file: local.blob(file.digest))


async def stored(folder: Path, ctx: Context, *, timeout: float) -> Stored:
    """All of a folder as a tree in the store."""
    answer = await ctx.work.run("gitopsd.plugin.sources.local:job", str(folder).encode(), timeout=timeout)
    return msgspec.msgpack.decode(answer, type=Stored)


def job(payload: bytes, intake: Intake) -> bytes:
    """What a worker process does of it."""
    found = read(payload.decode())
    return msgspec.msgpack.encode(found.store(iter(sorted(found.files)), intake))
