"""What is asked of a real API server and of the sandbox, so that their answers can be compared (test_answers.py).

A scenario is a name and a list of requests in order; each starts with names of its own, so that they can share a server.
Nothing here depends on controllers: the recorded server runs none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"

CM = "/api/v1/namespaces/default/configmaps"
SECRET = "/api/v1/namespaces/default/secrets"
SERVICE = "/api/v1/namespaces/default/services"
DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments"
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True, slots=True)
class Ask:
    method: str
    path: str
    body: Any = None
    content_type: str = "application/json"

    def bytes(self) -> bytes:
        if self.body is None:
            return b""
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


Scenario = tuple[str, list[Ask]]


def cm(name: str, **fields: Any) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **fields}


def labelled(name: str, **labels: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}}


def deployment(name: str, *containers: Json, **spec: Any) -> Json:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": list(containers or ({"name": "c", "image": "i:1"},))},
    }
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def service(name: str, *ports: Json, **spec: Any) -> Json:
    body = {"selector": {"app": name}, "ports": list(ports or ({"port": 80},)), **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": body}


def apply(path: str, body: Any, manager: str = "one", *, force: bool = False, more: str = "") -> Ask:
    name = body["metadata"]["name"]
    return Ask("PATCH", f"{path}/{name}?fieldManager={manager}{'&force=true' if force else ''}{more}", body, APPLY)


def merge(path: str, name: str, body: Any, manager: str = "editor") -> Ask:
    return Ask("PATCH", f"{path}/{name}?fieldManager={manager}", body, MERGE)


def post(path: str, body: Any, more: str = "?fieldManager=creator") -> Ask:
    return Ask("POST", path + more, body)


def get(path: str, name: str) -> Ask:
    return Ask("GET", f"{path}/{name}")


def ownership() -> Iterator[Scenario]:
    yield "apply creates and owns", [apply(CM, cm("o1", data={"a": "1", "b": "2"}))]
    yield "apply again is a no-op", [apply(CM, cm("o2", data={"a": "1"})), apply(CM, cm("o2", data={"a": "1"}))]
    yield (
        "a field left out is removed",
        [apply(CM, cm("o3", data={"a": "1", "b": "2"})), apply(CM, cm("o3", data={"a": "1"}))],
    )
    yield "the last field of a map takes the map along", [apply(CM, cm("o4", data={"a": "1"})), apply(CM, cm("o4"))]
    yield "an empty map stays stated", [apply(CM, cm("o5", data={"a": "1"})), apply(CM, cm("o5", data={}))]
    yield (
        "two managers share equal values and keep what one gives up",
        [
            apply(CM, cm("o6", data={"a": "1", "b": "2"})),
            apply(CM, cm("o6", data={"a": "1"}), "two"),
            apply(CM, cm("o6", data={"b": "2"})),
            apply(CM, cm("o6", data={}), "two"),
        ],
    )
    yield (
        "conflict with an applier",
        [apply(CM, cm("o7", data={"a": "1"})), apply(CM, cm("o7", data={"a": "2"}), "two")],
    )
    yield (
        "conflicts with several",
        [
            apply(CM, cm("o8", data={"a": "1", "c": "3"})),
            apply(CM, cm("o8", data={"b": "1"}), "two"),
            apply(CM, cm("o8", data={"a": "2", "b": "2", "c": "2"}), "three"),
        ],
    )
    yield (
        "force takes the field",
        [apply(CM, cm("o9", data={"a": "1"})), apply(CM, cm("o9", data={"a": "2"}), "two", force=True)],
    )
    yield (
        "an update takes a field from an applier",
        [
            apply(CM, cm("o10", data={"a": "1", "b": "1"})),
            merge(CM, "o10", {"data": {"a": "2"}}),
            apply(CM, cm("o10", data={"a": "1", "b": "1"})),
        ],
    )
    yield (
        "an update that removes a field removes it from its owners",
        [apply(CM, cm("o11", data={"a": "1", "b": "1"})), merge(CM, "o11", {"data": {"a": None}})],
    )
    yield (
        "an update by the same manager is another owner",
        [
            apply(CM, cm("o12", data={"a": "1"})),
            merge(CM, "o12", {"data": {"b": "2"}}, "one"),
            merge(CM, "o12", {"data": {"c": "2"}}, "one"),
        ],
    )
    yield (
        "create owns what it made, defaults included",
        [post(SERVICE, service("o13", {"name": "web", "port": 80, "targetPort": "http"}))],
    )
    yield (
        "apply after create leaves the creator its fields",
        [post(CM, cm("o14", data={"a": "1", "b": "2"})), apply(CM, cm("o14", data={"a": "1"}))],
    )
    yield (
        "managedFields can be reset and then count as before-first-apply",
        [
            post(CM, cm("o15", data={"a": "1"})),
            merge(CM, "o15", {"metadata": {"managedFields": [{}]}}),
            apply(CM, cm("o15", data={"a": "2"})),
            apply(CM, cm("o15", data={"a": "1"})),
        ],
    )
    yield (
        "a JSON patch moves ownership to an applier",
        [
            post(CM, cm("o16", data={"a": "1"})),
            Ask(
                "PATCH",
                f"{CM}/o16?fieldManager=mover",
                [
                    {"op": "replace", "path": "/metadata/managedFields/0/manager", "value": "one"},
                    {"op": "replace", "path": "/metadata/managedFields/0/operation", "value": "Apply"},
                ],
                PATCH,
            ),
            apply(CM, cm("o16", data={"a": "2"})),
            apply(CM, cm("o16")),
        ],
    )
    yield (
        "labels and annotations",
        [
            apply(CM, {**cm("o17"), "metadata": {"name": "o17", "labels": {"a": "1"}, "annotations": {"b": "2"}}}),
            apply(CM, {**cm("o17"), "metadata": {"name": "o17", "annotations": {"b": "2"}}}),
        ],
    )
    yield (
        "finalizers are a set with owners",
        [
            apply(CM, {**cm("o18"), "metadata": {"name": "o18", "finalizers": ["x.io/a"]}}),
            apply(CM, {**cm("o18"), "metadata": {"name": "o18", "finalizers": ["x.io/b"]}}, "two"),
            apply(CM, cm("o18")),
            apply(CM, cm("o18"), "two"),
        ],
    )
    yield "dry run shows and keeps nothing", [apply(CM, cm("o19", data={"a": "1"}), more="&dryRun=All"), get(CM, "o19")]
    yield (
        "dry run on a live object",
        [
            apply(CM, cm("o20", data={"a": "1"})),
            apply(CM, cm("o20", data={"a": "2"}), more="&dryRun=All"),
            get(CM, "o20"),
        ],
    )
    yield (
        "a null in a manifest",
        [apply(CM, cm("o21", data={"a": "1"})), apply(CM, cm("o21", data=None)), get(CM, "o21")],
    )
    yield (
        "sharing a value changes owners only",
        [apply(CM, cm("o22", data={"a": "1"})), apply(CM, cm("o22", data={"a": "1"}), "two")],
    )
    yield (
        "YAML manifest",
        [Ask("PATCH", f"{CM}/o23?fieldManager=one", "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: x\n", APPLY)],
    )


def ownership_of_lists() -> Iterator[Scenario]:
    first, second = {"name": "a", "image": "i:1"}, {"name": "b", "image": "i:1"}
    yield (
        "containers merge by name",
        [
            apply(DEPLOYMENT, deployment("l1", first)),
            apply(DEPLOYMENT, deployment("l1", second), "two"),
            apply(DEPLOYMENT, deployment("l1", {**first, "env": [{"name": "X", "value": "1"}]})),
        ],
    )
    yield (
        "a container left out goes",
        [apply(DEPLOYMENT, deployment("l2", first, second)), apply(DEPLOYMENT, deployment("l2", first))],
    )
    yield (
        "order of applied items wins",
        [apply(DEPLOYMENT, deployment("l3", first, second)), apply(DEPLOYMENT, deployment("l3", second, first))],
    )
    yield (
        "ports by port and defaulted protocol",
        [
            apply(SERVICE, service("l4", {"name": "x", "port": 80}, {"name": "y", "port": 81})),
            apply(SERVICE, service("l4", {"name": "x", "port": 80, "targetPort": 8080})),
            apply(SERVICE, service("l4", {"name": "x", "port": 82})),
        ],
    )
    yield (
        "an atomic list is replaced whole",
        [
            apply(DEPLOYMENT, deployment("l5", {**first, "args": ["a", "b"]})),
            apply(DEPLOYMENT, deployment("l5", {**first, "args": ["c"]})),
            apply(DEPLOYMENT, deployment("l5", {**first, "args": ["d"]}), "two"),
        ],
    )
    yield (
        "quantities are canonical",
        [
            apply(
                DEPLOYMENT,
                deployment(
                    "l6",
                    {**first, "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": 0.5}}},
                ),
            ),
            apply(
                DEPLOYMENT,
                deployment(
                    "l6",
                    {**first, "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": 0.5}}},
                ),
            ),
        ],
    )
    yield (
        "a field that is given up gets its default back",
        [
            apply(DEPLOYMENT, deployment("l7", replicas=3, strategy={"type": "Recreate"})),
            apply(DEPLOYMENT, deployment("l7")),
        ],
    )
    yield (
        "an update of an image takes it from the applier",
        [
            apply(DEPLOYMENT, deployment("l8", first, replicas=2)),
            Ask(
                "PATCH",
                f"{DEPLOYMENT}/l8?fieldManager=setter",
                {"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "i:2"}]}}}},
                STRATEGIC,
            ),
            apply(DEPLOYMENT, deployment("l8", first, replicas=2)),
            apply(DEPLOYMENT, deployment("l8", first, replicas=2), force=True),
        ],
    )
    yield (
        "removing a container whose image another changed",
        [
            apply(DEPLOYMENT, deployment("l9", first, second)),
            Ask(
                "PATCH",
                f"{DEPLOYMENT}/l9?fieldManager=setter",
                {"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "i:2"}]}}}},
                STRATEGIC,
            ),
            apply(DEPLOYMENT, deployment("l9", first)),
        ],
    )
    yield (
        "scale is an owner of replicas",
        [
            apply(DEPLOYMENT, deployment("l10", first, replicas=2)),
            Ask("PATCH", f"{DEPLOYMENT}/l10/scale?fieldManager=scaler", {"spec": {"replicas": 5}}, MERGE),
            apply(DEPLOYMENT, deployment("l10", first, replicas=2)),
            apply(DEPLOYMENT, deployment("l10", first)),
            Ask("GET", f"{DEPLOYMENT}/l10/scale"),
        ],
    )
    yield (
        "status has owners of its own",
        [
            apply(DEPLOYMENT, deployment("l11", first)),
            Ask(
                "PATCH",
                f"{DEPLOYMENT}/l11/status?fieldManager=ctl",
                {"status": {"replicas": 1, "observedGeneration": 1}},
                MERGE,
            ),
            apply(DEPLOYMENT, {**deployment("l11", first), "status": {"replicas": 7}}),
        ],
    )


def updates() -> Iterator[Scenario]:
    yield (
        "put replaces",
        [
            post(CM, cm("u1", data={"a": "1", "b": "2"})),
            Ask("PUT", f"{CM}/u1?fieldManager=putter", cm("u1", data={"b": "3"})),
        ],
    )
    yield (
        "put of the same is a no-op",
        [post(CM, cm("u2", data={"a": "1"})), Ask("PUT", f"{CM}/u2?fieldManager=putter", cm("u2", data={"a": "1"}))],
    )
    yield (
        "put keeps generation unless the spec changes",
        [
            post(DEPLOYMENT, deployment("u3")),
            Ask("PUT", f"{DEPLOYMENT}/u3", {**deployment("u3"), "metadata": {"name": "u3", "labels": {"x": "y"}}}),
            Ask("PUT", f"{DEPLOYMENT}/u3", deployment("u3", replicas=4)),
        ],
    )
    yield (
        "service keeps its address over a put",
        [post(SERVICE, service("u4")), Ask("PUT", f"{SERVICE}/u4", service("u4", {"port": 81}))],
    )
    yield (
        "strategic merge of ports and environment",
        [
            post(
                DEPLOYMENT,
                deployment(
                    "u5",
                    {"name": "c", "image": "i:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
                ),
            ),
            Ask(
                "PATCH",
                f"{DEPLOYMENT}/u5",
                {
                    "spec": {
                        "template": {
                            "spec": {
                                "containers": [
                                    {
                                        "name": "c",
                                        "env": [{"name": "A", "$patch": "delete"}, {"name": "C", "value": "3"}],
                                    }
                                ]
                            }
                        }
                    }
                },
                STRATEGIC,
            ),
            Ask(
                "PATCH",
                f"{DEPLOYMENT}/u5",
                {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}},
                STRATEGIC,
            ),
            Ask(
                "PATCH",
                f"{DEPLOYMENT}/u5",
                {
                    "spec": {
                        "template": {
                            "spec": {
                                "$setElementOrder/containers": [{"name": "d"}, {"name": "c"}],
                                "containers": [{"name": "d", "image": "i:2"}],
                            }
                        }
                    }
                },
                STRATEGIC,
            ),
        ],
    )
    yield (
        "JSON patch",
        [
            post(CM, cm("u6", data={"a": "1"})),
            Ask(
                "PATCH",
                f"{CM}/u6",
                [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "add", "path": "/data/b~1c", "value": "2"}],
                PATCH,
            ),
            Ask(
                "PATCH",
                f"{CM}/u6",
                [
                    {"op": "add", "path": "/metadata/labels", "value": {"x": "y"}},
                    {"op": "copy", "from": "/data/a", "path": "/data/d"},
                ],
                PATCH,
            ),
            Ask(
                "PATCH",
                f"{CM}/u6",
                [
                    {"op": "move", "from": "/data/d", "path": "/data/e"},
                    {"op": "replace", "path": "/data/a", "value": "9"},
                ],
                PATCH,
            ),
            Ask("PATCH", f"{CM}/u6", [{"op": "test", "path": "/data/a", "value": "1"}], PATCH),
            Ask("PATCH", f"{CM}/u6", [{"op": "remove", "path": "/data/zz"}], PATCH),
            Ask("PATCH", f"{CM}/u6", [{"op": "replace", "path": "/data/zz", "value": "1"}], PATCH),
        ],
    )
    yield (
        "secret text becomes data",
        [
            post(
                SECRET,
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": "u7"},
                    "stringData": {"a": "b"},
                    "data": {"c": "ZA=="},
                },
            ),
            apply(
                SECRET, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "u7b"}, "stringData": {"a": "b"}}
            ),
            apply(
                SECRET, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "u7b"}, "stringData": {"a": "b"}}
            ),
        ],
    )


def refusals() -> Iterator[Scenario]:
    yield "already exists", [post(CM, cm("r1")), post(CM, cm("r1"))]
    yield "wrong type", [post(CM, cm("r2", data={"x": 1}))]
    yield (
        "unknown field",
        [
            post(CM, cm("r3", foo=1, bar={"x": 1}), "?fieldValidation=Strict"),
            post(CM, cm("r3w", foo=1)),
            post(CM, cm("r3i", foo=1), "?fieldValidation=Ignore"),
            post(DEPLOYMENT, deployment("r3d", {"name": "c", "image": "i", "imagee": "x"}), "?fieldValidation=Strict"),
            merge(CM, "r3w", {"foo": 1}),
        ],
    )
    yield (
        "duplicate key",
        [
            Ask(
                "POST",
                f"{CM}?fieldValidation=Strict",
                '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"r4"},"data":{"a":"1","a":"2"}}',
            )
        ],
    )
    yield (
        "names",
        [
            post(CM, cm("A_b")),
            post(CM, {"apiVersion": "v1", "kind": "ConfigMap"}),
            post(CM, {**cm("r5"), "metadata": {"name": "r5", "namespace": "other"}}),
        ],
    )
    yield (
        "labels",
        [
            post(CM, labelled("r6", **{"a b": "c", "x": "-y"})),
            post(CM, {**cm("r6"), "metadata": {"name": "r6", "annotations": {"a b": "c"}}}),
        ],
    )
    yield "data keys", [post(CM, cm("r7", data={"a/b": "x"}))]
    yield (
        "namespace is missing",
        [post("/api/v1/namespaces/nope/configmaps", cm("r8")), apply("/api/v1/namespaces/nope/configmaps", cm("r8"))],
    )
    yield (
        "not found",
        [
            get(CM, "zzz"),
            Ask("GET", "/apis/foo.io/v1/bars"),
            Ask("GET", "/api/v1/bars"),
            Ask("PUT", f"{CM}/zzz", cm("zzz")),
            merge(CM, "zzz", {}),
            Ask("DELETE", f"{CM}/zzz"),
        ],
    )
    yield "method", [Ask("PUT", CM, cm("a")), Ask("POST", f"{CM}/a", cm("a"))]
    yield (
        "stale version",
        [
            post(CM, cm("r9")),
            Ask("PUT", f"{CM}/r9", {**cm("r9"), "metadata": {"name": "r9", "resourceVersion": "1"}}),
            merge(CM, "r9", {"metadata": {"resourceVersion": "1"}}),
            apply(CM, {**cm("r9"), "metadata": {"name": "r9", "resourceVersion": "1"}}),
            Ask("DELETE", f"{CM}/r9", {"preconditions": {"resourceVersion": "1"}}),
            Ask("DELETE", f"{CM}/r9", {"preconditions": {"uid": "x"}}),
            Ask("PUT", f"{CM}/r9", {**cm("r9"), "metadata": {"name": "r9", "uid": "x"}}),
            merge(CM, "r9", {"metadata": {"name": "other"}}),
        ],
    )
    yield (
        "apply options",
        [
            Ask("PATCH", f"{CM}/r10", cm("r10"), APPLY),
            Ask("PATCH", f"{CM}/r10?force=true", {}, MERGE),
            post(CM, cm("r10"), "?dryRun=Foo"),
            post(CM, cm("r10"), "?fieldValidation=Foo"),
            Ask("PATCH", f"{CM}/r10", {}, "application/json"),
            apply(CM, {**cm("r10"), "metadata": {"name": "r10", "managedFields": [{}]}}),
            Ask("PATCH", f"{CM}/r10?fieldManager=m", {**cm("r10"), "kind": "Secret"}, APPLY),
            Ask("PATCH", f"{CM}/r10?fieldManager=m", cm("other"), APPLY),
        ],
    )
    yield (
        "apply types",
        [
            apply(CM, cm("r11", data={"x": 1})),
            apply(CM, cm("r11", foo=1)),
            apply(DEPLOYMENT, deployment("r11", {"name": "c", "image": "x"}, {"name": "c", "image": "y"})),
            apply(DEPLOYMENT, deployment("r11", {"image": "x"})),
            apply(DEPLOYMENT, deployment("r11", replicas="x")),
            apply(DEPLOYMENT, {**deployment("r11"), "spec": [1]}),
            apply(DEPLOYMENT, deployment("r11", strategy="x")),
        ],
    )
    yield (
        "deployments",
        [
            post(DEPLOYMENT, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "r12"}, "spec": {}}),
            post(DEPLOYMENT, deployment("r12", selector={"matchLabels": {"z": "z"}})),
            post(
                DEPLOYMENT,
                deployment(
                    "r12", {"name": "c", "image": "x"}, {"image": "x"}, {"name": "n"}, {"name": "c", "image": "n"}
                ),
            ),
            post(
                DEPLOYMENT,
                deployment("r12", {"name": "c", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}),
            ),
            post(DEPLOYMENT, deployment("r12", replicas=-1)),
            post(DEPLOYMENT, deployment("r12", {"name": "c", "image": "x", "ports": [{"containerPort": 0}]})),
        ],
    )
    yield (
        "immutable",
        [
            post(DEPLOYMENT, deployment("r13")),
            apply(
                DEPLOYMENT,
                deployment(
                    "r13",
                    selector={"matchLabels": {"app": "r13", "x": "y"}},
                    template={
                        "metadata": {"labels": {"app": "r13", "x": "y"}},
                        "spec": {"containers": [{"name": "c", "image": "i"}]},
                    },
                ),
                force=True,
            ),
            post(CM, cm("r13", immutable=True, data={"a": "b"})),
            merge(CM, "r13", {"data": {"a": "c"}}),
            merge(CM, "r13", {"immutable": False}),
            post(SECRET, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "r13"}}),
            merge(SECRET, "r13", {"type": "foo"}),
            post(SECRET, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "r13b"}, "data": {"a": "b!"}}),
            post(SERVICE, service("r13", clusterIP="10.0.0.77")),
            merge(SERVICE, "r13", {"spec": {"clusterIP": "10.0.0.78"}}),
            post(SERVICE, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "r13b"}, "spec": {}}),
        ],
    )
    yield (
        "deletion",
        [
            Ask("DELETE", "/api/v1/namespaces/default"),
            Ask("DELETE", f"{CM}/r1", {"propagationPolicy": "X"}),
            Ask("DELETE", f"{CM}/r1"),
            Ask("DELETE", f"{CM}/r1"),
        ],
    )
    yield (
        "list options",
        [
            Ask("GET", f"{CM}?fieldSelector=foo%3Db"),
            Ask("GET", f"{CM}?resourceVersion=abc"),
            Ask("GET", f"{CM}?watch=1&sendInitialEvents=true&timeoutSeconds=1"),
        ],
    )


def lists() -> Iterator[Scenario]:
    made = [post(CM, labelled(f"s{index}", set="s", odd=str(index % 2))) for index in range(3)]
    yield (
        "selectors",
        [
            *made,
            Ask("GET", f"{CM}?labelSelector=set%3Ds"),
            Ask("GET", f"{CM}?labelSelector=set%3Ds,odd+in+(1)"),
            Ask("GET", f"{CM}?labelSelector=set%3Ds,odd!%3D1"),
            Ask("GET", f"{CM}?labelSelector=set,!odd"),
            Ask("GET", f"{CM}?fieldSelector=metadata.name%3Ds1"),
            Ask("DELETE", f"{CM}?labelSelector=set%3Ds"),
            Ask("GET", f"{CM}?labelSelector=set%3Ds"),
        ],
    )


def deletions() -> Iterator[Scenario]:
    yield (
        "finalizers hold",
        [
            post(CM, {**cm("d1"), "metadata": {"name": "d1", "finalizers": ["x.io/a"]}}),
            Ask("DELETE", f"{CM}/d1"),
            merge(CM, "d1", {"metadata": {"finalizers": ["x.io/a", "x.io/b"]}}),
            merge(CM, "d1", {"metadata": {"finalizers": None}}),
            get(CM, "d1"),
        ],
    )
    yield (
        "a namespace terminates",
        [
            post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "d2"}}),
            Ask("DELETE", "/api/v1/namespaces/d2"),
            post("/api/v1/namespaces/d2/configmaps", cm("x")),
        ],
    )


def kinds() -> Iterator[Scenario]:
    pod = {
        "metadata": {"labels": {"app": "k"}},
        "spec": {"containers": [{"name": "c", "image": "i:1", "livenessProbe": {"tcpSocket": {"port": 1}}}]},
    }
    once = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "repo/i"}]}}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    yield (
        "statefulset",
        [
            post(
                "/apis/apps/v1/namespaces/default/statefulsets",
                {
                    "apiVersion": "apps/v1",
                    "kind": "StatefulSet",
                    "metadata": {"name": "k"},
                    "spec": {
                        "serviceName": "k",
                        "selector": {"matchLabels": {"app": "k"}},
                        "template": pod,
                        "volumeClaimTemplates": [
                            {
                                "metadata": {"name": "v"},
                                "spec": {
                                    "accessModes": ["ReadWriteOnce"],
                                    "resources": {"requests": {"storage": "1Gi"}},
                                },
                            }
                        ],
                    },
                },
            ),
        ],
    )
    yield (
        "daemonset",
        [
            post(
                "/apis/apps/v1/namespaces/default/daemonsets",
                {
                    "apiVersion": "apps/v1",
                    "kind": "DaemonSet",
                    "metadata": {"name": "k"},
                    "spec": {"selector": {"matchLabels": {"app": "k"}}, "template": pod},
                },
            )
        ],
    )
    yield (
        "job",
        [
            post(
                "/apis/batch/v1/namespaces/default/jobs",
                {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "k"}, "spec": {"template": once}},
            ),
            apply(
                "/apis/batch/v1/namespaces/default/jobs",
                {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "k2"}, "spec": {"template": once}},
            ),
            apply(
                "/apis/batch/v1/namespaces/default/jobs",
                {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "k2"}, "spec": {"template": once}},
            ),
        ],
    )
    yield (
        "cronjob",
        [
            post(
                "/apis/batch/v1/namespaces/default/cronjobs",
                {
                    "apiVersion": "batch/v1",
                    "kind": "CronJob",
                    "metadata": {"name": "k"},
                    "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": once}}},
                },
            )
        ],
    )
    yield (
        "services of every type",
        [
            post(SERVICE, service("k-lb", type="LoadBalancer")),
            post(SERVICE, service("k-np", {"port": 80, "nodePort": 30123}, type="NodePort")),
            post(SERVICE, service("k-head", clusterIP="None")),
            post(
                SERVICE,
                {
                    "apiVersion": "v1",
                    "kind": "Service",
                    "metadata": {"name": "k-ext"},
                    "spec": {"type": "ExternalName", "externalName": "x.org"},
                },
            ),
        ],
    )
    yield (
        "volumes and probes",
        [
            post(
                DEPLOYMENT,
                {
                    **deployment("k-vol"),
                    "spec": {
                        "selector": {"matchLabels": {"app": "k"}},
                        "template": {
                            "metadata": {"labels": {"app": "k"}},
                            "spec": {
                                "serviceAccountName": "robot",
                                "initContainers": [{"name": "i", "image": "i@sha256:" + "0" * 64}],
                                "containers": [
                                    {
                                        "name": "c",
                                        "image": "reg:5000/i",
                                        "readinessProbe": {"httpGet": {"port": 80}},
                                        "lifecycle": {"preStop": {"httpGet": {"port": 80}}},
                                        "env": [
                                            {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
                                        ],
                                        "securityContext": {},
                                        "resources": {"limits": {"cpu": "2"}},
                                    }
                                ],
                                "volumes": [
                                    {"name": "a", "configMap": {"name": "x"}},
                                    {"name": "b", "secret": {"secretName": "x"}},
                                    {"name": "c", "emptyDir": {}},
                                    {"name": "d", "hostPath": {"path": "/x"}},
                                    {"name": "e", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
                                    {"name": "f"},
                                ],
                            },
                        },
                    },
                },
            )
        ],
    )
    yield (
        "claim",
        [
            post(
                "/api/v1/namespaces/default/persistentvolumeclaims",
                {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "metadata": {"name": "k"},
                    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
                },
            )
        ],
    )
    yield (
        "ingress",
        [
            post(
                "/apis/networking.k8s.io/v1/namespaces/default/ingresses",
                {
                    "apiVersion": "networking.k8s.io/v1",
                    "kind": "Ingress",
                    "metadata": {"name": "k"},
                    "spec": {
                        "rules": [
                            {
                                "http": {
                                    "paths": [
                                        {
                                            "path": "/",
                                            "pathType": "Prefix",
                                            "backend": {"service": {"name": "k", "port": {"number": 80}}},
                                        }
                                    ]
                                }
                            }
                        ]
                    },
                },
            )
        ],
    )
    yield (
        "network policy",
        [
            post(
                "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies",
                {
                    "apiVersion": "networking.k8s.io/v1",
                    "kind": "NetworkPolicy",
                    "metadata": {"name": "k"},
                    "spec": {"ingress": [{"ports": [{"port": 80}]}]},
                },
            )
        ],
    )
    yield (
        "roles",
        [
            post(
                "/apis/rbac.authorization.k8s.io/v1/clusterroles",
                {
                    "apiVersion": "rbac.authorization.k8s.io/v1",
                    "kind": "ClusterRole",
                    "metadata": {"name": "k:x"},
                    "rules": rules,
                },
            ),
            post(
                "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
                {
                    "apiVersion": "rbac.authorization.k8s.io/v1",
                    "kind": "RoleBinding",
                    "metadata": {"name": "k"},
                    "roleRef": {"kind": "ClusterRole", "name": "k:x"},
                    "subjects": [
                        {"kind": "User", "name": "u"},
                        {"kind": "ServiceAccount", "name": "s", "namespace": "default"},
                    ],
                },
            ),
            merge(
                "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
                "k",
                {"roleRef": {"name": "other"}},
            ),
        ],
    )
    yield (
        "autoscaler",
        [
            post(
                "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
                {
                    "apiVersion": "autoscaling/v2",
                    "kind": "HorizontalPodAutoscaler",
                    "metadata": {"name": "k"},
                    "spec": {
                        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "k"},
                        "maxReplicas": 3,
                        "metrics": [
                            {
                                "type": "Resource",
                                "resource": {
                                    "name": "cpu",
                                    "target": {"type": "Utilization", "averageUtilization": 50},
                                },
                            }
                        ],
                    },
                },
            ),
        ],
    )
    yield (
        "disruption budget",
        [
            post(
                "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
                {
                    "apiVersion": "policy/v1",
                    "kind": "PodDisruptionBudget",
                    "metadata": {"name": "k"},
                    "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "k"}}},
                },
            )
        ],
    )
    yield (
        "classes",
        [
            post(
                "/apis/storage.k8s.io/v1/storageclasses",
                {
                    "apiVersion": "storage.k8s.io/v1",
                    "kind": "StorageClass",
                    "metadata": {"name": "k"},
                    "provisioner": "x.io/p",
                },
            ),
            post(
                "/apis/scheduling.k8s.io/v1/priorityclasses",
                {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "k"}, "value": 5},
            ),
            post(
                "/apis/networking.k8s.io/v1/ingressclasses",
                {
                    "apiVersion": "networking.k8s.io/v1",
                    "kind": "IngressClass",
                    "metadata": {"name": "k"},
                    "spec": {"controller": "x.io/c"},
                },
            ),
        ],
    )
    yield (
        "lease, account, namespace, quota",
        [
            post(
                "/apis/coordination.k8s.io/v1/namespaces/default/leases",
                {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {"name": "k"},
                    "spec": {
                        "holderIdentity": "me",
                        "leaseDurationSeconds": 15,
                        "renewTime": "2026-01-01T00:00:00.000000Z",
                    },
                },
            ),
            post(
                "/api/v1/namespaces/default/serviceaccounts",
                {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "k"}},
            ),
            apply(
                "/api/v1/namespaces",
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "k", "labels": {"a": "b"}}},
            ),
            apply("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "k"}}),
            post(
                "/api/v1/namespaces/default/limitranges",
                {
                    "apiVersion": "v1",
                    "kind": "LimitRange",
                    "metadata": {"name": "k"},
                    "spec": {"limits": [{"type": "Pod", "max": {"cpu": "8000m"}}]},
                },
            ),
        ],
    )
    yield (
        "webhooks",
        [
            post(
                "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
                {
                    "apiVersion": "admissionregistration.k8s.io/v1",
                    "kind": "ValidatingWebhookConfiguration",
                    "metadata": {"name": "k"},
                    "webhooks": [
                        {
                            "name": "a.x.io",
                            "admissionReviewVersions": ["v1"],
                            "sideEffects": "None",
                            "failurePolicy": "Ignore",
                            "clientConfig": {"service": {"name": "s", "namespace": "nowhere"}},
                            "rules": [
                                {
                                    "operations": ["CREATE"],
                                    "apiGroups": ["nope.io"],
                                    "apiVersions": ["v1"],
                                    "resources": ["nopes"],
                                }
                            ],
                        }
                    ],
                },
            ),
        ],
    )


def widgets() -> Json:
    spec = {
        "type": "object",
        "required": ["size"],
        "properties": {
            "size": {"type": "integer", "minimum": 1},
            "mode": {"type": "string", "default": "fast", "enum": ["fast", "slow"]},
            "replicas": {"type": "integer"},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "either": {"x-kubernetes-int-or-string": True},
            "parts": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string", "maxLength": 5},
                        "count": {"type": "integer", "default": 1},
                    },
                },
            },
            "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "plain": {"type": "array", "items": {"type": "string"}},
        },
    }
    schema = {
        "type": "object",
        "properties": {
            "spec": spec,
            "status": {"type": "object", "properties": {"ready": {"type": "boolean"}, "replicas": {"type": "integer"}}},
        },
    }
    versions = [
        {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": schema},
            "subresources": {
                "status": {},
                "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
            },
        },
        {
            "name": "v1beta1",
            "served": True,
            "storage": False,
            "schema": {"openAPIV3Schema": schema},
            "subresources": {"status": {}},
        },
    ]
    names = {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.demo.io"},
        "spec": {"group": "demo.io", "scope": "Namespaced", "names": names, "versions": versions},
    }


def widget(name: str, version: str = "v1", **spec: Any) -> Json:
    return {"apiVersion": f"demo.io/{version}", "kind": "Widget", "metadata": {"name": name}, "spec": spec}


def custom_resources() -> Iterator[Scenario]:
    path, beta = "/apis/demo.io/v1/namespaces/default/widgets", "/apis/demo.io/v1beta1/namespaces/default/widgets"
    yield "definition", [Ask("GET", path), post(CRD, widgets())]
    yield (
        "custom resources are pruned and defaulted",
        [
            post(path, widget("c1", size=1, other=2, free={"x": {"y": 1}}, parts=[{"name": "a"}])),
            post(path, widget("c1s", size=1, other=2), "?fieldValidation=Strict"),
        ],
    )
    yield (
        "custom resources are validated",
        [
            post(path, widget("c2")),
            post(path, widget("c2", size=0, mode="other", parts=[{"name": "toolong"}])),
            post(path, widget("c2", size="x", plain=1)),
            post(path, widget("c2", size=1, parts=[{"count": 1}])),
            post(path, widget("c2", size=1, tags=["a", "a"])),
        ],
    )
    yield (
        "custom resources are applied",
        [
            apply(path, widget("c3", size=1, parts=[{"name": "a"}], tags=["x"], plain=["p"], free={"k": {"l": 1}})),
            apply(path, widget("c3", size=1, parts=[{"name": "b", "count": 2}], tags=["y"]), "two"),
            apply(path, widget("c3", size=1, parts=[{"name": "a", "count": 3}], tags=["x"])),
            apply(path, widget("c3", size=2), "two"),
            apply(path, widget("c3", size=1, other=2)),
            apply(path, widget("c3", size=1, mode=None)),
            apply(path, widget("c3", size=1)),
        ],
    )
    yield (
        "custom generation and status",
        [
            post(path, {**widget("c4", size=1), "status": {"ready": True}}),
            merge(path, "c4", {"metadata": {"labels": {"a": "b"}}}),
            merge(path, "c4", {"status": {"ready": True}}),
            Ask(
                "PATCH",
                f"{path}/c4/status?fieldManager=ctl",
                {"status": {"ready": True}, "spec": {"size": 9}, "metadata": {"labels": {"a": "c"}}},
                MERGE,
            ),
            merge(path, "c4", {"spec": {"size": 2}}),
            merge(path, "c4", {"spec": {"size": None}}),
        ],
    )
    yield (
        "custom scale",
        [
            post(path, widget("c5", size=1, replicas=2)),
            Ask("GET", f"{path}/c5/scale"),
            Ask("PATCH", f"{path}/c5/scale?fieldManager=scaler", {"spec": {"replicas": 4}}, MERGE),
            get(path, "c5"),
        ],
    )
    yield (
        "other version",
        [
            post(path, widget("c6", size=1)),
            get(beta, "c6"),
            apply(beta, widget("c6", "v1beta1", size=2)),
            get(path, "c6"),
        ],
    )
    yield "strategic merge is refused", [Ask("PATCH", f"{path}/c6", {"spec": {"size": 3}}, STRATEGIC)]
    yield "discovery of a custom group", [Ask("GET", "/apis/demo.io"), Ask("GET", "/apis/demo.io/v1")]


def empty_values() -> Iterator[Scenario]:
    container = {
        "name": "c",
        "image": "i:1",
        "env": [],
        "args": [],
        "ports": [],
        "resources": {"limits": {}},
        "securityContext": {},
    }
    yield (
        "empty collections are left out",
        [
            post(CM, cm("e1", data={})),
            apply(CM, cm("e2", data={})),
            apply(CM, cm("e2", data={})),
            post(CM, labelled("e3")),
            post(DEPLOYMENT, deployment("e4", container)),
            apply(DEPLOYMENT, deployment("e5", container)),
            apply(DEPLOYMENT, deployment("e5", {"name": "c", "image": "i:1"})),
        ],
    )
    yield "zero replicas stay", [post(DEPLOYMENT, deployment("e6", replicas=0))]
    yield (
        "strategies",
        [
            post(DEPLOYMENT, deployment("e7", strategy={"type": "X"})),
            post(DEPLOYMENT, deployment("e7", strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}})),
            post(DEPLOYMENT, deployment("e7", strategy={"rollingUpdate": {"maxSurge": 1}})),
        ],
    )
    yield (
        "metadata of other types",
        [
            post(CM, {**cm("e8"), "metadata": {"name": "e8", "labels": {"a": 1}}}),
            post(CM, {**cm("e8"), "metadata": {"name": "e8", "ownerReferences": [{"kind": "X", "name": "y"}]}}),
            post(
                CM,
                {
                    **cm("e8"),
                    "metadata": {
                        "generateName": "e8-",
                        "name": "e8x",
                        "generation": 7,
                        "uid": "mine",
                        "resourceVersion": "",
                    },
                },
            ),
            post(CM, {**cm("e9"), "metadata": {"name": "e9", "resourceVersion": "1"}}),
            Ask("POST", CM, {**cm("e9"), "kind": "Secret"}),
        ],
    )
    yield (
        "impossible definitions",
        [
            post(
                CRD,
                {
                    "apiVersion": "apiextensions.k8s.io/v1",
                    "kind": "CustomResourceDefinition",
                    "metadata": {"name": "x.y"},
                    "spec": {
                        "group": "y",
                        "scope": "Namespaced",
                        "names": {"plural": "z", "kind": "Z"},
                        "versions": [
                            {
                                "name": "v1",
                                "served": True,
                                "storage": True,
                                "schema": {"openAPIV3Schema": {"type": "object"}},
                            }
                        ],
                    },
                },
            ),
        ],
    )


def subresources_and_lifecycles() -> Iterator[Scenario]:
    status = f"{DEPLOYMENT}/m1/status"
    applied = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "m1"}, "status": {"replicas": 2}}
    yield (
        "apply to a status",
        [
            post(DEPLOYMENT, deployment("m1")),
            Ask("PATCH", f"{status}?fieldManager=ctl", applied, APPLY),
            Ask("PATCH", f"{status}?fieldManager=ctl", applied, APPLY),
            Ask("PATCH", f"{status}?fieldManager=other", {**applied, "status": {"replicas": 3}}, APPLY),
            Ask("PUT", f"{status}?fieldManager=putter", {**deployment("m1", replicas=9), "status": {"replicas": 4}}),
            Ask("GET", status),
        ],
    )
    yield (
        "apply to the status of nothing",
        [
            Ask(
                "PATCH",
                f"{DEPLOYMENT}/nothing/status?fieldManager=ctl",
                {**applied, "metadata": {"name": "nothing"}},
                APPLY,
            )
        ],
    )
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m2", "finalizers": ["x.io/a"]}}
    yield (
        "an object that is being deleted can still be written",
        [
            apply(CM, held),
            Ask("DELETE", f"{CM}/m2"),
            apply(CM, {**held, "data": {"a": "1"}}),
            apply(CM, cm("m2")),
            get(CM, "m2"),
        ],
    )
    yield (
        "deletion policies leave finalizers",
        [
            post(CM, cm("m3")),
            Ask("DELETE", f"{CM}/m3", {"propagationPolicy": "Foreground", "dryRun": ["All"]}),
            Ask("DELETE", f"{CM}/m3", {"propagationPolicy": "Background"}),
        ],
    )
    yield (
        "dry runs of every verb",
        [
            post(CM, cm("m4", data={"a": "1"}), "?dryRun=All&fieldManager=creator"),
            post(CM, cm("m4", data={"a": "1"})),
            Ask("PUT", f"{CM}/m4?dryRun=All", cm("m4", data={"a": "2"})),
            Ask("PATCH", f"{CM}/m4?dryRun=All", {"data": {"b": "1"}}, MERGE),
            Ask("DELETE", f"{CM}/m4?dryRun=All"),
            get(CM, "m4"),
        ],
    )
    yield (
        "versions as preconditions",
        [
            post(CM, cm("m5")),
            merge(CM, "m5", {"metadata": {"uid": "x"}}),
            apply(CM, {**cm("m5"), "metadata": {"name": "m5", "uid": "x"}}),
            Ask("DELETE", f"{CM}/m5", {"preconditions": {"uid": "x", "resourceVersion": "1"}}),
        ],
    )
    yield (
        "annotations of kubectl",
        [
            post(
                CM,
                {
                    **cm("m6", data={"a": "1"}),
                    "metadata": {
                        "name": "m6",
                        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
                    },
                },
                "?fieldManager=kubectl-client-side-apply",
            ),
            apply(CM, cm("m6", data={"a": "2"}), "other"),
            apply(CM, cm("m6", data={"a": "2"}), "other", force=True),
        ],
    )
    yield (
        "unknown fields of a patch",
        [
            post(CM, cm("m7")),
            Ask("PATCH", f"{CM}/m7?fieldValidation=Warn", {"foo": 1}, MERGE),
            Ask("PATCH", f"{CM}/m7?fieldValidation=Ignore", {"foo": 1}, MERGE),
            Ask("PATCH", f"{CM}/m7?fieldManager=x&fieldValidation=Ignore", cm("m7", foo=1), APPLY),
        ],
    )
    yield (
        "namespaces",
        [
            post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "UPPER"}}),
            post(
                "/api/v1/namespaces",
                {
                    "apiVersion": "v1",
                    "kind": "Namespace",
                    "metadata": {"name": "m8", "labels": {"kubernetes.io/metadata.name": "other"}},
                },
            ),
            Ask("PUT", "/api/v1/namespaces/m8", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "m8"}}),
            Ask("DELETE", "/api/v1/namespaces/m8"),
            Ask("DELETE", "/api/v1/namespaces/m8"),
            Ask(
                "PATCH",
                "/api/v1/namespaces/m8?fieldManager=x",
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "m8"}},
                APPLY,
            ),
            Ask("PATCH", "/api/v1/namespaces/m8/configmaps/x?fieldManager=x", cm("x"), APPLY),
        ],
    )
    yield (
        "a namespaced object without a namespace",
        [
            Ask("POST", "/api/v1/configmaps", cm("x")),
            Ask("GET", "/api/v1/configmaps/x"),
            Ask("DELETE", "/api/v1/configmaps"),
            Ask("GET", "/api/v1/namespaces/default/namespaces/x"),
        ],
    )


def every() -> list[Scenario]:
    groups = (
        ownership,
        ownership_of_lists,
        updates,
        refusals,
        lists,
        deletions,
        kinds,
        custom_resources,
        empty_values,
        subresources_and_lifecycles,
    )
    return [scenario for group in groups for scenario in group()]
