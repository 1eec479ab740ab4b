"""What gitopsd relies on from an API server. Where the sandbox answers otherwise than a real one, the sandbox is wrong."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
import pytest
import pytest_asyncio

from gitopsd.plugin import Access, Context
from gitopsd.plugin.conformance.scene import SOON, actor, eventually
from gitopsd_plugins.kubernetes import client as clients
from gitopsd_plugins.kubernetes import live, pages
from gitopsd_plugins.kubernetes.client import APPLY, JSON, JSON_PATCH, METADATA_LIST, Client
from gitopsd_plugins.kubernetes.discovery import AGGREGATED
from gitopsd_plugins.kubernetes.lines import Splitter
from gitopsd_plugins.kubernetes.refusal import Reply

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

Body = dict[str, Any]
MINE = {"team": "a"}
"""Selected by watches here: controllers put objects of their own into a new namespace."""


@pytest_asyncio.fixture
async def client(access: Access, ctx: Context) -> AsyncIterator[Client]:
    """Requests to the server."""
    async with Client(access, actor(), ctx) as opened:
        yield opened


@pytest_asyncio.fixture
async def namespace(client: Client) -> str:
    """A fresh namespace."""
    name = f"c{uuid.uuid4().hex[:10]}"
    reply = await client.send("POST", "/api/v1/namespaces", body={"metadata": {"name": name}})
    assert reply.status == 201
    return name


def config_map(name: str, data: Mapping[str, str], **metadata: Any) -> Body:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": dict(data)}


def path(namespace: str, name: str = "") -> str:
    collection = f"/api/v1/namespaces/{namespace}/configmaps"
    return f"{collection}/{name}" if name else collection


async def apply(client: Client, namespace: str, body: Body, manager: str = "gitopsd", **params: str) -> Reply:
    query = {"fieldManager": manager, "force": "true", **params}
    where = path(namespace, body["metadata"]["name"])
    return await client.send("PATCH", where, params=query, body=body, content_type=APPLY)


async def replace(client: Client, namespace: str, body: Mapping[str, Any], manager: str) -> Reply:
    where = path(namespace, body["metadata"]["name"])
    return await client.send("PUT", where, params={"fieldManager": manager}, body=body)


async def definition(client: Client) -> str:
    """The path of a kind that is defined just now, as soon as it answers."""
    group = f"{uuid.uuid4().hex[:10]}.example.com"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    spec = {
        "group": group,
        "scope": "Namespaced",
        "names": {"kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
    }
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": spec,
    }
    where = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.{group}"
    created = await client.send("PATCH", where, params={"fieldManager": "x"}, body=body, content_type=APPLY)
    assert created.status == 201, created.message

    async def is_served() -> bool:
        return (await client.get(f"/apis/{group}/v1/things")).ok

    await eventually(is_served)
    return f"/apis/{group}/v1/things"


def mark(body: Mapping[str, Any]) -> str:
    return live.mark(body, "gitopsd")


def managers(reply: Reply) -> list[tuple[str, str]]:
    return [(e["manager"], e["operation"]) for e in reply.body["metadata"].get("managedFields", [])]


@asynccontextmanager
async def events(client: Client, where: str, **params: str) -> AsyncIterator[Callable[[], Any]]:
    """A watch; call it for the next event."""
    async with client.stream(where, {"watch": "true", **params}, silence=30) as response:
        splitter, waiting = Splitter(), list[Any]()
        pieces = response.content.iter_any()

        async def following() -> Any:
            with anyio.fail_after(SOON):
                while not waiting:
                    waiting.extend(msgspec.json.decode(line) for line in splitter.feed(await anext(pieces)))
            return waiting.pop(0)

        yield following


class TestServerSideApply:
    async def test_an_apply_creates_and_owns_what_it_states(self, client: Client, namespace: str) -> None:
        reply = await apply(client, namespace, config_map("a", {"x": "1"}))
        assert reply.status == 201
        assert managers(reply) == [("gitopsd", "Apply")]
        [entry] = reply.body["metadata"]["managedFields"]
        assert entry["fieldsType"] == "FieldsV1"
        assert entry["fieldsV1"]["f:data"] == {"f:x": {}}

    async def test_applying_the_same_again_is_no_write(self, client: Client, namespace: str) -> None:
        first = await apply(client, namespace, config_map("a", {"x": "1"}))
        again = await apply(client, namespace, config_map("a", {"x": "1"}))
        assert again.status == 200
        assert again.body["metadata"] == first.body["metadata"]

    async def test_a_field_that_is_left_out_goes_unless_another_owns_it_too(
        self, client: Client, namespace: str
    ) -> None:
        await apply(client, namespace, config_map("a", {"x": "1", "y": "1"}))
        await apply(client, namespace, config_map("a", {"y": "1"}), manager="other")
        reply = await apply(client, namespace, config_map("a", {}))
        assert reply.body["data"] == {"y": "1"}

    async def test_a_conflict_without_force_names_the_other_manager(self, client: Client, namespace: str) -> None:
        await apply(client, namespace, config_map("a", {"x": "1"}))
        reply = await apply(client, namespace, config_map("a", {"x": "2"}), manager="other", force="false")
        assert (reply.status, reply.reason) == (409, "Conflict")
        assert "gitopsd" in reply.message

    async def test_a_second_apply_under_the_same_manager_steals_silently(self, client: Client, namespace: str) -> None:
        await apply(client, namespace, config_map("a", {"x": "1"}))
        reply = await apply(client, namespace, config_map("a", {"x": "2"}), force="false")
        assert reply.body["data"] == {"x": "2"}

    async def test_a_dry_run_answers_with_the_result_and_writes_nothing(self, client: Client, namespace: str) -> None:
        reply = await apply(client, namespace, config_map("a", {"x": "1"}), dryRun="All")
        assert reply.ok
        assert reply.body["data"] == {"x": "1"}
        assert (await client.get(path(namespace, "a"))).status == 404
        first = await apply(client, namespace, config_map("a", {"x": "1"}))
        await apply(client, namespace, config_map("a", {"x": "2"}), dryRun="All")
        assert (await client.get(path(namespace, "a"))).body == first.body

    async def test_an_apply_into_a_missing_namespace_names_the_namespace(self, client: Client) -> None:
        reply = await apply(client, "no-such-namespace", config_map("a", {}))
        assert (reply.status, reply.reason) == (404, "NotFound")
        assert reply.body["details"]["kind"] == "namespaces"
        assert reply.body["details"]["name"] == "no-such-namespace"

    async def test_an_unknown_kind_is_404_without_details(self, client: Client, namespace: str) -> None:
        reply = await client.get(f"/apis/no.such/v1/namespaces/{namespace}/things/a")
        assert reply.status == 404
        assert not reply.body.get("details")

    async def test_an_invalid_object_is_422(self, client: Client, namespace: str) -> None:
        body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 99999}]}}
        where = f"/api/v1/namespaces/{namespace}/services/a"
        reply = await client.send("PATCH", where, params={"fieldManager": "x"}, body=body, content_type=APPLY)
        assert (reply.status, reply.reason) == (422, "Invalid")
        assert reply.message.startswith('Service "a" is invalid: ')
        assert "spec.ports[0].port: Invalid value: 99999" in reply.message

    async def test_a_change_of_a_selector_is_told_as_immutable(self, client: Client, namespace: str) -> None:
        def deployment(label: str) -> Body:
            pod = {"metadata": {"labels": {"app": label}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
            spec = {"replicas": 0, "selector": {"matchLabels": {"app": label}}, "template": pod}
            return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec}

        where = f"/apis/apps/v1/namespaces/{namespace}/deployments/a"
        params = {"fieldManager": "gitopsd", "force": "true"}
        first = await client.send("PATCH", where, params=params, body=deployment("a"), content_type=APPLY)
        assert first.status == 201
        reply = await client.send("PATCH", where, params=params, body=deployment("b"), content_type=APPLY)
        assert (reply.status, reply.reason) == (422, "Invalid")
        assert "field is immutable" in reply.message


class TestMark:
    """The hash of our own Apply entry's fields and time tells drift, and nothing else."""

    async def test_it_changes_when_another_changes_our_field(self, client: Client, namespace: str) -> None:
        before = await apply(client, namespace, config_map("a", {"x": "1"}))
        after = await replace(client, namespace, {**before.body, "data": {"x": "2"}}, "kubectl-edit")
        assert mark(after.body) != mark(before.body)

    async def test_it_changes_when_another_removes_our_field(self, client: Client, namespace: str) -> None:
        before = await apply(client, namespace, config_map("a", {"x": "1", "y": "1"}))
        after = await replace(client, namespace, {**before.body, "data": {"y": "1"}}, "kubectl-edit")
        assert mark(after.body) != mark(before.body)

    async def test_it_stays_when_another_adds_a_field(self, client: Client, namespace: str) -> None:
        before = await apply(client, namespace, config_map("a", {"x": "1"}))
        after = await replace(client, namespace, {**before.body, "data": {"x": "1", "y": "1"}}, "kubectl-edit")
        assert after.body["data"] == {"x": "1", "y": "1"}
        assert mark(after.body) == mark(before.body)

    async def test_it_stays_when_another_applies_the_same_value(self, client: Client, namespace: str) -> None:
        before = await apply(client, namespace, config_map("a", {"x": "1"}))
        after = await apply(client, namespace, config_map("a", {"x": "1"}), manager="other", force="false")
        assert mark(after.body) == mark(before.body)


class TestTakeover:
    async def test_ownership_can_be_moved_by_a_patch_of_managed_fields(self, client: Client, namespace: str) -> None:
        created = await client.send(
            "POST",
            path(namespace),
            params={"fieldManager": "kubectl-create"},
            body=config_map("a", {"x": "1", "y": "1"}),
        )
        [entry] = created.body["metadata"]["managedFields"]
        moved = {**entry, "manager": "gitopsd", "operation": "Apply"}
        patch = [
            {
                "op": "replace",
                "path": "/metadata/resourceVersion",
                "value": created.body["metadata"]["resourceVersion"],
            },
            {"op": "replace", "path": "/metadata/managedFields", "value": [moved]},
        ]
        reply = await client.send("PATCH", path(namespace, "a"), body=patch, content_type=JSON_PATCH)
        assert managers(reply) == [("gitopsd", "Apply")]
        reply = await apply(client, namespace, config_map("a", {"x": "1"}))
        assert reply.body["data"] == {"x": "1"}

    async def test_a_patch_that_states_an_old_version_is_refused(self, client: Client, namespace: str) -> None:
        first = await apply(client, namespace, config_map("a", {"x": "1"}))
        await apply(client, namespace, config_map("a", {"x": "2"}))
        patch = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": first.body["metadata"]["resourceVersion"]},
            {"op": "replace", "path": "/metadata/managedFields", "value": [{}]},
        ]
        reply = await client.send("PATCH", path(namespace, "a"), body=patch, content_type=JSON_PATCH)
        assert (reply.status, reply.reason) == (409, "Conflict")


class TestWritesWithPreconditions:
    async def test_a_second_creation_is_refused(self, client: Client, namespace: str) -> None:
        await client.send("POST", path(namespace), body=config_map("a", {}))
        reply = await client.send("POST", path(namespace), body=config_map("a", {}))
        assert (reply.status, reply.reason) == (409, "AlreadyExists")

    async def test_an_update_of_an_old_version_is_refused(self, client: Client, namespace: str) -> None:
        first = await client.send("POST", path(namespace), body=config_map("a", {}))
        await replace(client, namespace, {**first.body, "data": {"x": "1"}}, "one")
        reply = await replace(client, namespace, {**first.body, "data": {"x": "2"}}, "two")
        assert (reply.status, reply.reason) == (409, "Conflict")

    async def test_an_update_of_what_is_gone_is_refused(self, client: Client, namespace: str) -> None:
        first = await client.send("POST", path(namespace), body=config_map("a", {}))
        await client.send("DELETE", path(namespace, "a"))
        reply = await replace(client, namespace, first.body, "one")
        assert reply.status in {404, 409}

    @pytest.mark.parametrize("wrong", [{"uid": "00000000-0000-0000-0000-000000000000"}, {"resourceVersion": "1"}])
    async def test_a_deletion_with_a_wrong_precondition_is_refused(
        self, client: Client, namespace: str, wrong: Body
    ) -> None:
        await apply(client, namespace, config_map("a", {}))
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": wrong}
        reply = await client.send("DELETE", path(namespace, "a"), body=options)
        assert (reply.status, reply.reason) == (409, "Conflict")
        assert (await client.get(path(namespace, "a"))).ok

    async def test_a_deletion_with_the_right_preconditions_succeeds(self, client: Client, namespace: str) -> None:
        metadata = (await apply(client, namespace, config_map("a", {}))).body["metadata"]
        right = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": right,
            "propagationPolicy": "Background",
        }
        assert (await client.send("DELETE", path(namespace, "a"), body=options)).ok
        assert (await client.get(path(namespace, "a"))).status == 404

    async def test_a_finalizer_keeps_a_deleted_object_until_it_is_removed(self, client: Client, namespace: str) -> None:
        await apply(client, namespace, config_map("a", {}, finalizers=["example.com/hold"]))
        assert (await client.send("DELETE", path(namespace, "a"))).ok
        held = await client.get(path(namespace, "a"))
        assert held.body["metadata"]["deletionTimestamp"]
        await apply(client, namespace, config_map("a", {}))
        assert (await client.get(path(namespace, "a"))).status == 404


class TestWatch:
    async def test_a_watch_from_a_lists_version_tells_what_came_after(self, client: Client, namespace: str) -> None:
        await apply(client, namespace, config_map("a", {}))
        version = (await client.get(path(namespace))).body["metadata"]["resourceVersion"]
        async with events(client, path(namespace), resourceVersion=version, labelSelector="team=a") as following:
            await apply(client, namespace, config_map("b", {}, labels=MINE))
            event = await following()
            assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "b")
            await apply(client, namespace, config_map("b", {"x": "1"}, labels=MINE))
            assert (await following())["type"] == "MODIFIED"
            await client.send("DELETE", path(namespace, "b"))
            assert (await following())["type"] == "DELETED"

    async def test_an_apply_that_changes_nothing_sends_no_event(self, client: Client, namespace: str) -> None:
        first = await apply(client, namespace, config_map("a", {"x": "1"}, labels=MINE))
        version = first.body["metadata"]["resourceVersion"]
        async with events(client, path(namespace), resourceVersion=version, labelSelector="team=a") as following:
            await apply(client, namespace, config_map("a", {"x": "1"}, labels=MINE))
            await apply(client, namespace, config_map("b", {}, labels=MINE))
            assert (await following())["object"]["metadata"]["name"] == "b"

    async def test_an_object_that_loses_its_label_is_deleted_to_a_selecting_watch(
        self, client: Client, namespace: str
    ) -> None:
        first = await apply(client, namespace, config_map("a", {"x": "1"}, labels=MINE))
        version = first.body["metadata"]["resourceVersion"]
        async with events(client, path(namespace), resourceVersion=version, labelSelector="team=a") as following:
            await replace(client, namespace, config_map("a", {"x": "1"}), "kubectl-edit")
            event = await following()
            assert event["type"] == "DELETED"
            assert (await client.get(path(namespace, "a"))).ok

    async def test_a_watch_from_a_forgotten_version_is_told_410_inside_a_200(
        self, client: Client, namespace: str
    ) -> None:
        # A real server forgets what was before a kind was defined, the sandbox (as it is served here) after 200 events.
        where = await definition(client)
        for number in range(210):
            await apply(client, namespace, config_map("a", {"x": str(number)}))
        async with events(client, where, resourceVersion="1", timeoutSeconds="5") as following:
            event = await following()
            assert event["type"] == "ERROR"
            assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")

    async def test_a_single_object_can_be_watched_by_its_name(self, client: Client, namespace: str) -> None:
        version = (await client.get(path(namespace))).body["metadata"]["resourceVersion"]
        only = "metadata.name=b"
        async with events(client, path(namespace), resourceVersion=version, fieldSelector=only) as following:
            await apply(client, namespace, config_map("a", {}))
            await apply(client, namespace, config_map("b", {}))
            assert (await following())["object"]["metadata"]["name"] == "b"

    async def test_a_watch_ends_when_its_time_is_over(self, client: Client, namespace: str) -> None:
        version = (await client.get(path(namespace))).body["metadata"]["resourceVersion"]
        only = {"labelSelector": "team=a", "timeoutSeconds": "1"}
        async with events(client, path(namespace), resourceVersion=version, **only) as following:
            with pytest.raises(StopAsyncIteration):
                await following()


class TestLists:
    async def test_a_long_list_comes_in_pages(self, client: Client, namespace: str) -> None:
        for number in range(5):
            await apply(client, namespace, config_map(f"c{number}", {}, labels={"team": "a"}))
        first = await client.get(path(namespace), {"limit": "2", "labelSelector": "team=a"})
        assert len(first.body["items"]) == 2
        assert first.body["metadata"]["continue"]
        whole = await pages.read(client, path(namespace), {"labelSelector": "team=a"}, lambda c: c["metadata"]["name"])
        assert list(whole.items) == [f"c{number}" for number in range(5)]
        assert whole.resource_version

    async def test_a_label_can_be_required_and_forbidden(self, client: Client, namespace: str) -> None:
        await apply(client, namespace, config_map("a", {}, labels={"team": "a", "app": "x"}))
        await apply(client, namespace, config_map("b", {}, labels={"team": "a"}))
        names = {}
        for selector in ("team=a,app", "team=a,!app"):
            found = await client.get(path(namespace), {"labelSelector": selector})
            names[selector] = [item["metadata"]["name"] for item in found.body["items"]]
        assert names == {"team=a,app": ["a"], "team=a,!app": ["b"]}

    async def test_metadata_alone_can_be_listed(self, client: Client, namespace: str) -> None:
        await apply(client, namespace, config_map("a", {"x": "1"}, labels={"team": "a"}))
        found = await client.get(path(namespace), {"labelSelector": "team=a"}, accept=METADATA_LIST)
        assert found.body["kind"] == "PartialObjectMetadataList"
        [item] = found.body["items"]
        assert item["metadata"]["uid"]
        assert "data" not in item


class TestDiscovery:
    async def test_the_aggregated_answer_has_kinds_scopes_and_verbs(self, client: Client) -> None:
        reply = await client.get("/apis", accept=AGGREGATED)
        assert reply.body["kind"] == "APIGroupDiscoveryList"
        [apps] = [item for item in reply.body["items"] if item["metadata"]["name"] == "apps"]
        resources = {r["resource"]: r for r in apps["versions"][0]["resources"]}
        assert resources["deployments"]["responseKind"]["kind"] == "Deployment"
        assert resources["deployments"]["scope"] == "Namespaced"
        assert {"get", "list", "watch", "patch", "delete"} <= set(resources["deployments"]["verbs"])

    async def test_the_classic_answer_lists_groups(self, client: Client) -> None:
        reply = await client.get("/apis", accept=JSON)
        assert reply.body["kind"] == "APIGroupList"
        assert "apps" in [group["name"] for group in reply.body["groups"]]
        resources = (await client.get("/apis/apps/v1")).body["resources"]
        assert ("deployments", True) in [(r["name"], r["namespaced"]) for r in resources]

    async def test_rights_can_be_asked_for_without_writing(self, client: Client) -> None:
        attributes = {"verb": "create", "resource": "configmaps", "namespace": "default"}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        where = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        reply = await client.send("POST", where, params=clients.dry({}), body=body)
        assert reply.status == 201
        assert reply.body["status"]["allowed"] is True
