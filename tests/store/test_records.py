"""Marks of applied objects, status, generations, and the ledger."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitopsd.model.change import Applied
from gitopsd.model.digest import of_bytes
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.outcome import LedgerRow
from gitopsd.model.tree import Polled
from gitopsd.store import Store

APP = ObjectRef(kind="Kustomization", namespace="flux-system", name="app")
OTHER = ObjectRef(kind="Kustomization", namespace="flux-system", name="other")
ONE = ResourceId(group="apps", kind="Deployment", namespace="default", name="one")
TWO = ResourceId(group="", kind="Namespace", namespace="", name="two")


def applied(text: str) -> Applied:
    return Applied(manifest=of_bytes(text.encode()), mark=f"mark of {text}")


def row(number: int, ref: ObjectRef = APP) -> LedgerRow:
    return LedgerRow(
        at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number),
        ref=ref,
        cluster="production",
        revision=f"main@sha1:{number}",
        plan="sha256:1",
        counts={"create": number},
        actor="gitopsd",
        reason="new revision",
    )


def test_marks_are_kept_by_cluster_and_app(store: Store) -> None:
    store.keep_applied({("uid-1", APP): {ONE: applied("1"), TWO: applied("2")}, ("uid-2", APP): {ONE: applied("3")}})
    store.keep_applied({("uid-1", OTHER): {ONE: applied("4")}})

    assert store.applied("uid-1") == {APP: {ONE: applied("1"), TWO: applied("2")}, OTHER: {ONE: applied("4")}}
    assert store.applied("uid-2") == {APP: {ONE: applied("3")}}
    assert store.applied("uid-3") == {}


def test_marks_are_replaced_and_removed_together(store: Store) -> None:
    store.keep_applied({("uid", APP): {ONE: applied("1"), TWO: applied("2")}})

    store.keep_applied({("uid", APP): {ONE: applied("new"), TWO: None}})

    assert store.applied("uid") == {APP: {ONE: applied("new")}}


def test_children_are_kept_by_parent_until_it_declares_none_or_is_forgotten(store: Store) -> None:
    one, two = {"kind": "Kustomization", "metadata": {"name": "one"}}, {"kind": "Kustomization"}
    store.keep_children({APP: [two], OTHER: [two]})
    store.keep_children({APP: [one, two]})
    assert store.children() == {APP: [one, two], OTHER: [two]}

    store.keep_children({OTHER: []})
    assert store.children() == {APP: [one, two]}

    store.forget(APP)
    assert store.children() == {}


def test_polls_are_kept_by_source_until_it_is_forgotten(store: Store) -> None:
    at = datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)
    first, second = Polled(at=at, spec=of_bytes(b"1")), Polled(at=at, spec=of_bytes(b"2"), failing=True)
    store.keep_polls({APP: first, OTHER: first})
    store.keep_polls({OTHER: second})
    assert store.polls() == {APP: first, OTHER: second}

    store.forget(APP)
    assert store.polls() == {OTHER: second}


def test_status_is_kept_by_object(store: Store) -> None:
    store.keep_statuses({OTHER: {"conditions": []}})
    store.keep_statuses({APP: {"observedGeneration": 1}})
    store.keep_statuses({APP: {"observedGeneration": 2, "conditions": [{"type": "Ready"}]}})

    assert store.status(APP) == {"observedGeneration": 2, "conditions": [{"type": "Ready"}]}
    assert list(store.statuses()) == [APP, OTHER]


def test_an_unknown_object_has_no_status(store: Store) -> None:
    assert store.status(APP) is None


def test_the_generation_grows_when_the_spec_changes(store: Store) -> None:
    specs = [of_bytes(text) for text in (b"a", b"a", b"b", b"b", b"a")]

    assert [store.generations({APP: spec})[APP] for spec in specs] == [1, 1, 2, 2, 3]
    assert store.generations({APP: specs[-1], OTHER: specs[0]}) == {APP: 3, OTHER: 1}


def test_forgetting_leaves_only_the_ledger(store: Store) -> None:
    store.keep_statuses({APP: {}})
    store.generations({APP: of_bytes(b"a")})
    store.generations({APP: of_bytes(b"b")})
    store.keep_applied({("uid", APP): {ONE: applied("1")}})
    store.append([row(1)])

    store.forget(APP)

    assert store.status(APP) is None
    assert store.applied("uid") == {}
    assert store.generations({APP: of_bytes(b"b")}) == {APP: 1}
    assert store.ledger(10) == (row(1),)


def test_the_ledger_gives_its_latest_rows_first(store: Store) -> None:
    for number in range(4):
        store.append([row(number, OTHER if number % 2 else APP)])

    assert store.ledger(3) == (row(3, OTHER), row(2), row(1, OTHER))
    assert store.ledger(3, APP) == (row(2), row(0))


def test_the_ledger_is_append_only(store: Store, folder: Path) -> None:
    store.append([row(1)])
    connection = sqlite3.connect(folder / "ledger.db")

    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute("DELETE FROM ledger")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute("UPDATE ledger SET ref = ''")
    connection.close()
