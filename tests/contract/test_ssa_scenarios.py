"""Behaviour that Flux's own tests state for applies, on objects of the kinds that surprise."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from fakes.scene import MERGE, Scene, wide

from gitopsd.model.change import Action, Change
from gitopsd_plugins.sandbox.access import certificates

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

CREATED, UPDATED, UNCHANGED = ([action] for action in (Action.CREATE, Action.UPDATE, Action.UNCHANGED))
MARK = "kustomize.toolkit.fluxcd.io"


def cluster_role(name: str, *verbs: str) -> dict[str, Any]:
    rules = [{"apiGroups": ["apps"], "resources": ["*"], "verbs": list(verbs)}]
    return wide("ClusterRole", "rbac.authorization.k8s.io/v1", name, rules=rules)


def role_binding(scene: Scene, role: str) -> Any:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role}
    api = "rbac.authorization.k8s.io/v1"
    return scene.object("RoleBinding", api=api, roleRef=reference, subjects=[])


def storage_class(name: str, kind: str, **metadata: Any) -> dict[str, Any]:
    parts = {"provisioner": f"example.com/{kind}", "parameters": {"type": kind}}
    return wide("StorageClass", "storage.k8s.io/v1", name, metadata=metadata, **parts)


def service(scene: Scene, address: str | None = None) -> Any:
    spec: dict[str, Any] = {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]}
    return scene.object("Service", spec=spec | ({"clusterIP": address} if address else {}))


# --- apply ------------------------------------------------------------------------------------------------------------


async def test_a_set_is_written_in_order_once_and_then_only_what_changed(scene: Scene) -> None:
    app, name = scene.app, f"{scene.namespace}-extra"
    account = {**scene.object("ServiceAccount"), "metadata": {"name": "web", "namespace": name}}
    bodies = [account, cluster_role(name, "get"), storage_class(name, "gp2"), wide("Namespace", "v1", name)]
    made = await app.apply(*bodies)
    assert app.errors == []
    assert [c.id.kind for c in made] == ["Namespace", "ClusterRole", "StorageClass", "ServiceAccount"]
    assert {c.action for c in made} == {Action.CREATE}
    assert {c.action for c in await app.apply(*bodies)} == {Action.UNCHANGED}
    changed = await app.apply(*[account, cluster_role(name, "list"), *bodies[2:]])
    assert [c.id.kind for c in changed if c.action.writes] == ["ClusterRole"]


async def test_what_yaml_does_not_take_as_it_is_arrives_as_it_is(scene: Scene) -> None:
    """Control characters, what YAML takes for an end of line, and no characters at all; a server reads an apply as YAML."""
    awkward = {f"u-{ord(c):x}": f"a {c} b" for c in "\0\t\n\r\x7f\x80\x85\x9f\u2028\u2029\ufeff\ufffe\uffff\U0001f600"}
    body = scene.config_map(awkward)
    assert [c.action for c in await scene.app.apply(body)] == CREATED
    found = await scene.app.look(body)
    assert found is not None
    assert found.body["data"] == awkward
    assert [c.action for c in await scene.app.apply(body)] == UNCHANGED


async def test_what_servers_fill_in_and_tools_leave_behind_is_no_change(scene: Scene) -> None:
    """Ports without a protocol, numbers for quantities, empty maps, a creationTimestamp of null, a status."""
    app = scene.app
    ports = [{"name": "a", "containerPort": 9898}, *({"containerPort": 9125, "protocol": p} for p in ("UDP", "TCP"))]
    container = {"ports": ports, "resources": {"limits": {"cpu": 2, "memory": "512Mi"}}}
    nothing = {"creationTimestamp": None}
    bodies = [
        scene.deployment(container=container, metadata=nothing, strategy={}) | {"status": {"replicas": 3}},
        service(scene),
        scene.object("ConfigMap", "empty", metadata={**nothing, "labels": {"app": "some-operator"}}),
        scene.object("ConfigMap", "null", metadata={"labels": None}, data={}),
        scene.object("Secret", "strings", metadata=nothing, stringData={"test": "test"}),
        scene.object("Secret", "none", data={}),
    ]
    assert set(await app.make(*bodies)) == {Action.CREATE}
    assert set(await app.make(*bodies)) == {Action.UNCHANGED}
    app.memory.marks.clear()
    assert set(await app.make(*bodies)) == {Action.UNCHANGED}


async def test_a_stage_that_fails_says_what_was_done_before(scene: Scene) -> None:
    app, role = scene.app, cluster_role(f"{scene.namespace}-role", "get")
    broken = scene.deployment(container={"ports": [{"containerPort": 0}]})
    changes = await app.apply(role, scene.config_map({}), broken)
    assert [(c.id.kind, c.action) for c in changes] == [
        ("ClusterRole", Action.CREATE),
        ("ConfigMap", Action.HOLD),
        ("Deployment", Action.REFUSE),
    ]
    assert "Deployment/" in app.errors[0]
    assert await app.look(scene.config_map({})) is None


async def test_a_missing_namespace_is_named(scene: Scene) -> None:
    lost = {**scene.config_map({}), "metadata": {"name": "a", "namespace": "no-such-namespace"}}
    [change] = await scene.app.apply(lost)
    assert change.action is Action.REFUSE
    assert 'namespaces "no-such-namespace" not found' in scene.app.errors[0]


async def test_what_is_only_to_be_created_is_left_alone_until_it_is_asked_for(scene: Scene) -> None:
    app = scene.app

    def stated(mode: str, value: str) -> Any:
        return scene.config_map({"key": value}, annotations={f"{MARK}/ssa": mode})

    assert await app.make(stated("IfNotPresent", "one")) == CREATED
    await scene.edit("somebody", stated("", ""), {"data": {"key": "theirs"}})
    assert await app.make(stated("IfNotPresent", "two")) == [Action.SKIP]
    assert (await app.body(stated("", "")))["data"] == {"key": "theirs"}
    assert await app.make(stated("Override", "two")) == UPDATED
    assert (await app.body(stated("", "")))["data"] == {"key": "two"}


async def test_what_has_no_namespace_is_found_whatever_namespace_is_stated(scene: Scene) -> None:
    name = f"{scene.namespace}-class"
    keep = {"annotations": {f"{MARK}/ssa": "IfNotPresent"}}
    assert await scene.app.make(storage_class(name, "a", namespace="shop", **keep)) == CREATED
    assert await scene.app.make(storage_class(name, "b", namespace="other", **keep)) == [Action.SKIP]


@pytest.mark.parametrize("where", ["in Git", "in the cluster"])
async def test_what_is_to_be_left_alone_is_so_whoever_says_it(scene: Scene, where: str) -> None:
    app, mark = scene.app, {"annotations": {f"{MARK}/ssa": "ignore"}}
    assert await app.make(scene.config_map({"key": "one"})) == CREATED
    if where == "in the cluster":
        await scene.edit("somebody", scene.config_map({}), {"metadata": mark})
        mark = {}
    [change] = await app.apply(scene.config_map({"key": "two"}, **mark))
    assert change.action is Action.SKIP
    [planned] = await app.plan(scene.config_map({"key": "two"}, **mark))
    assert (planned.action, planned.fields) == (Action.SKIP, ())
    assert (await app.body(scene.config_map({})))["data"] == {"key": "one"}


async def test_a_role_of_a_stage_of_its_own_can_be_bound_in_the_same_set(scene: Scene) -> None:
    api, kinds = "rbac.authorization.k8s.io/v1", {"gitopsd.io/stage-kinds": "rbac.authorization.k8s.io/Role"}
    role = scene.object("Role", api=api, rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}])
    made = await scene.app.apply(role_binding(scene, "web"), role, annotations=kinds)
    assert scene.app.errors == []
    assert [(c.id.kind, c.action) for c in made] == [("Role", Action.CREATE), ("RoleBinding", Action.CREATE)]


# --- plans ------------------------------------------------------------------------------------------------------------


async def test_a_removed_entry_of_a_list_without_names_is_told(scene: Scene) -> None:
    def ingress(*hosts: str, tls: bool = True) -> Any:
        backend = {"service": {"name": "web", "port": {"name": "http"}}}
        rules = [
            {"host": h, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}} for h in hosts
        ]
        spec = {"ingressClassName": "internal", "rules": rules}
        extra = {"tls": [{"hosts": ["tls.internal"], "secretName": "test"}]} if tls else {}
        return scene.object("Ingress", api="networking.k8s.io/v1", spec=spec | extra)

    app = scene.app
    await app.make(ingress("one"))
    assert [c.action for c in await app.plan(ingress("one"))] == UNCHANGED
    [change] = await app.plan(ingress("one", "two", tls=False))
    assert [(f.path, f.before is None, f.after is None) for f in change.fields] == [
        ("spec.rules[two]", True, False),
        ("spec.tls", False, True),
    ]


async def test_the_metrics_of_an_autoscaler_are_compared_in_any_order(scene: Scene) -> None:
    def metric(name: str) -> dict[str, Any]:
        return {
            "type": "Pods",
            "pods": {"metric": {"name": name}, "target": {"type": "AverageValue", "averageValue": "4"}},
        }

    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}

    def autoscaler(*metrics: Any) -> Any:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "frontend"}
        spec = {"minReplicas": 2, "maxReplicas": 30, "scaleTargetRef": target, "metrics": list(metrics)}
        return scene.object("HorizontalPodAutoscaler", api="autoscaling/v2", spec=spec)

    app = scene.app
    await app.make(autoscaler(metric("one"), cpu, metric("two")))
    app.memory.marks.clear()
    assert await app.make(autoscaler(metric("one"), cpu, metric("two"))) == UNCHANGED
    [change] = await app.apply(autoscaler(metric("one"), cpu))
    assert (change.action, len(change.fields) > 0) == (Action.UPDATE, True)
    app.memory.marks.clear()
    assert await app.make(autoscaler(metric("one"), cpu)) == UNCHANGED
    [change] = await app.apply(autoscaler(metric("one"), cpu, metric("three")))
    assert change.action is Action.UPDATE
    assert len((await app.body(autoscaler()))["spec"]["metrics"]) == 3


async def test_a_plan_of_a_secret_tells_its_keys_and_hides_its_values(scene: Scene) -> None:
    app = scene.app
    old = scene.object("Secret", stringData={"old": "x", "same": "y", "other": "z"})
    await app.make(old)
    [change] = await app.plan(scene.object("Secret", stringData={"new": "x", "same": "y", "other": "q"}))
    assert [(f.path, f.before, f.after) for f in change.fields] == [
        ("data.new", None, "***"),
        ("data.old", "***", None),
        ("data.other", "*** (before)", "*** (after)"),
    ]


async def test_the_certificate_of_a_definition_is_sent_where_it_is_one(scene: Scene) -> None:
    """A placeholder is left out, and what somebody has put there since is left alone."""
    app, group = scene.app, f"{scene.namespace}.example.com"
    certificate = base64.b64encode(certificates.make("127.0.0.1").authority.encode()).decode()

    def definition(bundle: str, **metadata: Any) -> Any:
        where = {"service": {"name": "webhook", "namespace": scene.namespace, "path": "/convert"}}
        config = {**where, **({"caBundle": bundle} if bundle else {})}
        schema = {"openAPIV3Schema": {"type": "object"}}
        spec = {
            "group": group,
            "names": {"kind": "Webhook", "listKind": "WebhookList", "plural": "webhooks", "singular": "webhook"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
            "conversion": {
                "strategy": "Webhook",
                "webhook": {"clientConfig": config, "conversionReviewVersions": ["v1"]},
            },
        }
        api = "apiextensions.k8s.io/v1"
        return wide("CustomResourceDefinition", api, f"webhooks.{group}", metadata=metadata, spec=spec)

    assert await app.make(definition("CABundle")) == CREATED
    assert "caBundle" not in await _config(scene, definition(""))
    injected = {"spec": {"conversion": {"webhook": {"clientConfig": {"caBundle": certificate}}}}}
    await scene.edit("ca-injector", definition(""), injected, MERGE)
    assert await app.make(definition("CABundle")) == UNCHANGED
    assert await app.make(definition("CABundle", labels={"a": "b"})) == UPDATED
    assert (await _config(scene, definition("")))["caBundle"] == certificate
    assert await app.make(definition(certificate, labels={"a": "b"})) in (UPDATED, UNCHANGED)
    assert (await _config(scene, definition("")))["caBundle"] == certificate


async def _config(scene: Scene, definition: Any) -> Any:
    return (await scene.app.body(definition))["spec"]["conversion"]["webhook"]["clientConfig"]


# --- other managers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["client-side", "server-side"])
async def test_what_kubectl_made_is_ours_after_the_first_apply(scene: Scene, operation: str) -> None:
    app, theirs = scene.app, scene.config_map({"key": "theirs", "more": "x"}, labels={"theirs": "x"})
    if operation == "client-side":
        noted = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}, "labels": {"theirs": "x"}}
        await scene.create("kubectl-client-side-apply", scene.config_map({"key": "theirs", "more": "x"}, **noted))
    else:
        await scene.as_manager("kubectl", theirs, data=theirs["data"], metadata={"labels": {"theirs": "x"}})
    [change] = await app.apply(scene.config_map({"key": "ours"}))
    assert (app.errors, change.action) == ([], Action.ADOPT)
    found = await app.body(theirs)
    assert (found["data"], "theirs" in found["metadata"]["labels"]) == ({"key": "ours"}, False)
    assert not found["metadata"].get("annotations")
    assert await scene.managers(theirs) == {("gitopsd", "Apply")}


async def test_only_kubectls_fields_are_taken_over(scene: Scene) -> None:
    app, map = scene.app, scene.config_map({"a": "1"})
    for manager in ("kubectl", "kubectl-edit", "some-operator", "my-kubectl"):
        await scene.as_manager(manager, map, data={manager: "x"})
    [change] = await app.apply(map)
    assert (app.errors, change.action) == ([], Action.ADOPT)
    assert (await app.body(map))["data"] == {"a": "1", "some-operator": "x", "my-kubectl": "x"}
    assert {m for m, _ in await scene.managers(map)} == {"gitopsd", "some-operator", "my-kubectl"}


async def test_what_kubectl_adds_to_an_object_that_is_ours_stays(scene: Scene) -> None:
    """Flux removes it at its next run; here a field that others add is no drift."""
    app, map = scene.app, scene.config_map({"a": "1", "b": "1"})
    await app.make(map)
    await scene.edit("kubectl-edit", map, {"data": {"a": "2", "c": "3", "b": None}})
    assert await app.make(map) == UPDATED
    assert (await app.body(map))["data"] == {"a": "1", "b": "1", "c": "3"}


async def test_an_object_survives_the_end_of_the_version_it_was_applied_in(scene: Scene) -> None:
    """The server cannot read what its managers hold in a version that is gone; what they hold is not lost with it."""
    app, group = scene.app, f"{scene.namespace}.example.com"

    def definition(*served: str) -> Any:
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        versions = [
            {"name": v, "served": True, "storage": v == served[-1], "schema": {"openAPIV3Schema": schema}}
            for v in served
        ]
        names = {"kind": "Thing", "listKind": "ThingList", "plural": "things", "singular": "thing"}
        spec = {"group": group, "scope": "Namespaced", "names": names, "versions": versions}
        return wide("CustomResourceDefinition", "apiextensions.k8s.io/v1", f"things.{group}", spec=spec)

    def thing(version: str, **spec: Any) -> Any:
        return scene.object("Thing", api=f"{group}/{version}", spec=spec)

    await app.make(definition("v1beta1", "v1"), thing("v1beta1", size=1, old=True))
    await scene.as_manager("operator", thing("v1beta1"), spec={"theirs": 1})
    await scene.stored_in("v1", definition("v1"))
    [_, change] = await app.apply(definition("v1"), thing("v1", size=2))
    assert app.errors == []
    assert change.action is Action.UPDATE
    assert (await app.body(thing("v1")))["spec"] == {"size": 2, "theirs": 1}
    assert await scene.managers(thing("v1")) == {("gitopsd", "Apply"), ("operator", "Apply")}
    assert (await app.make(definition("v1"), thing("v1", size=2))) == [Action.UNCHANGED] * 2


# --- prune ------------------------------------------------------------------------------------------------------------


async def test_a_deletion_is_sent_once_and_waits_in_the_cluster_for_its_finalizers(scene: Scene) -> None:
    app, map = scene.app, scene.config_map({"a": "1"}, finalizers=["example.com/hold"])
    await app.make(map)
    live = await app.look(map)
    assert live is not None
    assert (await app.target.delete(Change(id=live.id, action=Action.DELETE, live=live))).error is None
    going = await app.look(map)
    assert going is not None
    assert going.terminating
    [refused] = await app.apply(map)
    assert refused.action is Action.REFUSE
    assert "being deleted" in app.errors[0]
