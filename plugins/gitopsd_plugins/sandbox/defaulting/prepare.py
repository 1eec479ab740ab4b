"""What the server itself writes into an object before it is stored: identity, generation, status, addresses.

It knows which kinds have a generation, and which start with which status; it knows no rules of validity (`validation.py`)
and no owners. `created` and `changed` return new objects and change nothing but the allocator of service addresses.
"""

from __future__ import annotations

from uuid import uuid4

from gitopsd_plugins.sandbox.defaulting import filling, services
from gitopsd_plugins.sandbox.defaulting.services import Addresses
from gitopsd_plugins.sandbox.facts.resources import Resource
from gitopsd_plugins.sandbox.facts.schema import ANY, Json
from gitopsd_plugins.sandbox.storage import strategies

WITH_GENERATION = {
    ("", "pods"),
    ("", "replicationcontrollers"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("apps", "daemonsets"),
    ("apps", "deployments"),
    ("apps", "replicasets"),
    ("apps", "statefulsets"),
    ("batch", "cronjobs"),
    ("batch", "jobs"),
    ("discovery.k8s.io", "endpointslices"),
    ("flowcontrol.apiserver.k8s.io", "flowschemas"),
    ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"),
    ("networking.k8s.io", "ingressclasses"),
    ("networking.k8s.io", "ingresses"),
    ("networking.k8s.io", "networkpolicies"),
    ("policy", "poddisruptionbudgets"),
    ("scheduling.k8s.io", "priorityclasses"),
}

FIRST_STATUS: dict[tuple[str, str], Json] = {
    ("apiextensions.k8s.io", "customresourcedefinitions"): {"acceptedNames": {"kind": "", "plural": ""}},
    ("", "namespaces"): {"phase": "Active"},
    ("", "persistentvolumes"): {"phase": "Pending"},
    ("", "persistentvolumeclaims"): {"phase": "Pending"},
    ("", "pods"): {"phase": "Pending", "qosClass": "BestEffort"},
    ("", "services"): {"loadBalancer": {}},
    ("networking.k8s.io", "ingresses"): {"loadBalancer": {}},
}


def created(resource: Resource, body: Json, now: str) -> Json:
    """A new object with its identity and first status."""
    metadata = {
        name: value
        for name, value in body["metadata"].items()
        if name
        not in (
            "resourceVersion",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
            "managedFields",
        )
    }
    metadata |= {"uid": str(uuid4()), "creationTimestamp": now}
    if has_generation(resource):
        metadata["generation"] = 1
    if resource.key == ("apps", "daemonsets"):
        metadata["annotations"] = {**metadata.get("annotations", {}), TEMPLATE_GENERATION: "1"}
    body = {**body, "metadata": metadata}
    if "status" in resource.subresources:
        body.pop("status", None)
        if not resource.custom:
            first = FIRST_STATUS.get(resource.key, {})
            body["status"] = filling.zeroed(first, resource.schema.fields.get("status", ANY))
    return body


def has_generation(resource: Resource) -> bool:
    """Whether objects count changes of their spec."""
    return resource.custom or resource.key in WITH_GENERATION


def allocated(resource: Resource, body: Json, addresses: Addresses) -> Json:
    """A new object with what the server gives its kind. Nobody owns these fields: owners are worked out before."""
    match resource.key:
        case ("", "namespaces"):
            return {**body, "spec": {**body.get("spec", {}), "finalizers": ["kubernetes"]}}
        case ("", "services"):
            return services.allocated(body, addresses)
        case ("", "persistentvolumeclaims"):
            return _protected(body, "kubernetes.io/pvc-protection")
        case ("", "persistentvolumes"):
            return _protected(body, "kubernetes.io/pv-protection")
        case ("batch", "jobs"):
            return _job(body)
        case ("apiextensions.k8s.io", "customresourcedefinitions"):
            return _definition(body)
    return body


def _protected(body: Json, finalizer: str) -> Json:
    finalizers = body["metadata"].get("finalizers", [])
    if finalizer in finalizers:
        return body
    return {**body, "metadata": {**body["metadata"], "finalizers": [*finalizers, finalizer]}}


def _definition(body: Json) -> Json:
    stored = [each["name"] for each in body["spec"].get("versions") or () if each.get("storage")]
    return {**body, "status": {**body["status"], "storedVersions": stored}}


def _job(body: Json) -> Json:
    """A Job with the selector and the labels that tie its pods to it."""
    spec = body["spec"]
    if spec.get("manualSelector"):
        return body
    uid, name = body["metadata"]["uid"], body["metadata"].get("name", "")  # it is not checked yet
    template = spec["template"]
    labels = {
        **(template.get("metadata") or {}).get("labels", {}),
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    template = {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}}
    if not body["metadata"].get("labels"):
        body = {**body, "metadata": {**body["metadata"], "labels": labels}}  # the API server's own defaulting does it
    selector = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    return {**body, "spec": {**spec, "selector": selector, "template": template}}


_CARRIED = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "name",
    "namespace",
)


def changed(resource: Resource, live: Json, body: Json, subresource: str) -> Json:
    """The object that replaces `live`: the server's own fields kept, the other half (spec or status) untouched."""
    metadata = {name: value for name, value in body["metadata"].items() if name not in _CARRIED}
    metadata |= {name: live["metadata"][name] for name in _CARRIED if name in live["metadata"]}
    if body["metadata"].get("uid"):
        metadata["uid"] = body["metadata"]["uid"]
    if subresource == "status":
        return _status_change(resource, live, body, metadata)
    body = {**body, "metadata": metadata}
    if "status" in resource.subresources:
        body.pop("status", None)
        if "status" in live:
            body["status"] = live["status"]
    body = _kept(resource, live, body)
    if has_generation(resource) and _differs(resource, live, body):
        metadata["generation"] = live["metadata"].get("generation", 0) + 1
    return body


def _status_change(resource: Resource, live: Json, body: Json, metadata: Json) -> Json:
    held = dict(live["metadata"])
    if not resource.custom:
        taken = ("annotations", "finalizers", *(() if resource.key in strategies.LABELS_KEPT else ("labels",)))
        held |= {name: metadata[name] for name in taken if name in metadata}
    held["uid"] = metadata["uid"]
    held["managedFields"] = metadata.get("managedFields", held.get("managedFields", []))
    result = {**live, "metadata": held}
    if "status" in body:
        result["status"] = body["status"]
    return result


def _kept(resource: Resource, live: Json, body: Json) -> Json:
    """Fields that the server allocated at creation and that a client need not repeat."""
    if resource.key == ("", "services"):
        return services.kept(live, body)
    if resource.key == ("", "namespaces"):
        return {**body, "spec": live["spec"]}
    return body


TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def counted(resource: Resource, live: Json, body: Json) -> Json:
    """A DaemonSet with the count of its templates, which is kept in an annotation; nobody owns what the server writes there."""
    if resource.key != ("apps", "daemonsets"):
        return body
    count = int(live["metadata"].get("annotations", {}).get(TEMPLATE_GENERATION, 1))
    if live["spec"].get("template") != body["spec"].get("template"):
        count += 1
    annotations = {**body["metadata"].get("annotations", {}), TEMPLATE_GENERATION: str(count)}
    return {**body, "metadata": {**body["metadata"], "annotations": annotations}}


GENERATION_COUNTS = {("apps", "deployments"): "annotations", ("discovery.k8s.io", "endpointslices"): "labels"}
"""Metadata whose changes count as a new generation too."""


def _differs(resource: Resource, live: Json, body: Json) -> bool:
    before, after = _spec(resource, live), _spec(resource, body)
    if more := GENERATION_COUNTS.get(resource.key):
        before[more], after[more] = live["metadata"].get(more), body["metadata"].get(more)
    return before != after and (resource.custom or before != filling.hollowed(after, resource.schema))


def _spec(resource: Resource, body: Json) -> Json:
    """The part of an object whose changes count as a new generation."""
    left_out = {"metadata", "apiVersion", "kind"}
    if "status" in resource.subresources:
        left_out.add("status")
    return {name: value for name, value in body.items() if name not in left_out}
