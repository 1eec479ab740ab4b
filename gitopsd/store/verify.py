"""Looking at every byte: `gitopsd store verify`. What is damaged or incomplete is dropped, so that it is fetched again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gitopsd.model.digest import of_bytes
from gitopsd.store import blobs, damage, nodes, rendered, retention
from gitopsd.store.address import pack, unpack
from gitopsd.store.database import Database

_CHUNK = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How much was looked at, and one sentence per thing that was found wrong; `dropped` counts artifacts."""

    blobs: int
    nodes: int
    rendered: int
    artifacts: int
    dropped: int
    problems: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """True where nothing was wrong."""
        return not self.problems


def verify(database: Database) -> Report:
    """Check the database file, every blob, node, rendered set and artifact, and drop what is damaged or incomplete."""
    bad: dict[bytes, str] = {}
    problems = _integrity(database)
    blob_count = _check_blobs(database, bad)
    node_count = _check_nodes(database, bad)
    artifacts = _check_artifacts(database, bad)
    dropped = damage.drop(database, bad) if bad else 0
    rendered_count, stale = _check_rendered(database)
    return Report(
        blobs=blob_count,
        nodes=node_count,
        rendered=rendered_count,
        artifacts=artifacts,
        dropped=dropped,
        problems=(*problems, *bad.values(), *stale),
    )


def _integrity(database: Database) -> list[str]:
    with database.read() as connection:
        lines = [line for (line,) in connection.execute("PRAGMA integrity_check(20)")]
    return [] if lines == ["ok"] else [f"{database.path}: {line}" for line in lines]


def _chunks(database: Database, table: str, columns: str) -> Iterator[list[tuple[Any, ...]]]:
    """All rows by rising id, without keeping a reader open in between."""
    last = 0
    while True:
        with database.read() as connection:
            query = f"SELECT id, {columns} FROM {table} WHERE id > ? ORDER BY id LIMIT ?"
            rows = connection.execute(query, (last, _CHUNK)).fetchall()
        if not rows:
            return
        last = rows[-1][0]
        yield rows


def _check_blobs(database: Database, bad: dict[bytes, str]) -> int:
    count = 0
    for rows in _chunks(database, "blob", "digest"):
        for _, digest in rows:
            stored = blobs.find(database, digest)
            count += stored is not None
            if stored and blobs.check(database, digest, *stored) is None:
                bad[digest] = f"file content {unpack(digest)} is damaged"
    return count


def _check_nodes(database: Database, bad: dict[bytes, str]) -> int:
    count = 0
    for rows in _chunks(database, "node", "digest, CAST(data AS BLOB)"):
        count += len(rows)
        folders: set[bytes] = set()
        files: set[bytes] = set()
        for _, digest, data in rows:
            if pack(of_bytes(data)) != digest:
                bad[digest] = f"directory {unpack(digest)} is damaged"
                continue
            below, beside = nodes.references(data)
            folders.update(below)
            files.update(beside)
        _check_present(database, "node", folders, bad)
        _check_present(database, "blob", files, bad)
    return count


def _check_present(database: Database, table: str, digests: set[bytes], bad: dict[bytes, str]) -> None:
    with database.read() as connection:
        found = retention.present(connection, table, digests)
    for digest in digests - found.keys() - bad.keys():
        bad[digest] = f"content {unpack(digest)} is missing"


def _check_artifacts(database: Database, bad: dict[bytes, str]) -> int:
    with database.read() as connection:
        trees = [tree for (tree,) in connection.execute("SELECT tree FROM artifact")]
    _check_present(database, "node", set(trees), bad)
    return len(trees)


def _check_rendered(database: Database) -> tuple[int, list[str]]:
    count, problems = 0, []
    for rows in _chunks(database, "rendered", "key, digest, CAST(data AS BLOB)"):
        count += len(rows)
        for number, key, digest, data in rows:
            if rendered.decode(digest, data) is None:
                problems.append(f"rendered set {key} is damaged")
                with database.write() as connection:
                    connection.execute("DELETE FROM rendered WHERE id = ?", (number,))
    return count, problems
