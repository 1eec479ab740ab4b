"""What happens around objects: deletion, garbage, namespaces, generation, fields that stay, custom kinds, tenancy."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from contract.wire import (
    APPLY,
    DEFINITIONS,
    MERGE,
    Json,
    Wire,
    config_map,
    config_maps,
    definition,
    deployment,
    deployments,
)

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]


def owned_by(owner: Json) -> list[Json]:
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
    return [{**reference, "uid": owner["metadata"]["uid"], "blockOwnerDeletion": True}]


def is_gone(heard: Any) -> bool:
    return bool(heard.status == 404)


class TestDeletion:
    async def family(self, wire: Wire) -> str:
        namespace = await wire.namespace()
        owner = await wire.make(config_maps(namespace), config_map("owner"))
        await wire.make(config_maps(namespace), config_map("child", ownerReferences=owned_by(owner)))
        return namespace

    async def test_a_status_tells_what_is_gone(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        made = await wire.make(config_maps(namespace), config_map("a"))
        heard = await wire.ask("DELETE", config_maps(namespace, "a"))
        assert heard.body["status"] == "Success"
        assert heard.body["details"] == {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]}

    async def test_background_takes_the_children_afterwards(self, wire: Wire) -> None:
        namespace = await self.family(wire)
        await wire.ask("DELETE", config_maps(namespace, "owner"), {"propagationPolicy": "Background"})
        assert is_gone(await wire.ask("GET", config_maps(namespace, "owner")))
        await wire.until(config_maps(namespace, "child"), is_gone)

    async def test_foreground_keeps_the_owner_until_its_children_are_gone(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        owner = await wire.make(config_maps(namespace), config_map("owner"))
        held = config_map("child", ownerReferences=owned_by(owner), finalizers=["example.com/hold"])
        await wire.make(config_maps(namespace), held)
        heard = await wire.ask("DELETE", config_maps(namespace, "owner"), {"propagationPolicy": "Foreground"})
        assert heard.body["metadata"]["finalizers"] == ["foregroundDeletion"]
        child = config_maps(namespace, "child")
        await wire.until(child, lambda heard: "deletionTimestamp" in heard.body["metadata"])
        assert (await wire.ask("GET", config_maps(namespace, "owner"))).status == 200
        await wire.ask("PATCH", child, {"metadata": {"finalizers": None}}, kind=MERGE)
        await wire.until(config_maps(namespace, "owner"), is_gone)
        assert is_gone(await wire.ask("GET", child))

    async def test_orphan_sets_the_children_free(self, wire: Wire) -> None:
        namespace = await self.family(wire)
        await wire.ask("DELETE", config_maps(namespace, "owner"), {"propagationPolicy": "Orphan"})
        await wire.until(config_maps(namespace, "owner"), is_gone)
        child = (await wire.ask("GET", config_maps(namespace, "child"))).body
        assert "ownerReferences" not in child["metadata"]

    async def test_a_collection_is_deleted_by_selector(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        for name, team in (("a", "x"), ("b", "x"), ("c", "y")):
            await wire.make(config_maps(namespace), config_map(name, labels={"team": team}))
        heard = await wire.ask("DELETE", f"{config_maps(namespace)}?labelSelector=team%3Dx")
        assert [each["metadata"]["name"] for each in heard.body["items"]] == ["a", "b"]
        left = (await wire.ask("GET", f"{config_maps(namespace)}?labelSelector=team")).body["items"]
        assert [each["metadata"]["name"] for each in left] == ["c"]

    async def test_what_is_being_deleted_is_in_the_way_of_a_new_one(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        await wire.make(config_maps(namespace), config_map("a", finalizers=["example.com/hold"]))
        await wire.ask("DELETE", config_maps(namespace, "a"))
        heard = await wire.ask("POST", config_maps(namespace), config_map("a"))
        assert (heard.status, heard.body["reason"]) == (409, "AlreadyExists")
        assert "is being deleted" in heard.body["message"]
        heard = await wire.ask(
            "PATCH", config_maps(namespace, "a"), {"metadata": {"finalizers": ["example.com/new"]}}, kind=MERGE
        )
        assert (heard.status, set(heard.causes)) == (422, {"metadata.finalizers"})

    @pytest.mark.parametrize("options", [{"propagationPolicy": "Sideways"}, {"preconditions": {"uid": "x"}}])
    async def test_wrong_options_delete_nothing(self, wire: Wire, options: Json) -> None:
        namespace = await wire.namespace()
        await wire.make(config_maps(namespace), config_map("a"))
        assert (await wire.ask("DELETE", config_maps(namespace, "a"), options)).status in (409, 422)
        assert (await wire.ask("GET", config_maps(namespace, "a"))).status == 200


class TestNamespaces:
    async def test_a_new_one_is_furnished(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        found = lambda heard: heard.status == 200  # noqa: E731 - a name for what is asked twice
        await wire.until(f"/api/v1/namespaces/{namespace}/serviceaccounts/default", found)
        await wire.until(config_maps(namespace, "kube-root-ca.crt"), found)
        body = (await wire.ask("GET", f"/api/v1/namespaces/{namespace}")).body
        assert body["metadata"]["labels"] == {"kubernetes.io/metadata.name": namespace}
        assert (body["spec"]["finalizers"], body["status"]["phase"]) == (["kubernetes"], "Active")

    async def test_a_deleted_one_takes_its_content_along_and_takes_nothing_new(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        path = f"/api/v1/namespaces/{namespace}"
        await wire.make(config_maps(namespace), config_map("held", finalizers=["example.com/hold"]))
        heard = await wire.ask("DELETE", path)
        assert (heard.status, heard.body["status"]["phase"]) == (200, "Terminating")
        heard = await wire.ask("POST", config_maps(namespace), config_map("new"))
        assert (heard.status, heard.body["reason"]) == (403, "Forbidden")
        assert heard.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"
        await wire.until(config_maps(namespace, "held"), lambda each: "deletionTimestamp" in each.body["metadata"])
        remaining = {"NamespaceContentRemaining", "NamespaceFinalizersRemaining"}
        await wire.until(path, lambda each: remaining <= _true(each.body))
        await wire.ask("PATCH", config_maps(namespace, "held"), {"metadata": {"finalizers": None}}, kind=MERGE)
        await wire.until(path, is_gone)

    @pytest.mark.parametrize("name", ["default", "kube-system"])
    async def test_some_stay(self, wire: Wire, name: str) -> None:
        heard = await wire.ask("DELETE", f"/api/v1/namespaces/{name}")
        assert (heard.status, heard.body["reason"]) == (403, "Forbidden")


def _true(body: Json) -> set[str]:
    conditions = (body.get("status") or {}).get("conditions") or ()
    return {each["type"] for each in conditions if each["status"] == "True"}


CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
POD = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
FIXED: list[tuple[str, Json, Json]] = [
    ("apis/apps/v1/%s/deployments", deployment("a"), {"spec": {"selector": {"matchLabels": {"app": None, "x": "y"}}}}),
    ("api/v1/%s/services", {"spec": {"ports": [{"port": 80}]}}, {"spec": {"clusterIP": "10.0.0.250"}}),
    ("apis/batch/v1/%s/jobs", {"spec": {"suspend": True, "template": {"spec": POD}}}, {"spec": {"completions": 2}}),
    ("api/v1/%s/persistentvolumeclaims", {"spec": CLAIM}, {"spec": {"accessModes": ["ReadOnlyMany"]}}),
    ("api/v1/%s/configmaps", {"immutable": True, "data": {"x": "1"}}, {"data": {"x": "2"}}),
    ("api/v1/%s/secrets", {"immutable": True, "data": {"x": "MQ=="}}, {"immutable": False}),
    ("api/v1/%s/secrets", {"type": "example.com/a"}, {"type": "example.com/b"}),
]


class TestFieldsThatStay:
    @pytest.mark.parametrize(("path", "body", "change"), FIXED, ids=[each[0].rpartition("/")[2] for each in FIXED])
    async def test_a_change_is_invalid(self, wire: Wire, path: str, body: Json, change: Json) -> None:
        collection = "/" + path % f"namespaces/{await wire.namespace()}"
        made = await wire.make(collection, {**body, "metadata": {"name": "a"}})
        heard = await wire.ask("PATCH", f"{collection}/a", change, kind=MERGE)
        assert (heard.status, heard.body["reason"]) == (422, "Invalid")
        left = (await wire.ask("GET", f"{collection}/a")).body
        assert left["metadata"]["uid"] == made["metadata"]["uid"]
        assert left.get("data") == made.get("data")

    async def test_the_generation_counts_changes_of_the_spec_only(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        path = deployments(namespace, "a")
        assert (await wire.make(deployments(namespace), deployment("a")))["metadata"]["generation"] == 1
        for change, expected in (
            ({"metadata": {"labels": {"x": "y"}}}, 1),
            ({"spec": {"paused": True}}, 2),
            ({"spec": {"paused": True}}, 2),
        ):
            heard = await wire.ask("PATCH", path, change, kind=MERGE)
            assert heard.body["metadata"]["generation"] == expected


def things(group: str) -> str:
    return f"/apis/{group}/v1/things"


async def define(wire: Wire, **version: Any) -> str:
    """A new cluster-wide kind `Thing`, established."""
    group = f"w{uuid.uuid4().hex[:10]}.example.com"
    spec = {
        "type": "object",
        "properties": {"size": {"type": "integer", "minimum": 1}, "mode": {"type": "string", "default": "x"}},
    }
    status = {"type": "object", "properties": {"ready": {"type": "boolean"}}}
    schema = {"type": "object", "properties": {"spec": spec, "status": status}}
    await wire.make(DEFINITIONS, definition(group, schema, **version))
    path = f"{DEFINITIONS}/things.{group}"
    found = await wire.until(path, lambda heard: "Established" in _true(heard.body))
    assert found["status"]["acceptedNames"] == {
        "kind": "Thing", "listKind": "ThingList", "plural": "things", "singular": "thing",
    }  # fmt: skip
    await wire.until(things(group), lambda heard: heard.status == 200)
    return group


def thing(group: str, name: str, **content: Any) -> Json:
    return {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": name}, **content}


class TestCustomKinds:
    async def test_objects_are_pruned_filled_and_checked(self, wire: Wire) -> None:
        group = await define(wire)
        body = thing(group, "a", spec={"size": 1, "other": {"x": 1}})
        heard = await wire.ask("POST", things(group), body)
        assert (heard.status, heard.body["spec"]) == (201, {"mode": "x", "size": 1})
        assert heard.warnings == ('299 - "unknown field \\"spec.other\\""',)
        heard = await wire.ask("POST", f"{things(group)}?fieldValidation=Strict", body)
        assert (heard.status, 'unknown field "spec.other"' in heard.body["message"]) == (400, True)
        heard = await wire.ask("POST", things(group), thing(group, "b", spec={"size": 0}))
        assert (heard.status, heard.causes) == (422, ["spec.size"])
        heard = await wire.ask("POST", things(group), thing(group, "b", spec={"size": "big"}))
        assert (heard.status, heard.causes) == (422, ["spec.size"])

    async def test_it_is_found_by_discovery(self, wire: Wire) -> None:
        group = await define(wire)
        listed = await wire.until(f"/apis/{group}/v1", lambda heard: heard.status == 200)
        assert [each["name"] for each in listed["resources"]] == ["things"]

    async def test_a_status_subresource_keeps_both_apart_and_a_generation(self, wire: Wire) -> None:
        group = await define(wire, subresources={"status": {}})
        made = await wire.make(things(group), thing(group, "a", spec={"size": 1}, status={"ready": True}))
        assert ("status" in made, made["metadata"]["generation"]) == (False, 1)
        path = f"{things(group)}/a"
        change = {"status": {"ready": True}, "spec": {"size": 2}}
        heard = await wire.ask("PATCH", f"{path}/status", change, kind=MERGE)
        assert (heard.body["status"], heard.body["spec"]["size"]) == ({"ready": True}, 1)
        heard = await wire.ask("PATCH", path, change, kind=MERGE)
        assert (heard.body["spec"]["size"], heard.body["metadata"]["generation"]) == (2, 2)

    async def test_an_update_must_state_the_version(self, wire: Wire) -> None:
        group = await define(wire)
        await wire.make(things(group), thing(group, "a"))
        heard = await wire.ask("PUT", f"{things(group)}/a", thing(group, "a", spec={"size": 2}))
        assert (heard.status, heard.causes) == (422, ["metadata.resourceVersion"])

    async def test_with_the_definition_go_its_objects(self, wire: Wire) -> None:
        group = await define(wire)
        await wire.make(things(group), thing(group, "a"))
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.{group}"
        assert (await wire.ask("DELETE", path)).status == 200
        await wire.until(path, is_gone)
        await wire.until(things(group), is_gone)

    async def test_what_is_not_defined_is_404(self, wire: Wire) -> None:
        body = thing("no.example.com", "a")
        heard = await wire.ask("PATCH", "/apis/no.example.com/v1/things/a?fieldManager=x", body, kind=APPLY)
        assert (heard.status, heard.body) == (404, "404 page not found\n")


class TestTenancy:
    async def grant(self, wire: Wire, namespace: str, user: str) -> None:
        where = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "create"]}
        await wire.make(f"{where}/roles", {"metadata": {"name": "r"}, "rules": [rule]})
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
        await wire.make(
            f"{where}/rolebindings", {"metadata": {"name": "r"}, "roleRef": reference, "subjects": [subject]}
        )

    async def may(self, wire: Wire, user: str, **attributes: str) -> bool:
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        heard = await wire.ask("POST", path, {"spec": {"resourceAttributes": attributes}}, Impersonate_User=user)
        return bool(heard.body["status"]["allowed"])

    async def test_a_user_may_what_his_role_says_where_it_says_it(self, wire: Wire) -> None:
        namespace, user = await wire.namespace(), f"u{uuid.uuid4().hex[:8]}"
        heard = await wire.ask("GET", config_maps(namespace), Impersonate_User=user)
        assert heard.status == 403
        assert heard.body["message"] == (
            f'configmaps is forbidden: User "{user}" cannot list resource "configmaps" in API group "" '
            f'in the namespace "{namespace}"'
        )
        assert heard.body["details"] == {"kind": "configmaps"}
        await self.grant(wire, namespace, user)
        asked = {"verb": "list", "resource": "configmaps", "namespace": namespace}
        async with asyncio.timeout(20):
            while not await self.may(wire, user, **asked):  # noqa: ASYNC110 - roles are seen a moment later
                await asyncio.sleep(0.05)
        assert (await wire.ask("GET", config_maps(namespace), Impersonate_User=user)).status == 200
        assert (await wire.ask("GET", config_maps("default"), Impersonate_User=user)).status == 403
        assert (await wire.ask("DELETE", config_maps(namespace, "a"), Impersonate_User=user)).status == 403
        assert not await self.may(wire, user, **{**asked, "verb": "delete"})
        heard = await wire.ask("GET", "/api/v1/namespaces", Impersonate_User=user)
        assert "at the cluster scope" in heard.body["message"]

    async def test_everyone_may_ask_who_he_is(self, wire: Wire) -> None:
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        heard = await wire.ask("POST", path, {}, Impersonate_User="bob", Impersonate_Group="devs")
        info = heard.body["status"]["userInfo"]
        assert (info["username"], info["groups"]) == ("bob", ["devs", "system:authenticated"])

    async def test_groups_without_a_user_are_refused(self, wire: Wire) -> None:
        heard = await wire.ask("GET", config_maps("default"), Impersonate_Group="devs")
        assert (heard.status, heard.body["reason"]) == (400, "BadRequest")

    async def test_a_question_about_nothing_is_invalid(self, wire: Wire) -> None:
        heard = await wire.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {"spec": {}})
        assert (heard.status, heard.causes) == (422, ["spec.resourceAttributes"])


class TestWorkloads:
    async def test_a_deployment_without_replicas_becomes_available(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        await wire.make(deployments(namespace), deployment("a"))
        found = await wire.until(deployments(namespace, "a"), lambda heard: "Available" in _true(heard.body))
        assert found["status"]["observedGeneration"] == 1
        assert "Progressing" in _true(found)
        assert found["metadata"]["annotations"] == {"deployment.kubernetes.io/revision": "1"}
        sets = (await wire.ask("GET", f"/apis/apps/v1/namespaces/{namespace}/replicasets")).body["items"]
        assert [each["metadata"]["ownerReferences"][0]["name"] for each in sets] == ["a"]
        assert "pod-template-hash" in sets[0]["metadata"]["labels"]

    async def test_a_new_template_is_a_new_revision(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        await wire.make(deployments(namespace), deployment("a"))
        path = deployments(namespace, "a")
        await wire.until(path, lambda heard: "Available" in _true(heard.body))
        await wire.ask("PATCH", f"{path}?fieldManager=x&force=true", deployment("a", "i:2"), kind=APPLY)
        revision = {"deployment.kubernetes.io/revision": "2"}
        await wire.until(path, lambda heard: heard.body["metadata"].get("annotations") == revision)

    async def test_a_deleted_deployment_takes_its_sets_along(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        await wire.make(deployments(namespace), deployment("a"))
        sets = f"/apis/apps/v1/namespaces/{namespace}/replicasets"
        await wire.until(sets, lambda heard: heard.body["items"])
        await wire.ask("DELETE", deployments(namespace, "a"))
        await wire.until(sets, lambda heard: not heard.body["items"])

    async def test_a_suspended_job_says_so(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        await wire.make(path, {"metadata": {"name": "a"}, "spec": {"suspend": True, "template": {"spec": POD}}})
        await wire.until(f"{path}/a", lambda heard: "Suspended" in _true(heard.body))
