from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
import structlog
from structlog.testing import LogCapture

from gitopsd.model.change import Applied
from gitopsd.model.digest import Digest
from gitopsd.model.errors import Transient
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.manifest import Body
from gitopsd.model.outcome import LedgerRow
from gitopsd.model.tree import Polled
from gitopsd.runtime.journal import AppOfCluster, Journal, Marks

REF = ObjectRef(kind="Kustomization", namespace="flux-system", name="apps")
OTHER = ObjectRef(kind="Kustomization", namespace="flux-system", name="other")
ONE = ResourceId(group="", kind="ConfigMap", namespace="default", name="one")
TWO = ResourceId(group="", kind="ConfigMap", namespace="default", name="two")
POLLED = Polled(at=datetime(2026, 1, 1, tzinfo=UTC), spec=Digest("spec"))

pytestmark = pytest.mark.asyncio


class Disk:
    def __init__(self) -> None:
        self.full: set[str] = set()
        self.commits = 0
        self.threads: set[int] = set()
        self.rows: list[LedgerRow] = []
        self.statuses: dict[ObjectRef, Mapping[str, Any]] = {}
        self.polls: dict[ObjectRef, Polled] = {}
        self.marks: dict[AppOfCluster, dict[ResourceId, Applied]] = {}
        self.children: dict[ObjectRef, Sequence[Body]] = {}

    def append(self, rows: Sequence[LedgerRow]) -> None:
        self._write("ledger")
        self.rows.extend(rows)

    def keep_statuses(self, statuses: Mapping[ObjectRef, Mapping[str, Any]]) -> None:
        self._write("statuses")
        self.statuses.update(statuses)

    def keep_polls(self, polls: Mapping[ObjectRef, Polled]) -> None:
        self._write("polls")
        self.polls.update(polls)

    def keep_applied(self, marks: Mapping[AppOfCluster, Marks]) -> None:
        self._write("marks")
        for key, changes in marks.items():
            known = self.marks.setdefault(key, {})
            known.update({id: mark for id, mark in changes.items() if mark})
            for id in [id for id, mark in changes.items() if mark is None]:
                known.pop(id, None)

    def keep_children(self, children: Mapping[ObjectRef, Sequence[Body]]) -> None:
        self._write("children")
        self.children.update(children)

    def applied(self, cluster_uid: str) -> Mapping[ObjectRef, Mapping[ResourceId, Applied]]:
        return {app: marks for (cluster, app), marks in self.marks.items() if cluster == cluster_uid}

    def forget(self, ref: ObjectRef) -> None:
        self._write("forget")
        self.statuses.pop(ref, None)
        self.marks = {key: marks for key, marks in self.marks.items() if key[1] != ref}

    def _write(self, what: str) -> None:
        self.threads.add(threading.get_ident())
        if what in self.full:
            raise Transient("the disk is full; free some space")
        self.commits += 1


def row(revision: str) -> LedgerRow:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return LedgerRow(at=at, ref=REF, cluster="c", revision=revision, plan="", counts={}, actor="gitopsd", reason="")


def mark(text: str) -> Applied:
    return Applied(manifest=Digest(text), mark=text)


async def test_what_came_of_objects_is_written_in_one_commit_beside_the_loop() -> None:
    disk = Disk()
    journal = Journal(disk, structlog.get_logger())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.run)
        for number in range(100):
            journal.note(REF, status={"number": number}, row=row(f"r{number}"))
        await journal.flush()
        tasks.cancel_scope.cancel()

    assert disk.statuses == {REF: {"number": 99}}
    assert disk.rows == [row(f"r{number}") for number in range(100)]
    assert disk.commits == 2
    assert threading.get_ident() not in disk.threads


async def test_what_is_noted_is_written_without_being_asked() -> None:
    disk = Disk()
    journal = Journal(disk, structlog.get_logger())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.run)
        journal.note(REF, status={"ready": True}, row=None)
        with anyio.fail_after(10):
            while not disk.statuses:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()

    assert disk.statuses == {REF: {"ready": True}}


@pytest.mark.parametrize("full", ["ledger", "statuses", "polls", "marks"])
async def test_a_full_disk_loses_nothing_writes_nothing_twice_and_says_so(full: str) -> None:
    disk, seen = Disk(), LogCapture()
    journal = Journal(disk, structlog.wrap_logger(None, processors=[seen]))
    disk.full = {full}
    journal.note(REF, status={"ready": False}, row=row("r1"))
    journal.note(OTHER, status={"ready": True}, polled=POLLED)
    journal.keep_applied("uid", REF, {ONE: mark("1")})
    await journal.flush()
    assert [entry["problem"] for entry in seen.entries] == ["the disk is full; free some space"]

    disk.full = set()
    journal.note(REF, status={"ready": True}, row=row("r2"))
    journal.keep_applied("uid", REF, {TWO: mark("2")})
    await journal.flush()

    assert disk.rows == [row("r1"), row("r2")]
    assert disk.statuses == {REF: {"ready": True}, OTHER: {"ready": True}}
    assert disk.polls == {OTHER: POLLED}
    assert disk.marks == {("uid", REF): {ONE: mark("1"), TWO: mark("2")}}


async def test_marks_are_known_at_once_and_only_what_changes_is_written() -> None:
    disk = Disk()
    journal = Journal(disk, structlog.get_logger())
    journal.keep_applied("uid", REF, {ONE: mark("1"), TWO: mark("2")})
    assert journal.applied("uid", REF) == {ONE: mark("1"), TWO: mark("2")}
    await journal.flush()

    journal.keep_applied("uid", REF, {ONE: mark("1")}, gone=[TWO])
    await journal.flush()
    journal.keep_applied("uid", REF, {ONE: mark("1")}, gone=[TWO])
    commits = disk.commits
    await journal.flush()

    assert journal.applied("uid", REF) == {ONE: mark("1")}
    assert disk.marks == {("uid", REF): {ONE: mark("1")}}
    assert disk.commits == commits


async def test_the_marks_of_the_last_run_are_known_and_never_replace_newer_ones() -> None:
    disk = Disk()
    disk.marks = {("uid", REF): {ONE: mark("old")}, ("uid", OTHER): {ONE: mark("old")}, ("else", REF): {}}
    journal = Journal(disk, structlog.get_logger())
    journal.keep_applied("uid", REF, {ONE: mark("new")})

    await journal.know("uid")

    assert journal.applied("uid", REF) == {ONE: mark("new")}
    assert journal.applied("uid", OTHER) == {ONE: mark("old")}


async def test_what_is_forgotten_is_gone_and_may_come_again() -> None:
    disk = Disk()
    journal = Journal(disk, structlog.get_logger())
    journal.note(REF, status={"ready": True}, row=row("r1"))
    journal.keep_applied("uid", REF, {ONE: mark("1")})
    await journal.flush()

    journal.note(REF, status={"ready": False}, row=None)
    journal.forget(REF)
    await journal.flush()
    assert (disk.statuses, disk.marks, journal.applied("uid", REF)) == ({}, {}, {})
    assert disk.rows == [row("r1")]

    journal.forget(REF)
    journal.note(REF, status={"ready": None}, row=None)
    await journal.flush()
    assert disk.statuses == {REF: {"ready": None}}


async def test_children_are_written_and_the_newer_ones_win_over_what_could_not_be() -> None:
    disk = Disk()
    journal = Journal(disk, structlog.get_logger())
    disk.full = {"children"}
    journal.note_children(REF, [{"name": "old"}])
    journal.note_children(OTHER, [{"name": "other"}])
    await journal.flush()
    disk.full = set()
    journal.note_children(REF, [{"name": "new"}])
    journal.forget(OTHER)
    await journal.flush()
    assert disk.children == {REF: [{"name": "new"}]}


async def test_what_is_about_to_be_written_is_not_lost_when_the_writer_is_cancelled() -> None:
    disk = Disk()
    journal = Journal(disk, structlog.get_logger())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.run)
        await anyio.lowlevel.checkpoint()
        journal.note(REF, status={"ready": True}, row=row("r1"))
        await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    await journal.flush()
    assert (disk.rows, disk.statuses) == ([row("r1")], {REF: {"ready": True}})
