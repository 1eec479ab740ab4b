"""Tables for people: columns by kind, ages as kubectl writes them, paths of custom columns."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from in_process import APPLY, CM, Json, ask, config_map, ok, post

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.views import columns

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def rows(document: Json) -> list[list[object]]:
    assert document["kind"] == "Table"
    return [row["cells"] for row in document["rows"]]


def test_a_list_is_a_table_for_who_asks(cluster: Cluster) -> None:
    ok(post(cluster, CM, config_map("a", {"x": "1"})))
    listed = ok(ask(cluster, "GET", CM, accept=TABLE))
    assert [column["name"] for column in listed["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert [row[:2] for row in rows(listed)] == [["a", 1]]
    assert rows(ok(ask(cluster, "GET", f"{CM}/a", accept=TABLE)))[0][:2] == ["a", 1]


def test_writes_are_answered_with_objects(cluster: Cluster) -> None:
    body = json.dumps(config_map("a")).encode()
    assert ok(ask(cluster, "PATCH", f"{CM}/a?fieldManager=m", body, APPLY, TABLE))["kind"] == "ConfigMap"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(5, "5s"), (119, "119s"), (130, "2m10s"), (700, "11m"), (11_000, "3h3m"), (40_000, "11h"), (800_000, "9d")],
)
def test_ages(seconds: int, shown: str) -> None:
    now = datetime(2026, 1, 20, tzinfo=UTC)
    assert columns.age((now - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ"), now) == shown


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.size", 3),
        ('.status.conditions[?(@.type=="Ready")].status', "True"),
        (".status.conditions[1].type", "Ready"),
        (".metadata.labels['a.b/c']", "d"),
        (".spec.none.at.all", None),
        (".status.conditions[9].type", None),
    ],
)
def test_paths_of_columns(path: str, found: object) -> None:
    conditions = [{"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}]
    body = {"spec": {"size": 3}, "status": {"conditions": conditions}, "metadata": {"labels": {"a.b/c": "d"}}}
    assert columns.at(body, path) == found
