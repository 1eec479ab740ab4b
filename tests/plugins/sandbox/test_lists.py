"""Lists and discovery: pages, versions, partial metadata, groups and resources."""

from __future__ import annotations

import json

from in_process import CM, Json, apply, ask, config_map, ok, post

from gitopsd_plugins.sandbox.cluster import Cluster

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


def names(listed: Json) -> list[str]:
    return [item["metadata"]["name"] for item in listed["items"]]


def fill(cluster: Cluster, count: int) -> None:
    for index in range(count):
        ok(apply(cluster, config_map(f"m{index}", {"x": "1"}, labels={"set": "s"})))


def test_pages_show_one_moment(cluster: Cluster) -> None:
    fill(cluster, 5)
    first = ok(ask(cluster, "GET", f"{CM}?limit=2"))
    assert (names(first), first["metadata"]["remainingItemCount"]) == (["m0", "m1"], 3)
    ask(cluster, "DELETE", f"{CM}/m3")
    ok(apply(cluster, config_map("m2a", {})))
    second = ok(ask(cluster, "GET", f"{CM}?limit=2&continue={first['metadata']['continue']}"))
    third = ok(ask(cluster, "GET", f"{CM}?limit=2&continue={second['metadata']['continue']}"))
    assert names(second) + names(third) == ["m2", "m3", "m4"]
    assert "continue" not in third["metadata"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_a_forgotten_page_is_410_and_a_false_one_400(cluster: Cluster) -> None:
    fill(cluster, 2)
    token = ok(ask(cluster, "GET", f"{CM}?limit=1"))["metadata"]["continue"]
    cluster.pages.kept.clear()
    answer = ask(cluster, "GET", f"{CM}?limit=1&continue={token}")
    assert (answer.code, json.loads(answer.body)["reason"]) == (410, "Expired")
    assert ask(cluster, "GET", f"{CM}?limit=1&continue=nonsense").code == 400


def test_a_version_that_is_ahead_times_out(cluster: Cluster) -> None:
    answer = ask(cluster, "GET", f"{CM}?resourceVersion=999999")
    assert (answer.code, answer.retry_after) == (504, 1)
    assert ask(cluster, "GET", f"{CM}?resourceVersion=0").code == 200


def test_items_of_built_in_lists_do_not_say_their_kind(cluster: Cluster) -> None:
    fill(cluster, 1)
    [item] = ok(ask(cluster, "GET", CM))["items"]
    assert "kind" not in item
    assert "apiVersion" not in item


def test_partial_metadata_leaves_the_content_out(cluster: Cluster) -> None:
    fill(cluster, 1)
    listed = ok(ask(cluster, "GET", CM, accept=METADATA_LIST))
    assert listed["kind"] == "PartialObjectMetadataList"
    assert set(listed["items"][0]) == {"kind", "apiVersion", "metadata"}


def test_all_namespaces_are_listed_in_order(cluster: Cluster) -> None:
    ok(post(cluster, "/api/v1/namespaces/kube-system/configmaps", config_map("a")))
    ok(post(cluster, CM, config_map("b")))
    assert names(ok(ask(cluster, "GET", "/api/v1/configmaps"))) == ["b", "a"]


def test_discovery_agrees_in_both_forms(cluster: Cluster) -> None:
    document = ok(ask(cluster, "GET", "/apis", accept=AGGREGATED))
    groups = {group["name"]: group for group in ok(ask(cluster, "GET", "/apis"))["groups"]}
    assert {item["metadata"]["name"] for item in document["items"]} == set(groups)
    for item in document["items"]:
        for version in item["versions"]:
            plain = ok(ask(cluster, "GET", f"/apis/{item['metadata']['name']}/{version['version']}"))
            listed = {each["name"] for each in plain["resources"] if "/" not in each["name"]}
            assert listed == {each["resource"] for each in version["resources"]}


def test_openapi_lets_clients_leave_validation_to_the_server(cluster: Cluster) -> None:
    document = ok(ask(cluster, "GET", "/openapi/v3/apis/apps/v1"))
    operation = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert "fieldValidation" in {parameter["name"] for parameter in operation["parameters"]}


def test_every_kind_can_be_listed(cluster: Cluster) -> None:
    count = 0
    for group in cluster.resources.groups():
        for version in cluster.resources.versions(group):
            for resource in cluster.resources.of_version(group, version):
                if "list" in resource.verbs:
                    base = f"/apis/{group}/{version}" if group else f"/api/{version}"
                    assert ask(cluster, "GET", f"{base}/{resource.plural}").code == 200
                    count += 1
    assert count > 50


def test_an_autoscaler_can_be_read_in_both_versions(cluster: Cluster) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    spec = {"scaleTargetRef": target, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50}
    path = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers"
    ok(post(cluster, path.format("v1"), {"metadata": {"name": "h"}, "spec": spec}))
    old = ok(ask(cluster, "GET", path.format("v1") + "/h"))
    new = ok(ask(cluster, "GET", path.format("v2") + "/h"))
    assert old["spec"]["targetCPUUtilizationPercentage"] == 50
    assert new["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 50
