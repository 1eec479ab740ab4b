"""What runs in a worker process: a repository's index from a file into the store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader

import msgspec

from gitopsd.plugin import Changes, Content, Entry, Intake, Transient, digest
from gitopsd_plugins.helm import entries, index
from gitopsd_plugins.helm.index import Chart

BATCH = 512
BATCH_BYTES = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Put the index in this file into the store; `revision` is the digest of its bytes."""

    file: str
    revision: str


def store(payload: bytes, intake: Intake) -> bytes:
    """Run an `Order`: one file for each chart, so that an unchanged chart costs nothing."""
    order = msgspec.msgpack.decode(payload, type=Order)
    tree: dict[str, Entry | None] = {}
    with open(order.file, "rb") as file:
        for batch in _batches(index.charts(file)):
            tree.update(_added(batch, intake))
        if _digest(file) != order.revision:
            raise Transient("the index changed on the disk while it was read; it is fetched again")
    return msgspec.msgpack.encode(intake.put(Changes(entries=tree)))


def _added(batch: list[tuple[str, bytes]], intake: Intake) -> Iterator[tuple[str, Entry]]:
    keys = [digest.of_bytes(data) for _, data in batch]
    known = dict(intake.known(list(dict.fromkeys(keys))))
    fresh = {key: data for key, (_, data) in zip(keys, batch, strict=True) if key not in known}
    known.update(zip(fresh, intake.add(Content(data=data, key=key) for key, data in fresh.items()), strict=True))
    for key, (path, _) in zip(keys, batch, strict=True):
        yield path, known[key]


def _batches(found: Iterator[Chart]) -> Iterator[list[tuple[str, bytes]]]:
    batch: list[tuple[str, bytes]] = []
    size = 0
    for name, versions in found:
        data = entries.encode(versions)
        batch.append((entries.path(name), data))
        size += len(data)
        if len(batch) >= BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _digest(file: BufferedReader) -> str:
    file.seek(0)
    return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
