"""What was applied last, and the mark that the object had then: equal manifest and equal mark, nothing to do.

A cache of what observing would find: losing it costs one observation, never a wrong decision.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping

from gitopsd.model.change import Applied
from gitopsd.model.digest import Digest
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.store.database import Database


def of_app(database: Database, cluster_uid: str, app: ObjectRef) -> Mapping[ResourceId, Applied]:
    """Everything that this app applied to this cluster, as far as it is known."""
    query = 'SELECT "group", kind, namespace, name, manifest, mark FROM applied WHERE cluster = ? AND app = ?'
    with database.read() as connection:
        rows = connection.execute(query, (cluster_uid, str(app))).fetchall()
    return {
        ResourceId(group=group, kind=kind, namespace=namespace, name=name): Applied(manifest=Digest(digest), mark=mark)
        for group, kind, namespace, name, digest, mark in rows
    }


def keep(
    database: Database,
    cluster_uid: str,
    app: ObjectRef,
    entries: Mapping[ResourceId, Applied],
    removed: Collection[ResourceId] = (),
) -> None:
    """Add or replace entries, and drop those of removed objects, in one transaction."""
    if not entries and not removed:
        return
    where = (cluster_uid, str(app))
    with database.write() as connection:
        connection.executemany(
            'DELETE FROM applied WHERE cluster = ? AND app = ? AND "group" = ? AND kind = ? AND namespace = ? AND name = ?',
            [(*where, id.group, id.kind, id.namespace, id.name) for id in removed],
        )
        connection.executemany(
            "INSERT OR REPLACE INTO applied VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(*where, i.group, i.kind, i.namespace, i.name, a.manifest, a.mark) for i, a in entries.items()],
        )


def forget(connection: sqlite3.Connection, app: ObjectRef) -> None:
    """Drop an app's entries in every cluster. Inside a write transaction."""
    connection.execute("DELETE FROM applied WHERE app = ?", (str(app),))
