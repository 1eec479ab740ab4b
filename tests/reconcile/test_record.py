"""The record in the cluster is kept in step with what others write to it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
from fakes.things import APP, AT, CLUSTER, id_of, manifest, record

from gitopsd.model.errors import Conflict
from gitopsd.model.identity import ObjectRef
from gitopsd.model.inventory import Inventory, Suspension
from gitopsd.reconcile import inventory
from gitopsd.reconcile import record as records
from gitopsd.reconcile.world import Board

pytestmark = pytest.mark.asyncio


@dataclass
class Cluster:
    """Keeps one record by its token, as an API server does; `meanwhile` are writes of others before ours."""

    kept: Inventory | None = None
    uid: str = CLUSTER
    writes: int = 0
    meanwhile: list[Inventory] = field(default_factory=list)

    async def inventory(self, app: ObjectRef) -> Inventory | None:
        return self.kept

    async def remember(self, wanted: Inventory) -> Inventory:
        if self.meanwhile:
            self.kept = replace(self.meanwhile.pop(0), token=f"other-{len(self.meanwhile)}")
        if wanted.token != (self.kept.token if self.kept else ""):
            raise Conflict("changed")
        self.writes += 1
        self.kept = replace(wanted, token=f"ours-{self.writes}")
        return self.kept


def world() -> Any:
    return SimpleNamespace(board=Board())


def grown(i: Inventory) -> Inventory:
    return inventory.before(i, [manifest("new")])


async def test_what_would_change_nothing_is_not_written() -> None:
    cluster, here = Cluster(kept=record("a")), world()
    known = await records.read(APP, cluster, here)  # type: ignore[arg-type]
    assert await records.written(known, lambda i: i, cluster, here) == record("a")  # type: ignore[arg-type]
    assert cluster.writes == 0


async def test_a_record_of_another_cluster_counts_as_none_and_is_replaced() -> None:
    cluster, here = Cluster(kept=replace(record("a"), cluster_uid="another", token="7")), world()
    known = await records.read(APP, cluster, here)  # type: ignore[arg-type]
    assert (known.owned, known.cluster_uid, known.token) == ({}, CLUSTER, "7")
    assert (await records.written(known, grown, cluster, here)).owned.keys() == {id_of("new")}  # type: ignore[arg-type]


async def test_what_others_wrote_meanwhile_is_merged() -> None:
    held = Suspension(actor="ada", since=AT)
    cluster, here = Cluster(kept=record("a")), world()
    known = await records.read(APP, cluster, here)  # type: ignore[arg-type]
    cluster.meanwhile = [replace(record("a", "b"), suspension=held), record("a", "c")]
    written = await records.written(known, grown, cluster, here)  # type: ignore[arg-type]
    assert {id.name for id in written.owned} == {"a", "b", "c", "new"}
    assert here.board.inventories[APP] == written == cluster.kept


async def test_a_record_that_was_deleted_is_written_anew() -> None:
    cluster, here = Cluster(kept=None), world()
    written = await records.written(record("a"), grown, cluster, here)  # type: ignore[arg-type]
    assert {id.name for id in written.owned} == {"a", "new"}


async def test_a_record_that_keeps_changing_is_given_up_with_a_question() -> None:
    cluster, here = Cluster(kept=record("a")), world()
    cluster.meanwhile = [record(f"x{number}") for number in range(9)]
    with pytest.raises(Conflict, match="is another gitopsd at work here"):
        await records.written(record("a"), grown, cluster, here)  # type: ignore[arg-type]


async def test_an_attempt_that_writes_nothing_forgets_no_decision_made_meanwhile() -> None:
    cluster, here = Cluster(kept=record("a")), world()
    known = await records.read(APP, cluster, here)  # type: ignore[arg-type]
    held = Suspension(actor="ada", since=AT)
    await records.written(known, lambda i: replace(i, suspension=held), cluster, here)  # type: ignore[arg-type]
    left = await records.written(known, lambda i: i, cluster, here)  # type: ignore[arg-type]
    assert left.suspension == here.board.inventories[APP].suspension == held
