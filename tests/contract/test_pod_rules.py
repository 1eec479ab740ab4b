"""What a server has against a container, whatever kind it stands in, and against how pods are spread."""

from __future__ import annotations

from typing import Any

import pytest
from contract.wire import Json, Wire, deployment, deployments

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

HTTP: Json = {"httpGet": {"port": 80}}
HANDLER = "Required value: must specify a handler type"
PORT = "Invalid value: 0: must be between 1 and 65535, inclusive"
ONE = "Forbidden: may not specify more than 1 handler type"

CASES: list[tuple[Json, dict[str, str]]] = [
    ({"readinessProbe": {}}, {"readinessProbe": HANDLER}),
    ({"readinessProbe": {**HTTP, "exec": {"command": ["x"]}}}, {"readinessProbe.httpGet": ONE}),
    ({"readinessProbe": {"httpGet": {"path": "/"}}}, {"readinessProbe.httpGet.port": PORT}),
    ({"readinessProbe": {"httpGet": {"port": "A"}}}, {"readinessProbe.httpGet.port": 'Invalid value: "A": '}),
    (
        {"readinessProbe": {"httpGet": {"port": 1, "scheme": "FTP"}}},
        {"readinessProbe.httpGet.scheme": 'Unsupported value: "FTP": supported values: "HTTP", "HTTPS"'},
    ),
    ({"livenessProbe": {"tcpSocket": {}}}, {"livenessProbe.tcpSocket.port": PORT}),
    ({"startupProbe": {"exec": {}}}, {"startupProbe.exec.command": "Required value"}),
    ({"startupProbe": {"grpc": {"port": 0}}}, {"startupProbe.grpc.port": PORT}),
    (
        {"livenessProbe": {**HTTP, "successThreshold": 2}},
        {"livenessProbe.successThreshold": "Invalid value: 2: must be 1"},
    ),
    (
        {"readinessProbe": {**HTTP, "periodSeconds": -1}},
        {"readinessProbe.periodSeconds": "Invalid value: -1: must be greater than or equal to 0"},
    ),
    ({"lifecycle": {"preStop": {}}}, {"lifecycle.preStop": HANDLER}),
    ({"ports": [{"containerPort": 1, "name": "_"}]}, {"ports[0].name": 'Invalid value: "_": '}),
    (
        {"ports": [{"containerPort": 1, "protocol": "IP"}]},
        {"ports[0].protocol": 'Unsupported value: "IP": supported values: "SCTP", "TCP", "UDP"'},
    ),
    (
        {"ports": [{"containerPort": 1, "hostPort": 70000}]},
        {"ports[0].hostPort": "Invalid value: 70000: must be between 1 and 65535, inclusive"},
    ),
    (
        {"env": [{"name": "a=b"}]},
        {"env[0].name": 'Invalid value: "a=b": a valid environment variable name must consist'},
    ),
    (
        {"env": [{"name": "a", "valueFrom": {}}]},
        {"env[0].valueFrom": 'Invalid value: "": must specify one of: `fieldRef`'},
    ),
    (
        {"env": [{"name": "a", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
        {"env[0].valueFrom": 'Invalid value: "": may not be specified when `value` is not empty'},
    ),
    (
        {"env": [{"name": "a", "valueFrom": {"secretKeyRef": {"name": "x"}}}]},
        {"env[0].valueFrom.secretKeyRef.key": "Required value"},
    ),
    ({"envFrom": [{}]}, {"envFrom": 'Invalid value: "": must specify one of: `configMapRef` or `secretRef`'}),
    ({"envFrom": [{"secretRef": {}}]}, {"envFrom[0].secretRef.name": "Required value"}),
    (
        {"resources": {"requests": {"memory": "2048Mi"}, "limits": {"memory": "1Gi"}}},
        {"resources.requests": 'Invalid value: "2Gi": must be less than or equal to memory limit of 1Gi'},
    ),
    (
        {"resources": {"limits": {"cpu": "-1"}}},
        {"resources.limits[cpu]": 'Invalid value: "-1": must be greater than or equal to 0'},
    ),
    (
        {"resources": {"limits": {"pods": "1"}}},
        {"resources.limits[pods]": 'Invalid value: "pods": must be a standard resource for containers'},
    ),
    (
        {"terminationMessagePolicy": "None"},
        {"terminationMessagePolicy": 'Unsupported value: "None": supported values: "File", "FallbackToLogsOnError"'},
    ),
]


@pytest.mark.parametrize(("container", "expected"), CASES, ids=[str(each) for each, _ in CASES])
async def test_what_is_wrong_with_a_container(wire: Wire, container: Json, expected: dict[str, str]) -> None:
    body: Any = deployment("a")
    body["spec"]["template"]["spec"]["containers"][0] |= container
    heard = await wire.ask("POST", f"{deployments(await wire.namespace())}", body)
    assert heard.status == 422, heard.body
    found = {cause["field"]: cause["message"] for cause in heard.body["details"]["causes"]}
    found = {field.removeprefix("spec.template.spec.containers[0]."): told for field, told in found.items()}
    assert found.keys() == expected.keys()
    assert all(found[field].startswith(told) for field, told in expected.items()), found


ZONE = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
NO_SKEW = "Invalid value: 0: must be greater than zero"
WAYS = 'supported values: "DoNotSchedule", "ScheduleAnyway"'


@pytest.mark.parametrize(
    ("constraints", "causes"),
    [
        ([ZONE], []),
        ([{"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}], [("[0].maxSkew", NO_SKEW)]),
        (
            [{"maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": "X"}],
            [
                ("[0].maxSkew", NO_SKEW),
                ("[0].topologyKey", "Required value: can not be empty"),
                ("[0].whenUnsatisfiable", f'Unsupported value: "X": {WAYS}'),
            ],
        ),
        (
            [ZONE, {**ZONE, "minDomains": 0}],
            [
                ("[0].{topologyKey, whenUnsatisfiable}", 'Duplicate value: "{zone, DoNotSchedule}"'),
                ("[1].minDomains", NO_SKEW),
            ],
        ),
        (
            [{**ZONE, "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2, "nodeAffinityPolicy": "x"}],
            [
                (
                    "[0].minDomains",
                    "Invalid value: 2: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
                ),
                ("[0].nodeAffinityPolicy", 'Unsupported value: "x": supported values: "Honor", "Ignore"'),
            ],
        ),
        (
            [{**ZONE, "matchLabelKeys": ["a"]}],
            [("[0].matchLabelKeys", "Forbidden: must not be specified when labelSelector is not set")],
        ),
    ],
)
async def test_how_a_pod_may_be_spread(wire: Wire, constraints: list[Json], causes: list[tuple[str, str]]) -> None:
    body = deployment("a")
    body["spec"]["template"]["spec"]["topologySpreadConstraints"] = constraints

    heard = await wire.ask("POST", deployments(await wire.namespace()), body)

    path = "spec.template.spec.topologySpreadConstraints"
    found = [(c["field"], c["message"]) for c in (heard.body.get("details") or {}).get("causes", ())]
    assert sorted(found) == sorted((f"{path}{field}", message) for field, message in causes)


MANY = "Forbidden: may not specify more than 1 volume type"
BACK = "must not contain '..'"
SECRET: Json = {"secretName": "s"}
VOLUMES: list[tuple[Json, dict[str, str]]] = [
    ({"configMap": {"name": "c"}, "secret": SECRET}, {".configMap": MANY}),
    ({"emptyDir": {}, "secret": {}, "downwardAPI": {}}, {".secret": MANY, ".downwarAPI": MANY}),
    ({"cephfs": {"monitors": ["a"]}, "image": {"reference": "i"}, "hostPath": {"path": "/"}}, {".cephFS": MANY, ".image": MANY}),
    ({"configMap": {}}, {".configMap.name": "Required value"}),
    ({"secret": {"defaultMode": 512}}, {
        ".secret.secretName": "Required value",
        ".secret.defaultMode": "Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive",
    }),
    ({"secret": {**SECRET, "items": [{"key": "", "path": "../x"}]}}, {
        ".secret.items[0].key": "Required value",
        ".secret.items[0].path": f'Invalid value: "../x": {BACK}',
    }),
    ({"secret": {**SECRET, "items": [{"key": "k", "path": "/a"}]}}, {".secret.items[0].path": 'Invalid value: "/a": must be a relative path'}),
    ({"persistentVolumeClaim": {"claimName": ""}}, {".persistentVolumeClaim.claimName": "Required value"}),
    ({"hostPath": {"path": "/a/../b", "type": "Dir"}}, {
        ".hostPath.path": f'Invalid value: "/a/../b": {BACK}',
        ".hostPath.type": 'Unsupported value: "Dir": supported values: "", "BlockDevice", "CharDevice", "Directory", ',
    }),
    ({"nfs": {"server": "", "path": "a"}}, {
        ".nfs.server": "Required value",
        ".nfs.path": 'Invalid value: "a": must be an absolute path',
    }),
    ({"downwardAPI": {"items": [{"path": "a"}]}}, {".downwardAPI": "Required value: one of fieldRef and resourceFieldRef is required"}),
    ({"projected": {"sources": [{"secret": {"name": "a"}, "configMap": {"name": ""}}]}}, {
        ".projected.sources[0]": "Forbidden: may not specify more than 1 volume type per source",
        ".projected.sources[0].configMap.name": "Required value",
    }),
    ({"projected": {"sources": [{"serviceAccountToken": {"path": "", "expirationSeconds": 1}}]}}, {
        ".projected.path": "Required value",
        ".projected.sources[0].serviceAccountToken.expirationSeconds": "Invalid value: 1: may not specify a duration less than 10 minutes",
    }),
    ({"projected": {"sources": [{"secret": {"name": n, "items": [{"key": "k", "path": "p"}]}} for n in "ab"]}}, {
        ".projected": 'Invalid value: "b": conflicting duplicate paths',
    }),
]  # fmt: skip


@pytest.mark.parametrize(("volume", "expected"), VOLUMES, ids=[str(each) for each, _ in VOLUMES])
async def test_what_is_wrong_with_a_volume(wire: Wire, volume: Json, expected: dict[str, str]) -> None:
    """What mounts it does not find it then."""
    body: Any = deployment("a")
    body["spec"]["template"]["spec"]["volumes"] = [{"name": "v", **volume}]
    body["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = [{"name": "v", "mountPath": "/v"}]
    heard = await wire.ask("POST", f"{deployments(await wire.namespace())}", body)
    assert heard.status == 422, heard.body
    found = {cause["field"]: cause["message"] for cause in heard.body["details"]["causes"]}
    assert found.pop("spec.template.spec.containers[0].volumeMounts[0].name") == 'Not found: "v"'
    found = {field.removeprefix("spec.template.spec.volumes[0]"): told for field, told in found.items()}
    assert found.keys() == expected.keys()
    assert all(found[field].startswith(told) for field, told in expected.items()), found


async def test_what_is_wrong_with_mounts(wire: Wire) -> None:
    body: Any = deployment("a")
    body["spec"]["template"]["spec"]["volumes"] = [{"name": "v"}]
    mounts = [
        {"name": "v", "mountPath": "/v", "subPath": "../x"},
        {"name": "v", "mountPath": "/v", "subPathExpr": "/x"},
    ]
    body["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = mounts
    heard = await wire.ask("POST", f"{deployments(await wire.namespace())}", body)
    causes = heard.body["details"]["causes"]
    path = "spec.template.spec.containers[0].volumeMounts"
    assert sorted((cause["field"].removeprefix(path), cause["message"]) for cause in causes) == [
        (".subPath", f'Invalid value: "../x": {BACK}'),
        (".subPathExpr", 'Invalid value: "/x": must be a relative path'),
        ("[1].mountPath", 'Invalid value: "/v": must be unique'),
    ]


SUBDOMAIN = "a lowercase RFC 1123 subdomain must consist of"
LABEL = "a lowercase RFC 1123 label must consist of"
SPECS: list[tuple[Json, dict[str, str]]] = [
    ({"dnsPolicy": "X"}, {"dnsPolicy": 'Unsupported value: "X": supported values: "ClusterFirstWithHostNet", "ClusterFirst", '}),
    ({"preemptionPolicy": "X"}, {"preemptionPolicy": 'Unsupported value: "X": supported values: "PreemptLowerPriority", "Never"'}),
    ({"nodeSelector": {"a b": "c"}}, {"nodeSelector": 'Invalid value: "a b": name part must consist of'}),
    ({"serviceAccountName": "A"}, {"serviceAccountName": f'Invalid value: "A": {SUBDOMAIN}'}),
    ({"priorityClassName": "A"}, {"priorityClassName": f'Invalid value: "A": {SUBDOMAIN}'}),
    ({"hostname": "A", "subdomain": "c.d"}, {"hostname": f'Invalid value: "A": {LABEL}', "subdomain": 'Invalid value: "c.d": must not contain dots'}),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "expected"), SPECS, ids=[str(each) for each, _ in SPECS])
async def test_what_is_wrong_with_a_pod(wire: Wire, spec: Json, expected: dict[str, str]) -> None:
    body: Any = deployment("a")
    body["spec"]["template"]["spec"] |= spec
    heard = await wire.ask("POST", f"{deployments(await wire.namespace())}", body)
    assert heard.status == 422, heard.body
    found = {cause["field"]: cause["message"] for cause in heard.body["details"]["causes"]}
    found = {field.removeprefix("spec.template.spec."): told for field, told in found.items()}
    assert found.keys() == expected.keys()
    assert all(found[field].startswith(told) for field, told in expected.items()), found


async def test_how_long_a_pod_may_live(wire: Wire) -> None:
    """Of pods alone: what a Deployment makes has no end."""
    path = f"/api/v1/namespaces/{await wire.namespace()}/pods"
    spec = {"activeDeadlineSeconds": 0, "containers": [{"name": "c", "image": "i"}]}
    heard = await wire.ask("POST", path, {"metadata": {"name": "a"}, "spec": spec})
    found = {cause["field"]: cause["message"] for cause in heard.body["details"]["causes"]}
    assert found == {"spec.activeDeadlineSeconds": "Invalid value: 0: must be between 1 and 2147483647, inclusive"}
