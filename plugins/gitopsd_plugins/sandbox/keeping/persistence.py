"""Keeps a cluster over restarts: a file with all of it, replaced in one step, and one with a line for each change since.

What changes is written a moment later, so a process that is killed loses no more than that moment; a torn last line is none. Lines
have versions, so that those which the whole file holds already count for nothing. Both files hold Secrets and are readable by their
owner only.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.definitions import crd
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.storage.store import CollectionKey, ObjectKey, Stored, encode

FILE = "cluster.json"
CHANGES = "changes.jsonl"
LOCK = "lock"
FORMAT = 2

Kept = tuple[CollectionKey, ObjectKey]


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep the folder for this process. Raises BlockingIOError where another sandbox runs on it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(f"another sandbox runs on {folder}; stop it, or name another folder") from error
        yield


def forget(folder: Path) -> None:
    """Remove the state that a folder keeps. Raises BlockingIOError where a sandbox runs on it."""
    with held(folder):
        (folder / CHANGES).unlink(missing_ok=True)  # first: without the whole they would be half a cluster
        (folder / FILE).unlink(missing_ok=True)


def save(cluster: Cluster, folder: Path) -> None:
    """Write all of it. The caller holds the folder. Raises OSError, and leaves then what was there."""
    everything = [stored for objects in cluster.store.objects.values() for stored in objects.values()]
    objects = [[*stored.collection, stored.body, stored.unsettled] for stored in everything]
    temporary = folder / f"{FILE}.new"
    try:
        _write_whole(temporary, encode({"format": FORMAT, "version": cluster.store.version, "objects": objects}))
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    temporary.replace(folder / FILE)


def _write_whole(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def lines(cluster: Cluster, changed: Iterable[Kept]) -> bytes:
    """What these objects are now; null for what is gone."""
    found = [_line(cluster.store.version, key, cluster.store.get(*key)) for key in changed]
    return b"".join(encode(each) + b"\n" for each in found)


def _line(version: int, key: Kept, stored: Stored | None) -> list[Any]:
    collection, name = key
    if stored is None:
        return [version, *collection, *name, None, False]
    return [version, *collection, *name, stored.body, stored.unsettled]


def load(cluster: Cluster, folder: Path) -> bool:
    """Read the state; False when there is none. Raises ValueError for a file that is damaged or of another format."""
    path = folder / FILE
    if not path.exists():
        return False
    try:
        document = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        if document["format"] != FORMAT:
            raise ValueError(f"{path} is of format {document['format']}; remove it to start with an empty cluster")
        _put_back(cluster, document)
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}); remove it to start with an empty cluster") from error
    _follow(cluster, folder / CHANGES)
    _resume(cluster)
    return True


def _put_back(cluster: Cluster, document: Json) -> None:
    for group, plural, body, unsettled in document["objects"]:
        metadata = body["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        cluster.store.restore((group, plural), key, body, unsettled=unsettled)
    cluster.store.version = max(document["version"], cluster.store.version)


def _follow(cluster: Cluster, path: Path) -> None:
    """Carry out the changes that came after the whole."""
    if not path.exists():
        return
    whole, start = path.read_bytes().split(b"\n")[:-1], cluster.store.version
    for number, line in enumerate(whole, 1):
        try:
            version, group, plural, namespace, name, body, unsettled = msgspec.json.decode(line)
            if version > start:
                _change(cluster, ((group, plural), (namespace, name)), body, unsettled=unsettled)
                cluster.store.version = version
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            why = "remove it to go on with what was kept before"
            raise ValueError(f"{path} is damaged in line {number} ({error}); {why}") from error


def _change(cluster: Cluster, key: Kept, body: Json | None, *, unsettled: bool) -> None:
    if body is None:
        cluster.store.drop(*key)
    else:
        cluster.store.restore(*key, body, unsettled=unsettled)


def _resume(cluster: Cluster) -> None:
    """Make of the objects what else a cluster knows of them."""
    cluster.store.compact()
    for stored in cluster.store.by_uid.values():
        cluster.dependants.note(stored)
    for stored in list(cluster.store.all(crd.COLLECTION)):
        crd.serve(cluster, stored)
    for stored in cluster.store.all(("", "services")):
        cluster.addresses.note(stored.body["spec"])
