"""Create, update, patch, apply, status and scale, request by request."""

from __future__ import annotations

import json
import re

import pytest
from contract.wire import (
    APPLY,
    JSON_PATCH,
    MERGE,
    STRATEGIC,
    Json,
    Wire,
    config_map,
    config_maps,
    deployment,
    deployments,
    managers,
)

from gitopsd_plugins.kubernetes.client import METADATA

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]


class TestCreate:
    async def test_a_prefix_is_made_a_name(self, wire: Wire) -> None:
        body = {"metadata": {"generateName": "made-"}}
        names = {(await wire.make(config_maps("default"), body))["metadata"]["name"] for _ in range(3)}
        assert len(names) == 3
        assert all(re.fullmatch("made-[a-z0-9]{5}", name) for name in names)

    async def test_what_the_server_owns_is_its_own(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        body = config_map("a", uid="mine", generation=7, creationTimestamp="2020-01-01T00:00:00Z", selfLink="/x")
        made = await wire.make(config_maps(namespace), body)
        assert made["metadata"]["uid"] != "mine"
        assert made["metadata"]["creationTimestamp"] > "2021"
        assert "selfLink" not in made["metadata"]

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("PUT", "/api/v1/namespaces/default/configmaps", 405),
            ("POST", "/api/v1/namespaces/default/configmaps/a", 405),
            ("POST", "/api/v1/configmaps", 405),
            ("PATCH", "/api/v1/namespaces/default/configmaps", 405),
            ("POST", "/api/v1/namespaces/default/nothings", 404),
            ("POST", "/api/v1/namespaces/default/configmaps/a/status", 404),
        ],
    )
    async def test_verbs_that_a_path_does_not_have(self, wire: Wire, method: str, path: str, status: int) -> None:
        heard = await wire.ask(method, path, config_map("a"), kind=MERGE if method == "PATCH" else "application/json")
        assert heard.status == status
        assert heard.body["reason"] == ("MethodNotAllowed" if status == 405 else "NotFound")

    async def test_a_body_of_no_known_type_is_415(self, wire: Wire) -> None:
        heard = await wire.ask("POST", config_maps("default"), config_map("a"), kind="text/plain")
        assert (heard.status, heard.body["reason"]) == (415, "UnsupportedMediaType")
        heard = await wire.ask("PATCH", config_maps("default", "a"), {}, kind="application/json")
        assert (heard.status, heard.body["reason"]) == (415, "UnsupportedMediaType")

    @pytest.mark.parametrize("body", ["{", "[]", '"text"', "a: [b"])
    async def test_a_body_that_is_no_object_is_400(self, wire: Wire, body: str) -> None:
        heard = await wire.ask("POST", config_maps("default"), body)
        assert (heard.status, heard.body["reason"]) == (400, "BadRequest")

    async def test_yaml_is_read_too(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: 'yes'\n"
        heard = await wire.ask("POST", config_maps(namespace), text, kind="application/yaml")
        assert (heard.status, heard.body["data"]) == (201, {"x": "yes"})


class TestFieldValidation:
    BODY: Json = {**config_map("a"), "other": 1, "data": {"x": "1"}}  # noqa: RUF012 - read only

    async def test_it_warns_by_default(self, wire: Wire) -> None:
        heard = await wire.ask("POST", config_maps(await wire.namespace()), self.BODY)
        assert (heard.status, heard.warnings) == (201, ('299 - "unknown field \\"other\\""',))

    async def test_ignore_says_nothing(self, wire: Wire) -> None:
        path = f"{config_maps(await wire.namespace())}?fieldValidation=Ignore"
        heard = await wire.ask("POST", path, self.BODY)
        assert (heard.status, heard.warnings) == (201, ())

    async def test_strict_refuses(self, wire: Wire) -> None:
        path = f"{config_maps(await wire.namespace())}?fieldValidation=Strict"
        heard = await wire.ask("POST", path, self.BODY)
        assert heard.status == 400
        assert 'strict decoding error: unknown field "other"' in heard.body["message"]

    @pytest.mark.parametrize(
        ("fields", "why"),
        [
            ({"data": {"c": 3}, "binaryData": {"z": "?"}}, "json: cannot unmarshal number into Go struct field ConfigMap.data of type string"),
            ({"binaryData": {"z": "?"}, "data": {"c": 3}}, "illegal base64 data at input byte 0"),
            ({"immutable": "x", "data": {"c": 3}}, "json: cannot unmarshal string into Go struct field ConfigMap.immutable of type bool"),
        ],
        ids=["data first", "binaryData first", "immutable first"],
    )  # fmt: skip
    async def test_the_first_of_two_wrong_types_is_told(self, wire: Wire, fields: Json, why: str) -> None:
        namespace = await wire.namespace()
        await wire.make(config_maps(namespace), config_map("a"))
        heard = await wire.ask("PUT", config_maps(namespace, "a"), {**config_map("a"), **fields})
        told = f'ConfigMap in version "v1" cannot be handled as a ConfigMap: {why}'
        assert (heard.status, heard.body["message"]) == (400, told)

    TWICE = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"1","x":"2"}}'

    async def test_a_field_that_is_said_twice_is_told(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        heard = await wire.ask("POST", f"{config_maps(namespace)}?fieldValidation=Strict", self.TWICE)
        assert heard.status == 400
        assert 'duplicate field "data.x"' in heard.body["message"]
        heard = await wire.ask("POST", config_maps(namespace), self.TWICE)
        assert (heard.status, heard.warnings) == (201, ('299 - "duplicate field \\"data.x\\""',))


class TestPatch:
    async def start(self, wire: Wire) -> str:
        namespace = await wire.namespace()
        env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
        body = deployment("a")
        body["spec"]["template"]["spec"]["containers"][0]["env"] = env
        await wire.make(deployments(namespace), body)
        return deployments(namespace, "a")

    async def test_a_merge_patch_replaces_lists_and_removes_by_null(self, wire: Wire) -> None:
        path = await self.start(wire)
        change = {"spec": {"replicas": None, "template": {"spec": {"containers": [{"name": "n", "image": "j"}]}}}}
        spec = (await wire.ask("PATCH", path, change, kind=MERGE)).body["spec"]
        assert spec["replicas"] == 1
        assert [each["name"] for each in spec["template"]["spec"]["containers"]] == ["n"]

    async def test_a_strategic_patch_merges_lists_by_their_keys(self, wire: Wire) -> None:
        path = await self.start(wire)
        env = [{"name": "A", "$patch": "delete"}, {"name": "C", "value": "3"}]
        change = {"spec": {"template": {"spec": {"containers": [{"name": "c", "env": env}]}}}}
        heard = await wire.ask("PATCH", path, change, kind=STRATEGIC)
        [container] = heard.body["spec"]["template"]["spec"]["containers"]
        assert (container["image"], [each["name"] for each in container["env"]]) == ("i:1", ["C", "B"])

    async def test_a_json_patch_is_carried_out_whole_or_not_at_all(self, wire: Wire) -> None:
        path = await self.start(wire)
        add = {"op": "add", "path": "/metadata/labels", "value": {"x": "y"}}
        wrong = {"op": "test", "path": "/spec/replicas", "value": 7}
        heard = await wire.ask("PATCH", path, [add, wrong], kind=JSON_PATCH)
        assert (heard.status, heard.body["reason"]) == (422, "Invalid")
        assert "labels" not in (await wire.ask("GET", path)).body["metadata"]
        heard = await wire.ask("PATCH", path, [add, {**wrong, "value": 0}], kind=JSON_PATCH)
        assert heard.body["metadata"]["labels"] == {"x": "y"}

    async def test_an_apply_removes_what_it_no_longer_states(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        path = f"{deployments(namespace, 'a')}?fieldManager=one"
        await wire.ask("PATCH", path, deployment("a", paused=True), kind=APPLY)
        heard = await wire.ask("PATCH", path, deployment("a"), kind=APPLY)
        assert "paused" not in heard.body["spec"]

    async def test_patches_of_what_is_not_there_are_404_but_an_apply_creates(self, wire: Wire) -> None:
        path = config_maps(await wire.namespace(), "a")
        for kind, body in ((MERGE, {}), (STRATEGIC, {}), (JSON_PATCH, [])):
            assert (await wire.ask("PATCH", path, body, kind=kind)).status == 404
        assert (await wire.ask("PATCH", f"{path}?fieldManager=one", config_map("a"), kind=APPLY)).status == 201

    @pytest.mark.parametrize("raw", ["\x7f", "\x80", "\x9f", "\ufffe", "\uffff"], ids=ascii)
    async def test_an_apply_with_a_control_character_as_it_is_is_refused(self, wire: Wire, raw: str) -> None:
        text = json.dumps({**config_map("a"), "data": {"x": raw}}, ensure_ascii=False)
        path = config_maps(await wire.namespace(), "a") + "?fieldManager=m"
        heard = await wire.ask("PATCH", path, text, kind=APPLY)
        assert (heard.status, heard.body["reason"]) == (400, "BadRequest")

    @pytest.mark.parametrize(
        ("raw", "read"), [("\x85", "a b"), ("\u2028", "a\u2028b"), ("\u2029", "a\u2029b")], ids=ascii
    )
    async def test_what_yaml_takes_for_an_end_of_line_is_folded(self, wire: Wire, raw: str, read: str) -> None:
        text = json.dumps({**config_map("a"), "data": {"x": f"a {raw} b"}}, ensure_ascii=False)
        path = config_maps(await wire.namespace(), "a") + "?fieldManager=m"
        heard = await wire.ask("PATCH", path, text, kind=APPLY)
        assert (heard.status, heard.body["data"]) == (201, {"x": read})

    async def test_an_apply_needs_a_manager_and_others_no_force(self, wire: Wire) -> None:
        path = config_maps(await wire.namespace(), "a")
        heard = await wire.ask("PATCH", path, config_map("a"), kind=APPLY)
        assert (heard.status, heard.causes) == (422, ["fieldManager"])
        heard = await wire.ask("PATCH", f"{path}?force=true", {}, kind=MERGE)
        assert (heard.status, heard.causes) == (422, ["force"])


class TestMetadataAlone:
    async def test_is_answered_to_a_write_that_asks_for_it(self, wire: Wire) -> None:
        path = config_maps(await wire.namespace(), "a")
        for status in (201, 200):
            heard = await wire.ask(
                "PATCH", f"{path}?fieldManager=me", config_map("a", {"k": "v"}), kind=APPLY, Accept=METADATA
            )
            assert heard.status == status
            assert (heard.body["kind"], set(heard.body)) == (
                "PartialObjectMetadata",
                {"kind", "apiVersion", "metadata"},
            )
            assert managers(heard.body) == [("me", "Apply", "")]

    async def test_a_refusal_is_told_as_ever(self, wire: Wire) -> None:
        path = config_maps(await wire.namespace(), "a")
        await wire.ask("PATCH", f"{path}?fieldManager=me", config_map("a", {"k": "v"}), kind=APPLY)
        heard = await wire.ask(
            "PATCH", f"{path}?fieldManager=you", config_map("a", {"k": "w"}), kind=APPLY, Accept=METADATA
        )
        assert (heard.status, heard.body["kind"], heard.body["reason"]) == (409, "Status", "Conflict")
        assert heard.body["details"]["causes"][0]["field"] == ".data.k"


class TestDryRun:
    async def test_no_verb_leaves_a_trace(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        path, dry = deployments(namespace, "a"), "?dryRun=All"
        assert (await wire.ask("POST", deployments(namespace) + dry, deployment("a"))).status == 201
        assert (await wire.ask("GET", path)).status == 404
        made = await wire.make(deployments(namespace), deployment("a"))
        settled = await wire.until(path, lambda heard: heard.body.get("status", {}).get("observedGeneration"))
        assert settled["metadata"]["uid"] == made["metadata"]["uid"]
        changed = deployment("a", replicas=1)
        asked = [
            await wire.ask("PUT", path + dry, changed),
            await wire.ask("PATCH", path + dry, {"spec": {"replicas": 1}}, kind=MERGE),
            await wire.ask("PATCH", f"{path}{dry}&fieldManager=one", changed, kind=APPLY),
        ]
        assert [(heard.status, heard.body["spec"]["replicas"]) for heard in asked[:2]] == [(200, 1)] * 2
        assert asked[2].status == 409
        scaled = await wire.ask("PATCH", f"{path}/scale{dry}", {"spec": {"replicas": 3}}, kind=MERGE)
        assert scaled.body["spec"] == {"replicas": 3}
        assert (await wire.ask("PATCH", f"{path}/status{dry}", {"status": {"replicas": 3}}, kind=MERGE)).status == 200
        assert (await wire.ask("DELETE", path + dry)).status == 200
        assert (await wire.ask("DELETE", deployments(namespace) + dry)).status == 200
        left = (await wire.ask("GET", path)).body
        assert left["metadata"]["resourceVersion"] == settled["metadata"]["resourceVersion"]


class TestSubresources:
    async def test_status_and_spec_are_written_apart(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        path = deployments(namespace, "a")
        await wire.make(deployments(namespace), {**deployment("a"), "status": {"replicas": 7}})
        both = {"spec": {"paused": True}, "status": {"conditions": [{"type": "Mine", "status": "True"}]}}
        heard = await wire.ask("PATCH", f"{path}/status?fieldManager=me", both, kind=STRATEGIC)
        assert "paused" not in heard.body["spec"]
        assert "Mine" in [each["type"] for each in heard.body["status"]["conditions"]]
        assert ("me", "Update", "status") in managers(heard.body)

    async def test_a_scale_changes_replicas_and_owns_them(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        path = deployments(namespace, "a")
        await wire.ask("PATCH", f"{path}?fieldManager=one", deployment("a", replicas=2), kind=APPLY)
        heard = await wire.ask("GET", f"{path}/scale")
        assert (heard.body["kind"], heard.body["apiVersion"]) == ("Scale", "autoscaling/v1")
        assert (heard.body["spec"], heard.body["status"]["selector"]) == ({"replicas": 2}, "app=a")
        metadata = {"name": "a", "namespace": namespace}
        wanted = {**heard.body, "metadata": metadata, "spec": {"replicas": 3}}
        heard = await wire.ask("PUT", f"{path}/scale?fieldManager=two", wanted)
        assert heard.body["spec"] == {"replicas": 3}
        body = (await wire.ask("GET", path)).body
        assert ("two", "Update", "scale") in managers(body)
        heard = await wire.ask("PATCH", f"{path}?fieldManager=one", deployment("a", replicas=2), kind=APPLY)
        assert (heard.status, heard.causes) == (409, [".spec.replicas"])

    async def test_a_stale_scale_is_refused(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        path = deployments(namespace, "a")
        await wire.make(deployments(namespace), deployment("a"))
        body = {"metadata": {"name": "a", "namespace": namespace, "resourceVersion": "1"}, "spec": {"replicas": 1}}
        assert (await wire.ask("PUT", f"{path}/scale", body)).status == 409


class TestOwnership:
    async def test_ten_updaters_are_kept_apart(self, wire: Wire) -> None:
        path = config_maps(await wire.namespace(), "a")
        await wire.ask("PATCH", f"{path}?fieldManager=first", config_map("a", {"x": "1"}), kind=APPLY)
        for index in range(12):
            change = {"data": {f"k{index}": "1"}}
            await wire.ask("PATCH", f"{path}?fieldManager=m{index:02}", change, kind=MERGE)
        entries = managers((await wire.ask("GET", path)).body)
        assert len(entries) == 11
        assert ("ancient-changes", "Update", "") in entries

    async def test_kubectl_goes_on_from_client_side_apply(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        applied = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"1"}}'
        note = {"kubectl.kubernetes.io/last-applied-configuration": applied}
        path = f"{config_maps(namespace)}?fieldManager=kubectl-client-side-apply"
        await wire.make(path, config_map("a", {"x": "1"}, annotations=note))
        where, wanted = config_maps(namespace, "a"), config_map("a", {"x": "2"})
        assert (await wire.ask("PATCH", f"{where}?fieldManager=other", wanted, kind=APPLY)).status == 409
        heard = await wire.ask("PATCH", f"{where}?fieldManager=kubectl", wanted, kind=APPLY)
        assert (heard.status, heard.body["data"]) == (200, {"x": "2"})
        [text] = heard.body["metadata"]["annotations"].values()
        assert '"x":"2"' in text

    async def test_a_field_that_two_state_alike_has_two_owners(self, wire: Wire) -> None:
        path = config_maps(await wire.namespace(), "a")
        for manager in ("one", "two"):
            await wire.ask("PATCH", f"{path}?fieldManager={manager}", config_map("a", {"x": "1"}), kind=APPLY)
        heard = await wire.ask("PATCH", f"{path}?fieldManager=one", config_map("a"), kind=APPLY)
        assert (heard.body["data"], managers(heard.body)) == ({"x": "1"}, [("two", "Apply", "")])

    async def test_an_apply_that_changes_an_order_only_is_a_change(self, wire: Wire) -> None:
        namespace = await wire.namespace()
        main, side = {"name": "main", "image": "i:1"}, {"name": "side", "image": "i:1"}
        body = deployment("a")
        body["spec"]["template"]["spec"]["containers"] = [main, side]
        made = await wire.make(deployments(namespace), body)
        times = []
        for containers in ([main, side], [side, main]):
            body["spec"]["template"]["spec"]["containers"] = containers
            query = f"?fieldManager=of-{containers[0]['name']}"
            heard = await wire.ask("PATCH", deployments(namespace, "a") + query, body, kind=APPLY)
            entries = heard.body["metadata"]["managedFields"]
            times.append([each.get("time") for each in entries if each["manager"] == f"of-{containers[0]['name']}"])
        assert times[0] == [None]
        assert times[1] >= [made["metadata"]["creationTimestamp"]]

    async def test_what_a_service_keeps_is_not_stated_again(self, wire: Wire) -> None:
        path = f"/api/v1/namespaces/{await wire.namespace()}/services"
        body: Json = {"metadata": {"name": "a"}, "spec": {"clusterIP": "None"}}
        made = await wire.make(path, body)
        heard = await wire.ask("PUT", f"{path}/a", {**body, "spec": {}})
        assert heard.body["spec"]["clusterIP"] == "None"
        owned = [each["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"] for each in (made, heard.body)]
        assert ["f:clusterIP" in each for each in owned] == [True, False]

    async def test_who_leaves_the_time_of_a_deletion_out_takes_it_from_its_owner(self, wire: Wire) -> None:
        """Nobody owned the object before the apply, so that the apply finds all of it owned by `before-first-apply`."""
        path = config_maps(await wire.namespace())
        body = config_map("a", {"k": "1"}, finalizers=["example.com/hold"])
        await wire.make(path, body)
        await wire.ask("PATCH", f"{path}/a", {"metadata": {"managedFields": [{}]}}, kind=MERGE)
        await wire.ask("DELETE", f"{path}/a")
        heard = await wire.ask("PATCH", f"{path}/a?fieldManager=m", config_map("a", {"l": "2"}), kind=APPLY)
        assert [e["manager"] for e in heard.body["metadata"]["managedFields"] if "f:deletionTimestamp" in str(e)] == [
            "before-first-apply"
        ]
        heard = await wire.ask("PUT", f"{path}/a?fieldManager=n", {**body, "data": {"k": "1", "l": "2"}})
        assert not [e for e in heard.body["metadata"]["managedFields"] if "f:deletionTimestamp" in str(e)]
        assert "deletionTimestamp" in heard.body["metadata"]

    async def test_nobody_owns_an_object_whose_items_cannot_be_told_from_one_another(self, wire: Wire) -> None:
        path = f"/api/v1/namespaces/{await wire.namespace()}/serviceaccounts"
        made = await wire.make(path, {"metadata": {"name": "b", "labels": {"a": "b"}}, "secrets": [{}]})
        assert managers(made) == []
        body: Json = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "b"},
            "secrets": [{"name": "s"}],
        }
        heard = await wire.ask("PATCH", f"{path}/b?fieldManager=m", body, kind=APPLY)
        assert heard.status == 500
        assert 'element that omits all key fields ["name"]' in heard.body["message"]
        await wire.ask("PATCH", f"{path}/b", {"secrets": None}, kind=MERGE)
        heard = await wire.ask("PATCH", f"{path}/b?fieldManager=m", body, kind=APPLY)
        assert sorted(who for who, _, _ in managers(heard.body)) == ["before-first-apply", "m"]


@pytest.mark.parametrize(("group", "plural", "kind", "spec", "owned"), [
    ("apps", "deployments", "Deployment", deployment("a")["spec"], False),
    ("networking.k8s.io", "ingresses", "Ingress", {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}, True),
    ("batch", "jobs", "Job", {"suspend": True, "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}, True),
])  # fmt: skip
async def test_labels_in_an_apply_to_status(
    wire: Wire, group: str, plural: str, kind: str, spec: Json, owned: bool
) -> None:
    """They are changed and owned like others, but for a Deployment's, which stay as they are."""
    path = f"/apis/{group}/v1/namespaces/{await wire.namespace()}/{plural}"
    body = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": "a", "labels": {"team": "a"}}}
    await wire.make(path, {**body, "spec": spec})
    body["metadata"] = {"name": "a", "labels": {"team": "b"}}
    heard = await wire.ask("PATCH", f"{path}/a/status?fieldManager=m", body, kind=APPLY)
    assert heard.status == (409 if owned else 200)
    assert heard.causes == ([".metadata.labels.team"] if owned else [])
    heard = await wire.ask("PATCH", f"{path}/a/status?fieldManager=m&force=true", body, kind=APPLY)
    assert heard.body["metadata"]["labels"]["team"] == ("b" if owned else "a")


async def test_an_operation_without_a_value_has_null(wire: Wire) -> None:
    path = config_maps(await wire.namespace())
    await wire.make(path, config_map("a", {"x": "1", "y": "2"}))
    change = [{"op": "add", "path": "/data/x"}, {"op": "replace", "path": "/data/y"}]
    heard = await wire.ask("PATCH", f"{path}/a", change, kind=JSON_PATCH)
    assert heard.body["data"] == {"x": "", "y": ""}
