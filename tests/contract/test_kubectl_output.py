"""kubectl, in the forms that people use daily, prints the same of the sandbox as of a real API server: texts, columns, exit codes.

Nothing settles in the sandbox here, as nothing runs on the real one, which has no nodes. Left out where there is no kubectl.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from contract.wire import Json
from fakes.control_plane import ControlPlane

from gitopsd_plugins.sandbox.cluster import Settings
from gitopsd_plugins.sandbox.server import serve

KUBECTL = shutil.which("kubectl")

pytestmark = [
    pytest.mark.contract,
    pytest.mark.slow,
    pytest.mark.asyncio,
    pytest.mark.timeout(600),
    pytest.mark.skipif(KUBECTL is None, reason="there is no kubectl on the PATH"),
]

VOLATILE = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
    (r"(?m)^(---|\+\+\+|diff -u -N) .*", r"\1 FILE"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"(resourceVersion\"?: )\"?\d+\"?", r"\1VERSION"),
    (r"\b\d+(ms|s|m)\b", "AGE"),
    (r"\b10\.\d+\.\d+\.\d+", "ADDRESS"),
    (r"\b3[0-2]\d\d\d\b", "PORT"),
    (r"\b(web|pod-template-hash=)-?[0-9a-f]{6,10}\b", r"\1-HASH"),
    (r"[ \t]+", " "),
)
"""What no two servers have in common, and the widths of columns that follow from it."""


def listed(*items: Json) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def made(kind: str, version: str = "v1", **content: Any) -> Json:
    metadata = {"name": content.pop("name", "web"), "labels": {"team": "x"}}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


def template(policy: str = "Always") -> Json:
    container = {"name": "main", "image": "nginx:1.27", "ports": [{"containerPort": 80}]}
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"restartPolicy": policy, "containers": [container]}}


SELECTOR = {"matchLabels": {"app": "web"}}
BACKEND = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}
OBJECTS: tuple[Json, ...] = (
    made("Deployment", "apps/v1", spec={"replicas": 0, "selector": SELECTOR, "template": template()}),
    made("StatefulSet", "apps/v1", spec={"replicas": 0, "selector": SELECTOR, "template": template()}),
    made("Job", "batch/v1", spec={"suspend": True, "template": template("Never")}),
    made(
        "CronJob", "batch/v1", spec={"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": template("Never")}}}
    ),
    made("ConfigMap", data={"a": "1"}),
    made("Secret", data={"a": "MQ=="}),
    made("Service", spec={"selector": {"app": "web"}, "ports": [{"port": 80}]}),
    made("Service", name="node", spec={"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80}]}),
    made("Service", name="head", spec={"clusterIP": "None", "ports": [{"port": 80}]}),
    made("ServiceAccount"),
    made("Ingress", "networking.k8s.io/v1", spec={"rules": [{"host": "x.org", "http": {"paths": [BACKEND]}}]}),
    made("NetworkPolicy", "networking.k8s.io/v1", spec={"podSelector": SELECTOR}),
    made(
        "PersistentVolumeClaim", spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    ),
    made("PodDisruptionBudget", "policy/v1", spec={"minAvailable": 1, "selector": SELECTOR}),
    made(
        "HorizontalPodAutoscaler",
        "autoscaling/v2",
        spec={"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
    ),
    made("Role", "rbac.authorization.k8s.io/v1", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]),
    made(
        "RoleBinding",
        "rbac.authorization.k8s.io/v1",
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "web"},
        subjects=[{"kind": "ServiceAccount", "name": "web"}, {"kind": "User", "name": "jane", "apiGroup": ""}],
    ),
    made("LimitRange", spec={"limits": [{"type": "Container", "max": {"cpu": "2"}}]}),
    made("Lease", "coordination.k8s.io/v1", spec={"holderIdentity": "me"}),
)
NEWER = made("ConfigMap", name="ssa", data={"x": "2"})
CHANGED = made("ConfigMap", data={"a": "2", "b": "1"})
OTHER = ["--server-side", "--field-manager=other", "-f", "-"]

Step = Sequence[str] | tuple[Sequence[str], str]

APPLY: list[Step] = [
    (["diff", "-f", "-"], json.dumps(OBJECTS[4])),
    (["apply", "-f", "-"], listed(*OBJECTS)),
    (["apply", "-f", "-"], listed(OBJECTS[0], OBJECTS[4])),
    (["diff", "-f", "-"], json.dumps(CHANGED)),
    (["diff", "-f", "-"], json.dumps(OBJECTS[4])),
    (["apply", "--dry-run=server", "-f", "-"], json.dumps(CHANGED)),
    (["apply", "--dry-run=client", "-f", "-"], json.dumps(CHANGED)),
    (["apply", "-f", "-"], json.dumps(CHANGED)),
    (["diff", "--server-side", "-f", "-"], json.dumps(NEWER)),
    (["apply", "--server-side", "-f", "-"], json.dumps({**NEWER, "data": {"x": "1"}})),
    (["apply", "--server-side", "-f", "-"], json.dumps({**NEWER, "data": {"x": "1"}})),
    (["apply", *OTHER], json.dumps(NEWER)),
    (["apply", "--force-conflicts", *OTHER], json.dumps(NEWER)),
    (["apply", "-f", "-"], json.dumps(made("ConfigMap", name="No_Name"))),
    (["apply", "-f", "-"], json.dumps(made("ConfigMap", other=1))),
    (["apply", "-f", "-"], json.dumps(made("Nothing"))),
    (["create", "-f", "-"], json.dumps(OBJECTS[4])),
]
KINDS = (
    "deployments,statefulsets,jobs,cronjobs",
    "configmaps,secrets,services,serviceaccounts",
    "ingresses,networkpolicies,pvc,pdb,hpa",
    "roles,rolebindings,limitranges,leases",
)
GET: list[Step] = [
    *(["get", kinds] for kinds in KINDS),
    *(["get", kinds, "-o", "wide"] for kinds in KINDS),
    ["get", "deployment", "web", "-o", "yaml"],
    ["get", "configmap", "web", "-o", "json"],
    ["get", "configmap", "ssa", "-o", "yaml", "--show-managed-fields"],
    ["get", "deploy/web", "svc/node"],
    ["get", "deployments", "-o", "name"],
    ["get", "deployments", "-o", "jsonpath={.items[*].spec.template.spec.containers[*].image}"],
    ["get", "services", "-o", "custom-columns=NAME:.metadata.name,TYPE:.spec.type", "--sort-by=.spec.type"],
    ["get", "deployments", "--show-labels", "-L", "team"],
    ["get", "configmaps", "-l", "team=x", "-o", "name"],
    ["get", "configmaps", "-l", "team=x=y"],
    ["get", "configmaps", "--field-selector", "metadata.name=web", "--no-headers"],
    ["get", "configmaps", "--field-selector", "data.a=1"],
    ["get", "configmaps", "--chunk-size=1"],
    ["get", "configmap", "none"],
    ["get", "nothings"],
    ["get", "pods"],
    ["get", "pods", "--as=jane"],
    ["get", "deployments", "-w", "--request-timeout=1s"],
]
CHANGE: list[Step] = [
    ["label", "configmap", "web", "l=1"],
    ["label", "configmap", "web", "l=2"],
    ["label", "configmap", "web", "l=2", "--overwrite"],
    ["label", "configmap", "web", "l-"],
    ["annotate", "configmap", "web", "a=1"],
    ["annotate", "configmap", "web", "a-"],
    ["scale", "deployment/web", "--replicas=0", "--current-replicas=5"],
    ["scale", "statefulset/web", "--replicas=0"],
    ["scale", "configmap/web", "--replicas=1"],
    ["patch", "configmap", "web", "-p", '{"data":{"b":"1"}}'],
    ["patch", "configmap", "web", "--type=merge", "-p", '{"data":{"b":null}}'],
    ["patch", "configmap", "web", "--type=merge", "-p", '{"data":{"b":null}}'],
    ["patch", "configmap", "web", "--type=json", "-p", '[{"op":"remove","path":"/data/none"}]'],
    ["patch", "configmap", "web", "-p", "{"],
    ["set", "image", "deployment/web", "main=nginx:1.28"],
    ["rollout", "status", "deployment/web", "--timeout=20s"],
    ["rollout", "restart", "deployment/web"],
    ["rollout", "pause", "deployment/web"],
    ["rollout", "resume", "deployment/web"],
    ["rollout", "status", "configmap/web"],
    ["wait", "--for=condition=Available", "deployment/web", "--timeout=20s"],
    ["wait", "--for=condition=Other", "deployment/web", "--timeout=1s"],
    ["wait", "--for=jsonpath={.spec.replicas}=0", "deployment/web", "--timeout=20s"],
    ["wait", "--for=delete", "configmap/none", "--timeout=1s"],
]
ASK: list[Step] = [
    ["auth", "can-i", "get", "pods"],
    ["auth", "can-i", "get", "pods", "--as=jane"],
    ["auth", "can-i", "delete", "pods", "--as=jane"],
    ["auth", "can-i", "get", "nothings"],
    ["api-resources", "-o", "wide"],
    ["api-resources", "--namespaced=false", "-o", "name"],
    ["api-versions"],
]
DELETE: list[Step] = [
    ["delete", "configmap", "web"],
    ["delete", "configmap", "web"],
    ["delete", "configmap", "web", "--ignore-not-found"],
    ["delete", "secret", "web", "--dry-run=server"],
    ["delete", "secret", "-l", "team=x"],
    ["delete", "services", "--all"],
    ["delete", "deployment", "web", "--cascade=orphan"],
    ["delete", "statefulset", "web", "--cascade=foreground"],
]


async def kubectl(config: Path, words: Sequence[str], given: str) -> tuple[int | None, str, str]:
    """Exit code, output and errors without what is volatile."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        str(KUBECTL),
        *words,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env={**os.environ, "KUBECONFIG": str(config), "HOME": str(config.parent), "GOGC": "off"},  # it ends at once
    )
    out, err = await process.communicate(given.encode())
    return process.returncode, _cleaned(out.decode()), _cleaned(err.decode())


def _cleaned(text: str) -> str:
    for pattern, word in VOLATILE:
        text = re.sub(pattern, word, text)
    return text


def _without(text: str, groups: Sequence[str]) -> str:
    """The text without lines about kinds that other tests have defined on the real server."""
    return "".join(line for line in text.splitlines(keepends=True) if not any(group in line for group in groups))


async def test_kubectl_prints_the_same(control_plane: ControlPlane, tmp_path: Path) -> None:
    ours, namespace = tmp_path / "kubeconfig", f"k{uuid.uuid4().hex[:8]}"
    different = []
    groups = ["get", "customresourcedefinitions", "-o", "jsonpath={.items[*].spec.group}"]
    defined = (await kubectl(control_plane.kubeconfig, groups, ""))[1].split()
    async with serve(tls=True, settings=Settings(settling=3600)) as running:
        ours.write_text(running.kubeconfig())
        steps: list[Step] = [["create", "namespace", namespace], *APPLY, *GET, *CHANGE, *ASK, *DELETE]
        for step in steps:
            words, given = step if isinstance(step, tuple) else (step, "")
            words = [*words, "-n", namespace] if words[0] not in ("api-resources", "api-versions") else words
            right, found = await asyncio.gather(
                kubectl(control_plane.kubeconfig, words, given), kubectl(ours, words, given)
            )
            if (right[0], _without(right[1], defined), right[2]) != found:
                different.append((words, right, found))
    assert different == []
