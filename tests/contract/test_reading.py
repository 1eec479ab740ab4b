"""Discovery, get, list and watch, request by request."""

from __future__ import annotations

import pytest
from contract.wire import Wire, config_map, config_maps

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


async def fill(wire: Wire, count: int) -> str:
    namespace = await wire.namespace()
    for index in range(count):
        labels = {"set": "s", "odd": str(index % 2)}
        await wire.make(config_maps(namespace), config_map(f"m{index}", {"x": "1"}, labels=labels))
    return namespace


def names(listed: dict) -> list[str]:
    return [item["metadata"]["name"] for item in listed["items"]]


class TestDiscovery:
    async def test_the_version_is_that_of_the_type_table(self, wire: Wire) -> None:
        heard = await wire.ask("GET", "/version")
        assert (heard.status, heard.body["major"], heard.body["minor"]) == (200, "1", "36")

    @pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
    async def test_probes_say_ok(self, wire: Wire, path: str) -> None:
        heard = await wire.ask("GET", path)
        assert (heard.status, heard.body, heard.kind) == (200, "ok", "text/plain")

    async def test_groups_and_resources_are_listed(self, wire: Wire) -> None:
        assert (await wire.ask("GET", "/api")).body["versions"] == ["v1"]
        groups = (await wire.ask("GET", "/apis")).body
        apps = next(each for each in groups["groups"] if each["name"] == "apps")
        assert apps["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
        assert (await wire.ask("GET", "/apis/apps")).body["kind"] == "APIGroup"
        listed = (await wire.ask("GET", "/apis/apps/v1")).body
        found = {each["name"]: each for each in listed["resources"]}
        assert found["deployments"]["shortNames"] == ["deploy"]
        assert found["deployments"]["categories"] == ["all"]
        assert found["deployments/scale"]["kind"] == "Scale"
        assert sorted(found["deployments/status"]["verbs"]) == ["get", "patch", "update"]

    @pytest.mark.parametrize("path", ["/api", "/apis"])
    async def test_the_aggregated_answer_says_so_in_its_type(self, wire: Wire, path: str) -> None:
        heard = await wire.ask("GET", path, Accept=AGGREGATED)
        assert heard.body["kind"] == "APIGroupDiscoveryList"
        version = heard.body["items"][0]["versions"][0]
        assert version["freshness"] == "Current"
        assert {"resource", "responseKind", "scope", "verbs", "singularResource"} <= set(version["resources"][0])

    async def test_openapi_names_a_document_per_version(self, wire: Wire) -> None:
        paths = (await wire.ask("GET", "/openapi/v3")).body["paths"]
        assert {"api/v1", "apis/apps/v1"} <= set(paths)
        document = (await wire.ask("GET", paths["apis/apps/v1"]["serverRelativeURL"])).body
        patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
        assert "fieldValidation" in [each["name"] for each in patch["parameters"]]
        assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "kind": "Deployment", "version": "v1"}

    async def test_an_unknown_path_is_plain_text(self, wire: Wire) -> None:
        heard = await wire.ask("GET", "/apis/no.such/v1")
        assert (heard.status, heard.body, heard.kind) == (404, "404 page not found\n", "text/plain")


class TestGetAndList:
    async def test_what_is_not_there_is_named(self, wire: Wire) -> None:
        heard = await wire.ask("GET", config_maps("default", "nothing"))
        assert heard.body == {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": 'configmaps "nothing" not found',
            "reason": "NotFound",
            "details": {"name": "nothing", "kind": "configmaps"},
            "code": 404,
        }

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("labelSelector=set%3Ds", ["m0", "m1", "m2", "m3"]),
            ("labelSelector=odd+in+(1,2)", ["m1", "m3"]),
            ("labelSelector=odd+notin+(1),set", ["m0", "m2"]),
            ("labelSelector=!set", ["kube-root-ca.crt"]),
            ("labelSelector=odd>0", ["m1", "m3"]),
            ("fieldSelector=metadata.name%3Dm2", ["m2"]),
            ("fieldSelector=metadata.name!%3Dm2&labelSelector=odd%3D0", ["m0"]),
        ],
    )
    async def test_selectors(self, wire: Wire, query: str, expected: list[str]) -> None:
        namespace = await fill(wire, 4)
        await wire.until(config_maps(namespace, "kube-root-ca.crt"), lambda heard: heard.status == 200)
        assert names((await wire.ask("GET", f"{config_maps(namespace)}?{query}")).body) == expected

    @pytest.mark.parametrize("query", ["labelSelector=a+in", "labelSelector=a%3D-b-", "fieldSelector=no.such%3Da"])
    async def test_a_wrong_selector_is_a_bad_request(self, wire: Wire, query: str) -> None:
        heard = await wire.ask("GET", f"{config_maps('default')}?{query}")
        assert (heard.status, heard.body["reason"]) == (400, "BadRequest")

    async def test_pages_are_of_one_moment(self, wire: Wire) -> None:
        path = f"{config_maps(await fill(wire, 5))}?labelSelector=set&limit=2"
        first = (await wire.ask("GET", path)).body
        second = (await wire.ask("GET", f"{path}&continue={first['metadata']['continue']}")).body
        third = (await wire.ask("GET", f"{path}&continue={second['metadata']['continue']}")).body
        assert [names(each) for each in (first, second, third)] == [["m0", "m1"], ["m2", "m3"], ["m4"]]
        assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        assert "continue" not in third["metadata"]

    async def test_what_is_left_is_counted_without_selectors(self, wire: Wire) -> None:
        namespace = await fill(wire, 3)
        await wire.until(config_maps(namespace, "kube-root-ca.crt"), lambda heard: heard.status == 200)
        first = (await wire.ask("GET", f"{config_maps(namespace)}?limit=1")).body
        assert first["metadata"]["remainingItemCount"] == 3

    async def test_items_of_built_in_lists_have_no_kind(self, wire: Wire) -> None:
        listed = (await wire.ask("GET", f"{config_maps(await fill(wire, 1))}?labelSelector=set")).body
        assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
        assert {"kind", "apiVersion"} & set(listed["items"][0]) == set()

    async def test_metadata_alone(self, wire: Wire) -> None:
        namespace = await fill(wire, 1)
        one = (await wire.ask("GET", config_maps(namespace, "m0"), Accept=PARTIAL)).body
        assert (one["kind"], one["apiVersion"], set(one)) == (
            "PartialObjectMetadata",
            "meta.k8s.io/v1",
            {"kind", "apiVersion", "metadata"},
        )
        many = (await wire.ask("GET", f"{config_maps(namespace)}?labelSelector=set", Accept=PARTIAL_LIST)).body
        assert many["kind"] == "PartialObjectMetadataList"
        assert [set(each) - {"kind", "apiVersion"} for each in many["items"]] == [{"metadata"}]

    async def test_a_table_has_the_columns_of_its_kind(self, wire: Wire) -> None:
        namespace = await fill(wire, 1)
        path = f"{config_maps(namespace)}?labelSelector=set"
        table = (await wire.ask("GET", path, Accept=f"{TABLE},application/json")).body
        assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
        assert [each["name"] for each in table["columnDefinitions"]] == ["Name", "Data", "Age"]
        [row] = table["rows"]
        assert (row["cells"][:2], row["object"]["kind"]) == (["m0", 1], "PartialObjectMetadata")

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/api/v1/pods", "Name Ready Status Restarts Age IP* Node* Nominated-Node* Readiness-Gates*"),
            ("/api/v1/services", "Name Type Cluster-IP External-IP Port(s) Age Selector*"),
            ("/api/v1/secrets", "Name Type Data Age"),
            ("/apis/apps/v1/deployments", "Name Ready Up-to-date Available Age Containers* Images* Selector*"),
            ("/apis/apps/v1/statefulsets", "Name Ready Age Containers* Images*"),
            ("/apis/batch/v1/jobs", "Name Status Completions Duration Age Containers* Images* Selector*"),
            ("/apis/networking.k8s.io/v1/ingresses", "Name Class Hosts Address Ports Age"),
            ("/apis/rbac.authorization.k8s.io/v1/roles", "Name Created-At"),
        ],
    )
    async def test_wide_columns_come_after_the_others(self, wire: Wire, path: str, expected: str) -> None:
        columns = (await wire.ask("GET", f"{path}?limit=1", Accept=TABLE)).body["columnDefinitions"]
        shown = [each["name"].replace(" ", "-") + ("*" if each["priority"] else "") for each in columns]
        assert " ".join(shown) == expected

    @pytest.mark.parametrize(("include", "expected"), [("None", None), ("Object", "ConfigMap")])
    async def test_a_table_carries_what_is_asked_for(self, wire: Wire, include: str, expected: str | None) -> None:
        path = f"{config_maps(await fill(wire, 1), 'm0')}?includeObject={include}"
        [row] = (await wire.ask("GET", path, Accept=TABLE)).body["rows"]
        assert (row.get("object") or {}).get("kind") == expected

    async def test_a_form_that_nobody_speaks_is_406(self, wire: Wire) -> None:
        heard = await wire.ask("GET", config_maps("default"), Accept="text/html")
        assert heard.status == 406


class TestWatch:
    async def test_the_initial_state_ends_with_a_bookmark(self, wire: Wire) -> None:
        namespace = await fill(wire, 1)
        query = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
        async with wire.watch(f"{config_maps(namespace)}?{query}&labelSelector=set") as following:
            first = await following()
            assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "m0")
            bookmark = await following()
        assert bookmark["type"] == "BOOKMARK"
        assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}

    async def test_the_last_state_that_was_selected_is_shown_when_one_leaves(self, wire: Wire) -> None:
        namespace = await fill(wire, 1)
        version = (await wire.ask("GET", config_maps(namespace))).body["metadata"]["resourceVersion"]
        path = f"{config_maps(namespace)}?watch=1&resourceVersion={version}&labelSelector=set%3Ds"
        async with wire.watch(path) as following:
            change = {"metadata": {"labels": {"set": "other"}}, "data": {"x": "2"}}
            changed = await wire.ask("PATCH", config_maps(namespace, "m0"), change, kind="application/merge-patch+json")
            event = await following()
        assert (event["type"], event["object"]["data"]) == ("DELETED", {"x": "1"})
        assert event["object"]["metadata"]["resourceVersion"] == changed.body["metadata"]["resourceVersion"]

    async def test_metadata_alone_can_be_watched(self, wire: Wire) -> None:
        namespace = await fill(wire, 1)
        async with wire.watch(f"{config_maps(namespace)}?watch=1&labelSelector=set", Accept=PARTIAL) as following:
            event = await following()
        assert (event["type"], event["object"]["kind"]) == ("ADDED", "PartialObjectMetadata")

    async def test_a_watch_of_tables_names_its_columns_once(self, wire: Wire) -> None:
        namespace = await fill(wire, 2)
        async with wire.watch(f"{config_maps(namespace)}?watch=1&labelSelector=set", Accept=TABLE) as following:
            first, second = await following(), await following()
        assert [each["object"]["kind"] for each in (first, second)] == ["Table", "Table"]
        assert [each["name"] for each in first["object"]["columnDefinitions"]] == ["Name", "Data", "Age"]
        assert second["object"].get("columnDefinitions") is None
        assert [each["object"]["rows"][0]["cells"][0] for each in (first, second)] == ["m0", "m1"]

    async def test_versions_that_are_not_reached_yet_are_504(self, wire: Wire) -> None:
        heard = await wire.ask("GET", f"{config_maps('default')}?resourceVersion=999999999")
        assert (heard.status, heard.body["reason"]) == (504, "Timeout")
