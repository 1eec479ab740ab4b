"""Rules of built-in kinds whose breach an applier meets: pod templates, selectors, ports, data, references.

Each sees a whole object after its defaults and says what is wrong. What may not change is in `immutability.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gitopsd_plugins.sandbox import causes, names, selectors
from gitopsd_plugins.sandbox.schema import Json
from gitopsd_plugins.sandbox.status import Cause

Rule = Callable[[Json], Iterator[Cause]]

DATA_LIMIT = 1024 * 1024


def _pod_spec(spec: Json, path: str) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield causes.required(f"{path}.containers")
    seen: set[str] = set()
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group) or ()):
            yield from _container(container, f"{path}.{group}[{index}]", seen, volumes)


def _container(container: Json, path: str, seen: set[str], volumes: set[Any]) -> Iterator[Cause]:
    name = container.get("name", "")
    if not name:
        yield causes.required(f"{path}.name")
    elif why := names.label(name):
        yield causes.wrong(f"{path}.name", name, why)
    elif name in seen:
        yield Cause(f"{path}.name", "FieldValueDuplicate", f'Duplicate value: "{name}"')
    seen.add(name)
    if not container.get("image"):
        yield causes.required(f"{path}.image")
    for index, port in enumerate(container.get("ports") or ()):
        yield from _port(port.get("containerPort", 0), f"{path}.ports[{index}].containerPort")
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        if mount.get("name") not in volumes:
            yield Cause(
                f"{path}.volumeMounts[{index}].name", "FieldValueNotFound", f'Not found: "{mount.get("name", "")}"'
            )
    policy = container.get("imagePullPolicy")
    if policy not in ("Always", "IfNotPresent", "Never"):
        yield causes.unsupported(f"{path}.imagePullPolicy", policy, ("Always", "IfNotPresent", "Never"))


def _port(value: Any, path: str) -> Iterator[Cause]:
    if value == 0:
        yield causes.required(path)
        return
    if not isinstance(value, int) or not 0 < value < 65536:
        yield causes.wrong(path, value, "must be between 1 and 65535, inclusive")


def _workload(body: Json) -> Iterator[Cause]:
    """Selector, template and replicas of the kinds that have them."""
    spec = body["spec"]
    if spec.get("replicas", 0) < 0:
        yield causes.wrong("spec.replicas", spec["replicas"], "must be greater than or equal to 0")
    selector = spec.get("selector")
    labels = (spec["template"].get("metadata") or {}).get("labels")
    if selector is None:
        yield causes.required("spec.selector")
    elif not selector:
        yield causes.wrong("spec.selector", {}, f"empty selector is invalid for {body['kind'].lower()}")
    if not selector or not selectors.matches(selector, labels or {}):
        yield causes.wrong("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from _pod_spec(spec["template"].get("spec") or {}, "spec.template.spec")
    policy = (spec["template"].get("spec") or {}).get("restartPolicy", "Always")
    if policy != "Always":
        yield causes.unsupported("spec.template.spec.restartPolicy", policy, ("Always",))


def _deployment(body: Json) -> Iterator[Cause]:
    yield from _workload(body)
    strategy = body["spec"]["strategy"]
    if strategy["type"] not in ("Recreate", "RollingUpdate"):
        shown = {"Type": strategy["type"], "RollingUpdate": strategy.get("rollingUpdate")}
        yield causes.unsupported("spec.strategy", shown, ("Recreate", "RollingUpdate"), in_order=True)
    elif strategy["type"] == "Recreate" and strategy.get("rollingUpdate") is not None:
        why = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        yield Cause("spec.strategy.rollingUpdate", "FieldValueForbidden", why)


def _job(body: Json) -> Iterator[Cause]:
    yield from _job_spec(body["spec"], "spec")


def _job_spec(spec: Json, path: str) -> Iterator[Cause]:
    pod = spec["template"].get("spec") or {}
    yield from _pod_spec(pod, f"{path}.template.spec")
    if pod.get("restartPolicy") not in ("OnFailure", "Never"):
        value = pod.get("restartPolicy")
        message = 'Required value: valid values: "OnFailure", "Never"' if not value else ""
        yield (
            Cause(f"{path}.template.spec.restartPolicy", "FieldValueRequired", message)
            if not value
            else causes.unsupported(f"{path}.template.spec.restartPolicy", value, ("OnFailure", "Never"))
        )


def _cron_job(body: Json) -> Iterator[Cause]:
    spec = body["spec"]
    if not spec.get("schedule"):
        yield causes.required("spec.schedule")
    yield from _job_spec(spec["jobTemplate"].get("spec") or {"template": {}}, "spec.jobTemplate.spec")


def _pod(body: Json) -> Iterator[Cause]:
    yield from _pod_spec(body["spec"], "spec")


def _service(body: Json) -> Iterator[Cause]:
    spec = body["spec"]
    kinds = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
    if spec["type"] not in kinds:
        yield causes.unsupported("spec.type", spec["type"], kinds)
    ports = spec.get("ports") or []
    if not ports and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        yield causes.required("spec.ports")
    for index, port in enumerate(ports):
        yield from _port(port.get("port", 0), f"spec.ports[{index}].port")
        if len(ports) > 1 and not port.get("name"):
            yield causes.required(f"spec.ports[{index}].name")
    if spec["type"] == "ExternalName" and not spec.get("externalName"):
        yield causes.required("spec.externalName")


def _data(body: Json) -> Iterator[Cause]:
    for field in ("data", "binaryData"):
        for key in body.get(field) or ():
            if why := names.data_key(key):
                yield causes.wrong(f"{field}[{key}]", key, why)
    size = sum(len(value) for field in ("data", "binaryData") for value in (body.get(field) or {}).values())
    if size > DATA_LIMIT:
        yield Cause("", "FieldValueTooLong", f"Too long: may not be more than {DATA_LIMIT} bytes")


def _ingress(body: Json) -> Iterator[Cause]:
    spec = body["spec"]
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield causes.wrong("spec", [], "either `defaultBackend` or `rules` must be specified")
    for index, rule in enumerate(spec.get("rules") or ()):
        for number, path in enumerate((rule.get("http") or {}).get("paths") or ()):
            if not path.get("pathType"):
                yield causes.required(
                    f"spec.rules[{index}].http.paths[{number}].pathType", "pathType must be specified"
                )


def _role_binding(body: Json) -> Iterator[Cause]:
    reference = body.get("roleRef") or {}
    if reference.get("kind") not in ("Role", "ClusterRole"):
        yield causes.unsupported("roleRef.kind", reference.get("kind", ""), ("Role", "ClusterRole"))
    if not reference.get("name"):
        yield causes.required("roleRef.name")


def _claim(body: Json) -> Iterator[Cause]:
    spec = body["spec"]
    if not spec.get("accessModes"):
        yield causes.required("spec.accessModes", "at least 1 access mode is required")
    if "storage" not in ((spec.get("resources") or {}).get("requests") or {}):
        yield causes.required("spec.resources[storage]")


def _definition(body: Json) -> Iterator[Cause]:
    spec = body["spec"]
    group, names_, versions = spec.get("group", ""), spec.get("names") or {}, spec.get("versions") or []
    expected = f"{names_.get('plural', '')}.{group}"
    if body["metadata"].get("name") != expected:
        yield causes.wrong("metadata.name", body["metadata"].get("name"), 'must be spec.names.plural+"."+spec.group')
    for path, value in (
        ("group", group),
        ("names.plural", names_.get("plural")),
        ("names.kind", names_.get("kind")),
        ("versions", versions),
    ):
        if not value:
            yield causes.required(f"spec.{path}")
    if group and "." not in group:
        yield causes.wrong("spec.group", group, "should be a domain with at least one dot")
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        yield causes.unsupported("spec.scope", spec.get("scope", ""), ("Cluster", "Namespaced"))
    if versions and sum(bool(each.get("storage")) for each in versions) != 1:
        yield causes.wrong("spec.versions", versions, "must have exactly one version marked as storage version")
    for index, version in enumerate(versions):
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            yield causes.required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required")


_RBAC = "rbac.authorization.k8s.io"

OF: dict[tuple[str, str], Rule] = {
    ("", "configmaps"): _data,
    ("", "secrets"): _data,
    ("", "services"): _service,
    ("", "pods"): _pod,
    ("", "persistentvolumeclaims"): _claim,
    ("apiextensions.k8s.io", "customresourcedefinitions"): _definition,
    ("apps", "deployments"): _deployment,
    ("apps", "replicasets"): _workload,
    ("apps", "statefulsets"): _workload,
    ("apps", "daemonsets"): _workload,
    ("batch", "jobs"): _job,
    ("batch", "cronjobs"): _cron_job,
    ("networking.k8s.io", "ingresses"): _ingress,
    (_RBAC, "rolebindings"): _role_binding,
    (_RBAC, "clusterrolebindings"): _role_binding,
}
"""The rule of a collection."""
