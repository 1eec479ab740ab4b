"""What runs in a worker process: a bucket's revision, and its objects into the store.

Objects are read a few at a time, large ones by way of the disk, and kept in batches, so that what was brought before an error need not be brought again.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import IO

from gitopsd.plugin import Changes, Content, Entry, File, Intake, Rejected, Transient
from gitopsd.plugin.sources import ignore, local
from gitopsd_plugins.bucket import index, order, remote
from gitopsd_plugins.bucket.index import Found
from gitopsd_plugins.bucket.order import FolderOrder, Order
from gitopsd_plugins.bucket.place import FAILED
from gitopsd_plugins.bucket.remote import Gone, Remote

READERS = 8
SMALL = 64 << 10
"""Bytes of an object up to which a file on the disk is not worth it."""
BATCH_FILES = 512
BATCH_BYTES = 16 << 20


def revision(payload: bytes, intake: Intake) -> bytes:
    """The revision of an `Order`'s bucket now."""
    given = order.decode(payload, Order)
    with remote.opened(given) as bucket:
        return index.revision(_listed(given, bucket, intake), given.provider).encode("ascii")


def fetch(payload: bytes, intake: Intake) -> bytes:
    """Run an `Order`: the objects of its revision as a tree, in the store."""
    given = order.decode(payload, Order)
    with remote.opened(given) as bucket:
        found = _listed(given, bucket, intake)
        if index.revision(found, given.provider) != given.revision:
            raise Transient(f"{given.place} changed while it was read; it is asked again", reason=FAILED)
        entries: dict[str, Entry | None] = dict(_entries(given, bucket, found, intake))
    return order.encode(intake.put(Changes(entries=entries)))


def folder(payload: bytes, intake: Intake) -> bytes:
    """Run a `FolderOrder`: what a bucket with this folder in it would give."""
    given = order.decode(payload, FolderOrder)
    there = local.read(given.folder)
    own = there.files.get(ignore.FILE)
    text = there.read(own)[: ignore.MAX_BYTES].decode("utf-8", "replace") if own else ""
    listing = [Found(name=path, etag="", size=file.size) for path, file in there.files.items()]
    kept = index.kept(listing, given.prefix, index.rules(text, given.ignore), given.limits, given.folder)
    return order.encode(there.store(iter(kept), intake))


def _listed(given: Order, bucket: Remote, intake: Intake) -> Mapping[str, Found]:
    listing = list(bucket.listing())
    own = next((entry for entry in listing if entry.name == ignore.FILE), None)
    text = "" if own is None and not given.prefix else _ignores(given, bucket, own, intake)
    return index.kept(listing, given.prefix, index.rules(text, given.ignore), given.limits, given.place)


def _ignores(given: Order, bucket: Remote, own: Found | None, intake: Intake) -> str:
    """The text of the root `.sourceignore`; where a prefix hides it from the listing, it is asked for."""
    if own is not None and own.size > ignore.MAX_BYTES:
        raise Rejected(f"{ignore.FILE}: more than {ignore.MAX_BYTES >> 20} MiB", reason=FAILED)
    if own is not None:
        file = _entries(given, bucket, {own.name: own}, intake)[own.name]
        return intake.blob(file.digest).decode("utf-8", "replace")
    try:
        bucket.read(ignore.FILE, text := io.BytesIO(), limit=ignore.MAX_BYTES)
    except Gone:
        return ""
    return text.getvalue().decode("utf-8", "replace")


def _entries(given: Order, bucket: Remote, found: Mapping[str, Found], intake: Intake) -> Mapping[str, File]:
    """All objects as files: what the store knows is not read."""
    known = intake.known([_key(given, entry) for entry in found.values()])
    here = {name: known[key] for name, entry in found.items() if (key := _key(given, entry)) in known}
    return {**here, **_brought(given, bucket, {n: e for n, e in found.items() if n not in here}, intake)}


def _brought(given: Order, bucket: Remote, missing: Mapping[str, Found], intake: Intake) -> Mapping[str, File]:
    brought: dict[str, File] = {}
    for batch in _batches(missing):
        with ExitStack() as opened, ThreadPoolExecutor(READERS) as readers:
            files = [opened.enter_context(SpooledTemporaryFile(SMALL, dir=given.spool)) for _ in batch]
            there = readers.map(partial(_read, bucket), batch, files)
            whole = [(entry, file) for entry, file, came in zip(batch, files, there, strict=True) if came]
            # one after the other into memory, as the store takes them
            kept = intake.add(Content(data=_all(file), key=_key(given, entry)) for entry, file in whole)
        brought.update(zip((entry.name for entry, _ in whole), kept, strict=True))
    return brought


def _read(bucket: Remote, entry: Found, into: IO[bytes]) -> bool:
    """False for an empty object that is not there: a folder's mark, whose name ends in a slash that the listing hides."""
    try:
        bucket.read(entry.name, into, entry.etag, limit=entry.size)
    except Gone:
        if entry.size:
            raise
        return False
    return True


def _all(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _batches(missing: Mapping[str, Found]) -> Iterator[list[Found]]:
    batch: list[Found] = []
    size = 0
    for entry in missing.values():
        batch.append(entry)
        size += entry.size
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _key(given: Order, entry: Found) -> str:
    """The native id under which the store knows the bytes."""
    return f"bucket:{given.known_as}:{entry.etag}:{entry.size}:{entry.name}"
