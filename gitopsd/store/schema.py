"""The tables of both databases. The number of a schema stands in the file itself (`PRAGMA user_version`).

Content and its bookkeeping are separate tables, so that marking a blob as used, and looking for unused ones, never moves
bytes. `touched` is the time of the last use in seconds since 1970. A native id names its bytes by their digest: where there is no
such blob it says nothing, so that blobs go without a look at who names them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What a database holds. `durable`: each commit reaches the disk before it returns."""

    version: int
    script: str
    durable: bool


CACHE = Schema(
    version=5,
    durable=False,
    script="""
        CREATE TABLE blob (
            id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, form INTEGER NOT NULL,
            kept INTEGER NOT NULL, touched INTEGER NOT NULL);
        CREATE TABLE bytes (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
        CREATE TABLE native (key TEXT PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE node (
            id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, data BLOB NOT NULL, size INTEGER NOT NULL,
            files INTEGER NOT NULL, touched INTEGER NOT NULL);
        CREATE TABLE epoch (number INTEGER NOT NULL);
        INSERT INTO epoch VALUES (0);
        CREATE TABLE artifact (id INTEGER PRIMARY KEY, source TEXT NOT NULL, tree BLOB NOT NULL, body BLOB NOT NULL);
        CREATE INDEX artifact_by_source ON artifact (source);
        CREATE TABLE rendered (
            id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, app TEXT NOT NULL, intent TEXT NOT NULL,
            outline BLOB NOT NULL, digest BLOB NOT NULL, data BLOB NOT NULL);
        CREATE INDEX rendered_by_app ON rendered (app, intent);
        CREATE TABLE applied (
            cluster TEXT NOT NULL, app TEXT NOT NULL, "group" TEXT NOT NULL, kind TEXT NOT NULL,
            namespace TEXT NOT NULL, name TEXT NOT NULL, manifest TEXT NOT NULL, mark TEXT NOT NULL,
            UNIQUE (cluster, app, "group", kind, namespace, name));
        CREATE TABLE status (ref TEXT NOT NULL UNIQUE, body BLOB NOT NULL);
        CREATE TABLE polled (
            source TEXT NOT NULL UNIQUE, at REAL NOT NULL, spec TEXT NOT NULL, failing INTEGER NOT NULL);
        CREATE TABLE child (parent TEXT NOT NULL UNIQUE, bodies BLOB NOT NULL);
        CREATE TABLE generation (ref TEXT NOT NULL UNIQUE, spec TEXT NOT NULL, number INTEGER NOT NULL);
    """,
)

LEDGER = Schema(
    version=1,
    durable=True,
    script="""
        CREATE TABLE ledger (id INTEGER PRIMARY KEY, ref TEXT NOT NULL, body BLOB NOT NULL);
        CREATE INDEX ledger_by_ref ON ledger (ref);
        CREATE TRIGGER ledger_keeps_rows BEFORE UPDATE ON ledger
            BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
        CREATE TRIGGER ledger_keeps_all BEFORE DELETE ON ledger
            BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
    """,
)
