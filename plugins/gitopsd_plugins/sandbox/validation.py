"""Rules on objects whose breach an applier meets: 422 answers with the API server's fields, reasons and words.

Metadata of every object; pod templates, selectors and immutable fields of built-in kinds. It sees an object after its
defaults, and on updates the live one; it changes nothing. Custom resources are checked by their schema (`crd_rules.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gitopsd_plugins.sandbox import names, selectors
from gitopsd_plugins.sandbox.resources import Resource
from gitopsd_plugins.sandbox.schema import Json
from gitopsd_plugins.sandbox.status import Cause
from gitopsd_plugins.sandbox.store import encode

ANNOTATIONS_LIMIT = 256 * 1024
DATA_LIMIT = 1024 * 1024


def required(field: str, why: str = "") -> Cause:
    """A missing value."""
    return Cause(field, "FieldValueRequired", f"Required value: {why}" if why else "Required value")


def wrong(field: str, value: Any, why: str) -> Cause:
    """A value that is not allowed."""
    return Cause(field, "FieldValueInvalid", f"Invalid value: {encode(value).decode()}: {why}")


def unsupported(field: str, value: Any, supported: tuple[str, ...]) -> Cause:
    """A value outside a fixed set."""
    listed = ", ".join(f'"{each}"' for each in supported)
    return Cause(
        field, "FieldValueNotSupported", f"Unsupported value: {encode(value).decode()}: supported values: {listed}"
    )


def of_new(resource: Resource, body: Json) -> list[Cause]:
    """What is wrong with an object that is to be created."""
    causes = [*_metadata(resource, body["metadata"])]
    if check := _KINDS.get(resource.key):
        causes.extend(check(body))
    return causes


def of_change(resource: Resource, live: Json, body: Json) -> list[Cause]:
    """What is wrong with an object that is to replace `live`."""
    causes = [*_metadata(resource, body["metadata"]), *_finalizers(live["metadata"], body["metadata"])]
    if live["metadata"]["uid"] != body["metadata"].get("uid"):
        causes.append(wrong("metadata.uid", body["metadata"].get("uid"), "field is immutable"))
    if check := _KINDS.get(resource.key):
        causes.extend(check(body))
    if change := _CHANGES.get(resource.key):
        causes.extend(change(live, body))
    return causes


def _metadata(resource: Resource, metadata: Json) -> Iterator[Cause]:
    name = metadata.get("name", "")
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif why := names.object_name(name, resource.plural):
        yield wrong("metadata.name", name, why)
    for key, value in (metadata.get("labels") or {}).items():
        if why := names.qualified(key):
            yield wrong("metadata.labels", key, why)
        if why := names.label_value(value):
            yield wrong("metadata.labels", value, why)
    annotations = metadata.get("annotations") or {}
    for key in annotations:
        if why := names.qualified(key.lower()):
            yield wrong("metadata.annotations", key, why)
    if sum(len(key) + len(value) for key, value in annotations.items()) > ANNOTATIONS_LIMIT:
        yield Cause(
            "metadata.annotations", "FieldValueTooLong", f"Too long: may not be more than {ANNOTATIONS_LIMIT} bytes"
        )
    yield from _owner_references(metadata)


def _owner_references(metadata: Json) -> Iterator[Cause]:
    for index, reference in enumerate(metadata.get("ownerReferences") or ()):
        for field in ("apiVersion", "kind", "name", "uid"):
            if not reference.get(field):
                why = {"apiVersion": "version must not be empty"}.get(field, f"{field} must not be empty")
                yield (
                    wrong(f"metadata.ownerReferences[{index}].{field}", "", why)
                    if field != "apiVersion"
                    else wrong(f"metadata.ownerReferences[{index}].apiVersion", "", why)
                )


def _finalizers(live: Json, metadata: Json) -> Iterator[Cause]:
    added = [name for name in metadata.get("finalizers") or () if name not in (live.get("finalizers") or ())]
    if "deletionTimestamp" in live and added:
        listed = ", ".join(f'"{name}"' for name in added)
        why = f"Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{{listed}}}"
        yield Cause("metadata.finalizers", "FieldValueForbidden", why)


def _pod_spec(spec: Json, path: str) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield required(f"{path}.containers")
    seen: set[str] = set()
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group) or ()):
            yield from _container(container, f"{path}.{group}[{index}]", seen, volumes)


def _container(container: Json, path: str, seen: set[str], volumes: set[Any]) -> Iterator[Cause]:
    name = container.get("name", "")
    if not name:
        yield required(f"{path}.name")
    elif why := names.label(name):
        yield wrong(f"{path}.name", name, why)
    elif name in seen:
        yield Cause(f"{path}.name", "FieldValueDuplicate", f'Duplicate value: "{name}"')
    seen.add(name)
    if not container.get("image"):
        yield required(f"{path}.image")
    for index, port in enumerate(container.get("ports") or ()):
        yield from _port(port.get("containerPort", 0), f"{path}.ports[{index}].containerPort")
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        if mount.get("name") not in volumes:
            yield Cause(
                f"{path}.volumeMounts[{index}].name", "FieldValueNotFound", f'Not found: "{mount.get("name", "")}"'
            )
    policy = container.get("imagePullPolicy")
    if policy not in ("Always", "IfNotPresent", "Never"):
        yield unsupported(f"{path}.imagePullPolicy", policy, ("Always", "IfNotPresent", "Never"))


def _port(value: Any, path: str) -> Iterator[Cause]:
    if value == 0:
        yield required(path)
        return
    if not isinstance(value, int) or not 0 < value < 65536:
        yield wrong(path, value, "must be between 1 and 65535, inclusive")


def _workload(body: Json) -> Iterator[Cause]:
    """Selector, template and replicas of the kinds that have them."""
    spec = body["spec"]
    if spec.get("replicas", 0) < 0:
        yield wrong("spec.replicas", spec["replicas"], "must be greater than or equal to 0")
    selector = spec.get("selector")
    labels = (spec["template"].get("metadata") or {}).get("labels")
    if selector is None:
        yield required("spec.selector")
    elif not selector:
        yield wrong("spec.selector", {}, f"empty selector is invalid for {body['kind'].lower()}")
    if not selector or not selectors.matches(selector, labels or {}):
        yield wrong("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from _pod_spec(spec["template"].get("spec") or {}, "spec.template.spec")
    policy = (spec["template"].get("spec") or {}).get("restartPolicy", "Always")
    if policy != "Always":
        yield unsupported("spec.template.spec.restartPolicy", policy, ("Always",))


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
            else unsupported(f"{path}.template.spec.restartPolicy", value, ("OnFailure", "Never"))
        )


def _cron_job(body: Json) -> Iterator[Cause]:
    spec = body["spec"]
    if not spec.get("schedule"):
        yield required("spec.schedule")
    yield from _job_spec(spec["jobTemplate"].get("spec") or {"template": {}}, "spec.jobTemplate.spec")


def _pod(body: Json) -> Iterator[Cause]:
    yield from _pod_spec(body["spec"], "spec")


def _service(body: Json) -> Iterator[Cause]:
    spec = body["spec"]
    kinds = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
    if spec["type"] not in kinds:
        yield unsupported("spec.type", spec["type"], kinds)
    ports = spec.get("ports") or []
    if not ports and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    for index, port in enumerate(ports):
        yield from _port(port.get("port", 0), f"spec.ports[{index}].port")
        if len(ports) > 1 and not port.get("name"):
            yield required(f"spec.ports[{index}].name")
    if spec["type"] == "ExternalName" and not spec.get("externalName"):
        yield required("spec.externalName")


def _data(body: Json) -> Iterator[Cause]:
    for field in ("data", "binaryData"):
        for key in body.get(field) or ():
            if why := names.data_key(key):
                yield wrong(f"{field}[{key}]", key, why)
    size = sum(len(value) for field in ("data", "binaryData") for value in (body.get(field) or {}).values())
    if size > DATA_LIMIT:
        yield Cause("", "FieldValueTooLong", f"Too long: may not be more than {DATA_LIMIT} bytes")


def _ingress(body: Json) -> Iterator[Cause]:
    spec = body["spec"]
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield wrong("spec", [], "either `defaultBackend` or `rules` must be specified")
    for index, rule in enumerate(spec.get("rules") or ()):
        for number, path in enumerate((rule.get("http") or {}).get("paths") or ()):
            if not path.get("pathType"):
                yield required(f"spec.rules[{index}].http.paths[{number}].pathType", "pathType must be specified")


def _role_binding(body: Json) -> Iterator[Cause]:
    reference = body.get("roleRef") or {}
    if reference.get("kind") not in ("Role", "ClusterRole"):
        yield unsupported("roleRef.kind", reference.get("kind", ""), ("Role", "ClusterRole"))
    if not reference.get("name"):
        yield required("roleRef.name")


def _claim(body: Json) -> Iterator[Cause]:
    spec = body["spec"]
    if not spec.get("accessModes"):
        yield required("spec.accessModes", "at least 1 access mode is required")
    if "storage" not in ((spec.get("resources") or {}).get("requests") or {}):
        yield required("spec.resources[storage]")


def _immutable(*path: str) -> Callable[[Json, Json], Iterator[Cause]]:
    """A field that may not change, compared after defaults."""

    def check(live: Json, body: Json) -> Iterator[Cause]:
        before, after = _at(live, path), _at(body, path)
        if before != after:
            yield wrong(".".join(path), after, "field is immutable")

    return check


def _at(body: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        body = body.get(key) if isinstance(body, dict) else None
    return body


def _sealed(live: Json, body: Json) -> Iterator[Cause]:
    """ConfigMaps and Secrets with `immutable: true`."""
    if not live.get("immutable"):
        return
    if not body.get("immutable"):
        yield Cause("immutable", "FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set")
    for field in ("data", "binaryData"):
        if live.get(field) != body.get(field):
            yield Cause(field, "FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set")


def _secret_change(live: Json, body: Json) -> Iterator[Cause]:
    yield from _immutable("type")(live, body)
    yield from _sealed(live, body)


def _service_change(live: Json, body: Json) -> Iterator[Cause]:
    before, after = live["spec"], body["spec"]
    address = before.get("clusterIP")
    if before.get("type") == "ExternalName" or after.get("type") == "ExternalName" or not address:
        return
    if after.get("clusterIP") != address:
        yield wrong("spec.clusterIPs[0]", [after.get("clusterIP")], "may not change once set")


STATEFUL_MUTABLE = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip


def _stateful_change(live: Json, body: Json) -> Iterator[Cause]:
    fixed = [
        {key: value for key, value in each["spec"].items() if key not in STATEFUL_MUTABLE} for each in (live, body)
    ]
    if fixed[0] != fixed[1]:
        allowed = "'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds'"
        yield Cause(
            "spec",
            "FieldValueForbidden",
            f"Forbidden: updates to statefulset spec for fields other than {allowed} are forbidden",
        )


def _claim_change(live: Json, body: Json) -> Iterator[Cause]:
    fixed = []
    for each in (live, body):
        spec = {
            key: value
            for key, value in each["spec"].items()
            if key not in ("resources", "volumeName", "volumeAttributesClassName")
        }
        fixed.append(spec)
    if fixed[0] != fixed[1]:
        why = "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        yield Cause("spec", "FieldValueForbidden", why)


def _pod_change(live: Json, body: Json) -> Iterator[Cause]:
    fixed = []
    for each in (live, body):
        spec = {
            key: value for key, value in each["spec"].items() if key not in ("activeDeadlineSeconds", "tolerations")
        }
        for group in ("containers", "initContainers"):
            if group in spec:
                spec[group] = [{key: value for key, value in item.items() if key != "image"} for item in spec[group]]
        fixed.append(spec)
    if fixed[0] != fixed[1]:
        yield Cause(
            "spec",
            "FieldValueForbidden",
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        )


def _job_change(live: Json, body: Json) -> Iterator[Cause]:
    for field in ("completions", "selector", "template"):
        yield from _immutable("spec", field)(live, body)


def _role_ref_change(live: Json, body: Json) -> Iterator[Cause]:
    if live.get("roleRef") != body.get("roleRef"):
        shown = {
            name[0].upper() + name[1:].replace("piGroup", "PIGroup"): value for name, value in body["roleRef"].items()
        }
        yield wrong("roleRef", shown, "cannot change roleRef")


Check = Callable[[Json], Iterator[Cause]]
Change = Callable[[Json, Json], Iterator[Cause]]

_RBAC = "rbac.authorization.k8s.io"

_KINDS: dict[tuple[str, str], Check] = {
    ("", "configmaps"): _data,
    ("", "secrets"): _data,
    ("", "services"): _service,
    ("", "pods"): _pod,
    ("", "persistentvolumeclaims"): _claim,
    ("apps", "deployments"): _workload,
    ("apps", "replicasets"): _workload,
    ("apps", "statefulsets"): _workload,
    ("apps", "daemonsets"): _workload,
    ("batch", "jobs"): _job,
    ("batch", "cronjobs"): _cron_job,
    ("networking.k8s.io", "ingresses"): _ingress,
    (_RBAC, "rolebindings"): _role_binding,
    (_RBAC, "clusterrolebindings"): _role_binding,
}

_CHANGES: dict[tuple[str, str], Change] = {
    ("", "configmaps"): _sealed,
    ("", "secrets"): _secret_change,
    ("", "services"): _service_change,
    ("", "pods"): _pod_change,
    ("", "persistentvolumeclaims"): _claim_change,
    ("apps", "deployments"): _immutable("spec", "selector"),
    ("apps", "replicasets"): _immutable("spec", "selector"),
    ("apps", "daemonsets"): _immutable("spec", "selector"),
    ("apps", "statefulsets"): _stateful_change,
    ("batch", "jobs"): _job_change,
    (_RBAC, "rolebindings"): _role_ref_change,
    (_RBAC, "clusterrolebindings"): _role_ref_change,
    ("storage.k8s.io", "storageclasses"): _immutable("provisioner"),
}
