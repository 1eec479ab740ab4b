from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from structlog.testing import LogCapture

from gitopsd.model.errors import Transient
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import LedgerRow
from gitopsd.runtime.journal import Journal

REF = ObjectRef(kind="Kustomization", namespace="flux-system", name="apps")
OTHER = ObjectRef(kind="Kustomization", namespace="flux-system", name="other")


class Disk:
    def __init__(self) -> None:
        self.full = False
        self.rows: list[LedgerRow] = []
        self.statuses: dict[ObjectRef, Mapping[str, Any]] = {}

    def append(self, row: LedgerRow) -> None:
        self._check()
        self.rows.append(row)

    def keep_status(self, ref: ObjectRef, value: Mapping[str, Any]) -> None:
        self._check()
        self.statuses[ref] = value

    def _check(self) -> None:
        if self.full:
            raise Transient("the disk is full; free some space")


def row(revision: str) -> LedgerRow:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return LedgerRow(at=at, ref=REF, cluster="c", revision=revision, plan="", counts={}, actor="gitopsd", reason="")


def test_what_came_of_an_object_is_written_at_once() -> None:
    disk = Disk()

    Journal(disk, structlog.get_logger()).note(REF, status={"ready": True}, row=row("r1"))

    assert disk.statuses == {REF: {"ready": True}}
    assert disk.rows == [row("r1")]


def test_a_full_disk_loses_nothing_and_says_so() -> None:
    disk, seen = Disk(), LogCapture()
    journal = Journal(disk, structlog.wrap_logger(None, processors=[seen]))
    disk.full = True

    journal.note(REF, status={"ready": False}, row=row("r1"))
    journal.note(REF, status={"ready": True}, row=row("r2"))
    journal.note(OTHER, status={"ready": True}, row=None)
    journal.forget(OTHER)
    assert [entry["problem"] for entry in seen.entries] == ["the disk is full; free some space"] * 3

    disk.full = False
    journal.note(REF, status=None, row=None)

    assert disk.rows == [row("r1"), row("r2")]
    assert disk.statuses == {REF: {"ready": True}}
