"""Laws of server-side apply, on generated manifests."""

from __future__ import annotations

import json
from typing import Any

import in_process
from hypothesis import given, settings
from hypothesis import strategies as st
from in_process import CM, Json, apply, config_map, ok

from gitopsd_plugins.sandbox.cluster import Cluster

keys = st.sampled_from(["a", "b", "c", "d"])
data = st.dictionaries(keys, st.sampled_from(["1", "2"]), max_size=4)
some = st.dictionaries(keys, st.sampled_from(["1", "2"]), min_size=1, max_size=4)
"""An empty map is a leaf that a real server does not keep, so that a second manager of it conflicts."""

containers = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["x", "y", "z"]), "image": st.sampled_from(["i:1", "i:2"])},
        optional={
            "env": st.lists(st.sampled_from(["A", "B"]), unique=True).map(
                lambda n: [{"name": e, "value": "1"} for e in n]
            ),
            "args": st.lists(st.sampled_from(["p", "q"]), max_size=2),
        },
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda container: container["name"],
)

CLUSTER = in_process.cluster()
"""One cluster for all examples, because its making costs more than they do."""

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def fresh(plural: str, path: str) -> Cluster:
    in_process.ask(CLUSTER, "DELETE", path)
    return CLUSTER


def deployment(items: list[Json]) -> Json:
    template = {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": items}}
    spec = {"selector": {"matchLabels": {"app": "d"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}


def owned_keys(body: Json, manager: str) -> set[str]:
    entries = [each for each in body["metadata"].get("managedFields", []) if each["manager"] == manager]
    return {name[2:] for each in entries for name in each["fieldsV1"].get("f:data", {}) if name != "."}


@given(data)
def test_applying_the_same_again_changes_nothing(given_data: Json) -> None:
    cluster = fresh("configmaps", f"{CM}/m")
    first = ok(apply(cluster, config_map("m", given_data)))
    version = cluster.store.version
    assert ok(apply(cluster, config_map("m", given_data))) == first
    assert cluster.store.version == version


@given(containers)
@settings(max_examples=50)
def test_applying_the_same_workload_again_changes_nothing(items: list[Json]) -> None:
    cluster = fresh("deployments", f"{DEPLOYMENTS}/d")
    first = ok(apply(cluster, deployment(items), path=DEPLOYMENTS))
    version = cluster.store.version
    assert ok(apply(cluster, deployment(items), path=DEPLOYMENTS)) == first
    assert cluster.store.version == version


@given(containers, containers)
@settings(max_examples=50)
def test_the_last_apply_of_a_sole_manager_decides(before: list[Json], after: list[Json]) -> None:
    cluster = fresh("deployments", f"{DEPLOYMENTS}/d")
    ok(apply(cluster, deployment(after), path=DEPLOYMENTS))
    wanted = ok(in_process.ask(cluster, "GET", f"{DEPLOYMENTS}/d"))["spec"]
    fresh("deployments", f"{DEPLOYMENTS}/d")
    ok(apply(cluster, deployment(before), path=DEPLOYMENTS))
    assert ok(apply(cluster, deployment(after), path=DEPLOYMENTS))["spec"] == wanted


@given(data, data)
def test_a_field_that_is_no_longer_stated_goes(before: Json, after: Json) -> None:
    cluster = fresh("configmaps", f"{CM}/m")
    ok(apply(cluster, config_map("m", before)))
    assert (ok(apply(cluster, config_map("m", after))).get("data") or {}) == after


@given(some, some)
def test_two_managers_share_equal_fields_and_conflict_on_others(one: Json, two: Json) -> None:
    cluster = fresh("configmaps", f"{CM}/m")
    ok(apply(cluster, config_map("m", one), "one"))
    answer = apply(cluster, config_map("m", two), "two")
    contested = {key for key in one.keys() & two.keys() if one[key] != two[key]}
    if contested:
        causes = json.loads(answer.body)["details"]["causes"]
        assert {cause["field"] for cause in causes} == {f".data.{key}" for key in contested}
        answer = apply(cluster, config_map("m", two), "two", force=True)
    body = ok(answer)
    assert owned_keys(body, "two") == set(two)
    assert owned_keys(body, "one") == set(one) - contested
    assert body.get("data", {}) == {**one, **two}


@given(some, some, some)
def test_what_one_gives_up_stays_while_another_owns_it(one: Json, two: Json, less: Json) -> None:
    cluster = fresh("configmaps", f"{CM}/m")
    ok(apply(cluster, config_map("m", one), "one"))
    ok(apply(cluster, config_map("m", two), "two", force=True))
    body = ok(apply(cluster, config_map("m", less), "one", force=True))
    expected: dict[str, Any] = {**two, **less}
    assert body.get("data", {}) == expected


@given(some, some)
def test_an_update_owns_what_it_changed(before: Json, after: Json) -> None:
    cluster = fresh("configmaps", f"{CM}/m")
    ok(apply(cluster, config_map("m", before), "one"))
    url = f"{CM}/m?fieldManager=editor"
    body = ok(in_process.ask(cluster, "PUT", url, json.dumps(config_map("m", after)).encode()))
    changed = {key for key in after if before.get(key) != after[key]}
    assert owned_keys(body, "editor") == changed
    assert owned_keys(body, "one") == {key for key in before if before[key] == after.get(key)}
