"""What was applied last, and the mark that the object had then: equal manifest and equal mark, nothing to do.

A cache of what observing would find: losing it costs one observation, never a wrong decision.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from gitopsd.model.change import Applied
from gitopsd.model.digest import Digest
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.store.database import Database


def of_cluster(database: Database, cluster_uid: str) -> Mapping[ObjectRef, Mapping[ResourceId, Applied]]:
    """Everything that was applied to this cluster, by app, as far as it is known."""
    query = 'SELECT app, "group", kind, namespace, name, manifest, mark FROM applied WHERE cluster = ?'
    found: dict[ObjectRef, dict[ResourceId, Applied]] = {}
    with database.read() as connection:
        for app, group, kind, namespace, name, digest, mark in connection.execute(query, (cluster_uid,)):
            id = ResourceId(group=group, kind=kind, namespace=namespace, name=name)
            found.setdefault(ObjectRef.parse(app), {})[id] = Applied(manifest=Digest(digest), mark=mark)
    return found


def keep(database: Database, marks: Mapping[tuple[str, ObjectRef], Mapping[ResourceId, Applied | None]]) -> None:
    """Add or replace marks by cluster and app, and drop those that are None, in one transaction."""
    gone, new = [], []
    for (cluster, app), changes in marks.items():
        for id, mark in changes.items():
            key = (cluster, str(app), id.group, id.kind, id.namespace, id.name)
            if mark is None:
                gone.append(key)
            else:
                new.append((*key, mark.manifest, mark.mark))
    with database.write() as connection:
        connection.executemany(
            'DELETE FROM applied WHERE cluster = ? AND app = ? AND "group" = ? AND kind = ? AND namespace = ? AND name = ?',
            gone,
        )
        connection.executemany("INSERT OR REPLACE INTO applied VALUES (?, ?, ?, ?, ?, ?, ?, ?)", new)


def forget(connection: sqlite3.Connection, app: ObjectRef) -> None:
    """Drop an app's entries in every cluster. Inside a write transaction."""
    connection.execute("DELETE FROM applied WHERE app = ?", (str(app),))
