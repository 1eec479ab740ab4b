"""What may not change in an object of a built-in kind, compared after defaults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gitopsd_plugins.sandbox.defaulting import services
from gitopsd_plugins.sandbox.facts import quantity
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import causes
from gitopsd_plugins.sandbox.requests.status import Cause
from gitopsd_plugins.sandbox.rules import job_rules

Rule = Callable[[Json, Json], Iterator[Cause]]
"""Takes the live object and the new one."""


def _immutable(*path: str) -> Rule:
    """A field that may not change, compared after defaults."""

    def check(live: Json, body: Json) -> Iterator[Cause]:
        before, after = _at(live, path), _at(body, path)
        if before != after:
            yield causes.wrong(".".join(path), after, "field is immutable")

    return check


def _class_change(live: Json, body: Json) -> Iterator[Cause]:
    for field in ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"):
        yield from _immutable(field)(live, body)


def _priority_change(live: Json, body: Json) -> Iterator[Cause]:
    for field in ("value", "preemptionPolicy"):
        if live.get(field) != body.get(field):
            yield Cause(field, "FieldValueForbidden", "Forbidden: may not be changed in an update.")


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
    before, after = dict(live["spec"]), dict(body["spec"])
    for name in ("volumeName", "storageClassName"):  # may be set once
        if not before.get(name) and name not in before:
            after.pop(name, None)
    if (body.get("status") or {}).get("phase") == "Bound":
        for spec in (before, after):
            spec.pop("volumeAttributesClassName", None)
            spec["resources"] = {**(spec.get("resources") or {}), "requests": None}
    if before != after:
        why = "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        yield Cause("spec", "FieldValueForbidden", why)
    yield from _shrunk(live, body)
    if live["spec"].get("volumeMode") != body["spec"].get("volumeMode"):
        yield causes.wrong("volumeMode", body["spec"].get("volumeMode"), "field is immutable")


def _shrunk(live: Json, body: Json) -> Iterator[Cause]:
    """A claim for less than before, which may not go below what it has."""

    def size(value: Any) -> Any:
        return quantity.amount(value) if value else 0

    before, after = (_at(each, ("spec", "resources", "requests", "storage")) for each in (live, body))
    held = _at(live, ("status", "capacity", "storage"))
    if size(after) < size(before) and size(after) <= size(held):
        why = "Forbidden: field can not be less than status.capacity"
        yield Cause("spec.resources.requests.storage", "FieldValueForbidden", why)


def _pod_change(live: Json, body: Json) -> Iterator[Cause]:
    fixed = []
    for each in (live, body):
        spec = {
            key: value for key, value in each["spec"].items() if key not in ("activeDeadlineSeconds", "tolerations")
        }
        for group in ("containers", "initContainers"):
            if spec.get(group):
                spec[group] = [{key: value for key, value in item.items() if key != "image"} for item in spec[group]]
        fixed.append(spec)
    if fixed[0] != fixed[1]:
        yield Cause(
            "spec",
            "FieldValueForbidden",
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        )


def _role_ref_change(live: Json, body: Json) -> Iterator[Cause]:
    if live.get("roleRef") != body.get("roleRef"):
        shown = {
            name[0].upper() + name[1:].replace("piGroup", "PIGroup"): value for name, value in body["roleRef"].items()
        }
        yield causes.wrong("roleRef", shown, "cannot change roleRef")


_RBAC = "rbac.authorization.k8s.io"

OF: dict[tuple[str, str], Rule] = {
    ("", "configmaps"): _sealed,
    ("", "secrets"): _secret_change,
    ("", "services"): services.changes,
    ("", "pods"): _pod_change,
    ("", "persistentvolumeclaims"): _claim_change,
    ("apps", "deployments"): _immutable("spec", "selector"),
    ("apps", "replicasets"): _immutable("spec", "selector"),
    ("apps", "daemonsets"): _immutable("spec", "selector"),
    ("apps", "statefulsets"): _stateful_change,
    ("batch", "jobs"): job_rules.of_change,
    ("discovery.k8s.io", "endpointslices"): _immutable("addressType"),
    (_RBAC, "rolebindings"): _role_ref_change,
    (_RBAC, "clusterrolebindings"): _role_ref_change,
    ("networking.k8s.io", "ingressclasses"): _immutable("spec", "controller"),
    ("node.k8s.io", "runtimeclasses"): _immutable("handler"),
    ("scheduling.k8s.io", "priorityclasses"): _priority_change,
    ("storage.k8s.io", "storageclasses"): _class_change,
}
"""The rule of a collection."""
