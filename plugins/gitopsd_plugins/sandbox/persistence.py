"""Keeps a cluster over restarts: one JSON file, replaced in one step at a clean end. A crash loses what came after it.

Enough for a sandbox that is played with; nothing in the engine relies on it. The file holds Secrets and is readable by
its owner only.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gitopsd_plugins.sandbox import crd
from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.schema import Json
from gitopsd_plugins.sandbox.store import encode

FILE = "cluster.json"
LOCK = "lock"
FORMAT = 1


@contextmanager
def held(folder: Path | None) -> Iterator[None]:
    """Keep the folder for this process. Raises BlockingIOError where another sandbox runs on it."""
    if folder is None:
        yield
        return
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
        (folder / FILE).unlink(missing_ok=True)


def save(cluster: Cluster, folder: Path) -> None:
    """Write the state. The caller holds the folder."""
    objects = [[*stored.collection, stored.body] for held in cluster.store.objects.values() for stored in held.values()]
    document = {"format": FORMAT, "version": cluster.store.version, "objects": objects}
    temporary = folder / f"{FILE}.new"
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(encode(document))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / FILE)


def load(cluster: Cluster, folder: Path) -> bool:
    """Read the state; False when there is none. Raises ValueError for a file that is damaged or of another format."""
    path = folder / FILE
    if not path.exists():
        return False
    try:
        document = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
        if document["format"] != FORMAT:
            raise ValueError(f"{path} is of format {document['format']}; remove it to start with an empty cluster")
        _restore(cluster, document)
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}); remove it to start with an empty cluster") from error
    return True


def _restore(cluster: Cluster, document: Json) -> None:
    for group, plural, body in document["objects"]:
        metadata = body["metadata"]
        cluster.store.restore((group, plural), (metadata.get("namespace", ""), metadata["name"]), body)
    cluster.store.version = max(document["version"], cluster.store.version)
    cluster.store.compact()
    for stored in cluster.store.by_uid.values():
        cluster.dependants.note(stored)
    for stored in list(cluster.store.all(crd.COLLECTION)):
        crd.serve(cluster, stored)
    for stored in cluster.store.all(("", "services")):
        cluster.addresses.used.add(stored.body["spec"].get("clusterIP", ""))
