"""What the server itself writes into an object before it is stored: identity, generation, status, addresses.

It knows which kinds have a generation, and which start with which status; it knows no rules of validity (`validation.py`)
and no owners. `created` and `changed` return new objects and change nothing but the allocator of service addresses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import uuid4

from gitopsd_plugins.sandbox.resources import Resource
from gitopsd_plugins.sandbox.schema import Json

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
    ("apiextensions.k8s.io", "customresourcedefinitions"): {
        "acceptedNames": {"kind": "", "plural": ""},
        "conditions": None,
    },
    ("apps", "daemonsets"): {
        "currentNumberScheduled": 0,
        "desiredNumberScheduled": 0,
        "numberMisscheduled": 0,
        "numberReady": 0,
    },
    ("apps", "replicasets"): {"replicas": 0},
    ("apps", "statefulsets"): {"availableReplicas": 0, "replicas": 0},
    ("autoscaling", "horizontalpodautoscalers"): {"currentMetrics": None, "desiredReplicas": 0},
    ("policy", "poddisruptionbudgets"): {
        "currentHealthy": 0,
        "desiredHealthy": 0,
        "disruptionsAllowed": 0,
        "expectedPods": 0,
    },
    ("", "namespaces"): {"phase": "Active"},
    ("", "persistentvolumes"): {"phase": "Pending"},
    ("", "persistentvolumeclaims"): {"phase": "Pending"},
    ("", "pods"): {"phase": "Pending", "qosClass": "BestEffort"},
    ("", "services"): {"loadBalancer": {}},
    ("networking.k8s.io", "ingresses"): {"loadBalancer": {}},
}


@dataclass(slots=True)
class Addresses:
    """Hands out cluster addresses of Services, and node ports, in order."""

    next_address: int = 10
    next_port: int = 30000
    used: set[str] = field(default_factory=set)

    def address(self) -> str:
        """A free cluster IP."""
        while True:
            self.next_address += 1
            found = f"10.0.{self.next_address // 250 % 250}.{self.next_address % 250 + 1}"
            if found not in self.used:
                self.used.add(found)
                return found

    def port(self) -> int:
        """A node port."""
        self.next_port += 1
        return 30000 + (self.next_port - 30000) % 2767


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
    body = {**body, "metadata": metadata}
    if "status" in resource.subresources:
        body.pop("status", None)
        first = FIRST_STATUS.get(resource.key)
        if first is not None or not resource.custom:
            body["status"] = dict(first or {})
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
            return _service(body, addresses)
        case ("", "persistentvolumeclaims"):
            return _protected(body, "kubernetes.io/pvc-protection")
        case ("", "persistentvolumes"):
            return _protected(body, "kubernetes.io/pv-protection")
        case ("batch", "jobs"):
            return _job(body)
        case ("apiextensions.k8s.io", "customresourcedefinitions"):
            return _definition(body)
    return body


def _service(body: Json, addresses: Addresses) -> Json:
    """A Service with its cluster address, families and node ports, where its type has them."""
    spec = dict(body["spec"])
    if spec["type"] == "ExternalName":
        return body
    if not spec.get("clusterIP"):
        spec["clusterIP"] = addresses.address()
    elif spec["clusterIP"] != "None":
        addresses.used.add(spec["clusterIP"])
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    headless = spec["clusterIP"] == "None" and not spec.get("selector")
    spec.setdefault("ipFamilies", ["IPv4", "IPv6"] if headless else ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "RequireDualStack" if headless else "SingleStack")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        spec["ports"] = [
            port if port.get("nodePort") else {**port, "nodePort": addresses.port()} for port in spec.get("ports", [])
        ]
    return {**body, "spec": spec}


def _protected(body: Json, finalizer: str) -> Json:
    finalizers = body["metadata"].get("finalizers", [])
    if finalizer in finalizers:
        return body
    return {**body, "metadata": {**body["metadata"], "finalizers": [*finalizers, finalizer]}}


def _definition(body: Json) -> Json:
    stored = [each["name"] for each in body["spec"].get("versions", ()) if each.get("storage")]
    return {**body, "status": {**body["status"], "storedVersions": stored}}


def _job(body: Json) -> Json:
    """A Job with the selector and the labels that tie its pods to it."""
    spec = body["spec"]
    if spec.get("manualSelector"):
        return body
    uid, name = body["metadata"]["uid"], body["metadata"]["name"]
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
    "generateName",
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
    if has_generation(resource) and _spec(resource, body) != _spec(resource, live):
        metadata["generation"] = live["metadata"].get("generation", 0) + 1
    return body


def _status_change(resource: Resource, live: Json, body: Json, metadata: Json) -> Json:
    held = dict(live["metadata"])
    if not resource.custom:
        held |= {name: metadata[name] for name in ("labels", "annotations", "finalizers") if name in metadata}
    held["uid"] = metadata["uid"]
    held["managedFields"] = metadata.get("managedFields", held.get("managedFields", []))
    result = {**live, "metadata": held}
    if "status" in body:
        result["status"] = body["status"]
    return result


def _kept(resource: Resource, live: Json, body: Json) -> Json:
    """Fields that the server allocated at creation and that a client need not repeat."""
    if resource.key == ("", "services"):
        return _kept_service(live["spec"], body)
    if resource.key == ("", "namespaces"):
        return {**body, "spec": live["spec"]}
    if resource.key == ("batch", "jobs"):
        return _kept_job(live["spec"], body)
    if resource.key == ("apps", "daemonsets"):
        return _counted_template(live, body)
    return body


TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def _counted_template(live: Json, body: Json) -> Json:
    """A DaemonSet with the count of its templates, which the API server still keeps in an annotation."""
    count = int(live["metadata"].get("annotations", {}).get(TEMPLATE_GENERATION, 1))
    if live["spec"].get("template") != body["spec"].get("template"):
        count += 1
    annotations = {**body["metadata"].get("annotations", {}), TEMPLATE_GENERATION: str(count)}
    body["metadata"]["annotations"] = annotations
    return body


def _kept_service(live: Json, body: Json) -> Json:
    spec = dict(body["spec"])
    if spec["type"] == "ExternalName":
        return body
    if live["type"] != "ExternalName":
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if not spec.get(name) and name in live:
                spec[name] = live[name]
    if spec["type"] in ("NodePort", "LoadBalancer"):
        ports = {
            (port.get("port"), port.get("protocol")): port["nodePort"]
            for port in live.get("ports", [])
            if "nodePort" in port
        }
        spec["ports"] = [
            {**port, "nodePort": ports[found]}
            if "nodePort" not in port and (found := (port.get("port"), port.get("protocol"))) in ports
            else port
            for port in spec.get("ports", [])
        ]
    return {**body, "spec": spec}


def _kept_job(live: Json, body: Json) -> Json:
    spec = dict(body["spec"])
    if "selector" in live:
        spec.setdefault("selector", live["selector"])
    held = (live["template"].get("metadata") or {}).get("labels", {})
    automatic = {
        name: value for name, value in held.items() if name.rpartition("/")[2] in ("controller-uid", "job-name")
    }
    template = spec.get("template", {})
    metadata = template.get("metadata") or {}
    labels = {**metadata.get("labels", {}), **automatic}
    spec["template"] = {**template, "metadata": {**metadata, "labels": labels}}
    return {**body, "spec": spec}


def _spec(resource: Resource, body: Json) -> Json:
    """The part of an object whose changes count as a new generation."""
    left_out = {"metadata", "apiVersion", "kind"}
    if "status" in resource.subresources:
        left_out.add("status")
    return {name: value for name, value in body.items() if name not in left_out}
