"""The columns of built-in kinds, as `kubectl get` shows them: names, types and priorities of a real server, cells from the object.

It knows objects and no requests. A kind that is not here has the creation time as its only column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.storage.store import CollectionKey

Cell = Callable[[Json, datetime], Any]

NONE, UNSET, UNKNOWN = "<none>", "<unset>", "<unknown>"
_STEP = re.compile(r"\.?([\w-]+)|\['([^']+)'\]|\[(\d+)\]|\[\?\(@\.([\w.]+)\s*==\s*[\"']([^\"']*)[\"']\)\]")


@dataclass(frozen=True, slots=True)
class Column:
    """One column. A `priority` of 1 is for `-o wide`."""

    name: str
    cell: Cell
    kind: str = "string"
    priority: int = 0


def at(body: Any, path: str) -> Any:
    """The value at a simple JSON path, such as `.status.conditions[?(@.type=="Ready")].status`; None where there is none."""
    for name, quoted, index, key, wanted in _STEP.findall(path):
        if isinstance(body, dict):
            body = body.get(name or quoted)
        elif not isinstance(body, list):
            return None
        elif index:
            body = body[int(index)] if int(index) < len(body) else None
        else:
            body = next((item for item in body if key and str(at(item, key)) == wanted), None)
    return body


def age(text: Any, now: datetime) -> str:
    """A time as how long ago it was, in kubectl's way."""
    if not isinstance(text, str):
        return UNKNOWN
    seconds = max(0, int((now - datetime.fromisoformat(text)).total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    return f"{hours}h" if hours < 48 else f"{days}d"


def _value(path: str, missing: Any = "") -> Cell:
    def cell(body: Json, _: datetime) -> Any:
        value = at(body, path)
        return missing if value is None else value

    return cell


def _text(path: str, missing: str = "") -> Cell:
    def cell(body: Json, _: datetime) -> str:
        value = at(body, path)
        if isinstance(value, bool):
            return str(value).title() if missing == "bool" else str(value).lower()
        return missing if value is None else str(value)

    return cell


def _count(*paths: str) -> Cell:
    return lambda body, _: sum(len(at(body, path) or ()) for path in paths)


def _listed(path: str, key: str = "", missing: str = NONE) -> Cell:
    def cell(body: Json, _: datetime) -> str:
        found = [str(at(each, key) if key else each) for each in at(body, path) or ()]
        return ",".join(found) or missing

    return cell


def _ready(have: str, wanted: str) -> Cell:
    return lambda body, _: f"{at(body, have) or 0}/{at(body, wanted) or 0}"


def _since(path: str, missing: str = NONE) -> Cell:
    return lambda body, now: age(at(body, path), now) if at(body, path) else missing


def _pairs(path: str) -> Cell:
    """Labels or a selector as text."""

    def cell(body: Json, _: datetime) -> str:
        value = at(body, path) or {}
        labels = value.get("matchLabels", {}) if "matchLabels" in value or "matchExpressions" in value else value
        return ",".join(f"{name}={item}" for name, item in sorted(labels.items())) or NONE

    return cell


def _modes(path: str) -> Cell:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
    return lambda body, _: ",".join(short.get(each, each) for each in at(body, path) or ())


def _ports(body: Json, _: datetime) -> str:
    shown = []
    for port in at(body, ".spec.ports") or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        shown.append(f"{port['port']}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(shown) or NONE


def _external(body: Json, _: datetime) -> str:
    if at(body, ".spec.type") == "ExternalName":
        return str(at(body, ".spec.externalName") or NONE)
    found = [each.get("ip") or each.get("hostname", "") for each in at(body, ".status.loadBalancer.ingress") or ()]
    pending = "<pending>" if at(body, ".spec.type") == "LoadBalancer" else NONE
    return ",".join([*found, *(at(body, ".spec.externalIPs") or ())]) or pending


def _pod_ready(body: Json, _: datetime) -> str:
    statuses = at(body, ".status.containerStatuses") or ()
    return f"{sum(bool(each.get('ready')) for each in statuses)}/{len(at(body, '.spec.containers') or ())}"


def _pod_status(body: Json, _: datetime) -> str:
    if at(body, ".metadata.deletionTimestamp"):
        return "Terminating"
    for each in at(body, ".status.containerStatuses") or ():
        for state in ("waiting", "terminated"):
            if reason := at(each, f".state.{state}.reason"):
                return str(reason)
    return str(at(body, ".status.phase") or "Unknown")


def _restarts(body: Json, _: datetime) -> str:
    return str(sum(each.get("restartCount", 0) for each in at(body, ".status.containerStatuses") or ()))


def _job_status(body: Json, _: datetime) -> str:
    finished = [each["type"] for each in at(body, ".status.conditions") or () if each["status"] == "True"]
    if at(body, ".metadata.deletionTimestamp"):
        return "Terminating"
    return next((each for each in finished if each in ("Complete", "Failed", "Suspended")), "Running")


def _duration(body: Json, now: datetime) -> str:
    start, end = at(body, ".status.startTime"), at(body, ".status.completionTime")
    return age(start, datetime.fromisoformat(end) if end else now) if start else ""


def _hosts(body: Json, _: datetime) -> str:
    return ",".join(each["host"] for each in at(body, ".spec.rules") or () if each.get("host")) or "*"


def _subjects(kind: str) -> Cell:
    def cell(body: Json, _: datetime) -> str:
        found = [each for each in body.get("subjects") or () if each.get("kind") == kind]
        where = [f"{each.get('namespace', '')}/" if kind == "ServiceAccount" else "" for each in found]
        return ", ".join(prefix + each["name"] for prefix, each in zip(where, found, strict=True))

    return cell


def _quota(limits: bool) -> Cell:
    """What of a quota is used, for limits or for all else."""

    def cell(body: Json, _: datetime) -> str:
        used = at(body, ".status.used") or {}
        found = sorted((at(body, ".status.hard") or {}).items())
        shown = [f"{name}: {used.get(name, '0')}/{most}" for name, most in found]
        return ", ".join(each for each in shown if each.startswith("limits.") is limits)

    return cell


def _slice(path: str, key: str) -> Cell:
    """The first three of a slice's ports or addresses, and how many more there are."""

    def cell(body: Json, _: datetime) -> str:
        found = [str(one) for each in at(body, path) or () for one in _several(each.get(key, "*"))]
        more = [f"+ {len(found) - 3} more..."] if len(found) > 3 else []
        return ",".join(found[:3]) + (" " + more[0] if more else "") if found else UNSET

    return cell


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _role(body: Json, _: datetime) -> str:
    return f"{at(body, '.roleRef.kind')}/{at(body, '.roleRef.name')}"


def _reference(body: Json, _: datetime) -> str:
    return f"{at(body, '.spec.scaleTargetRef.kind')}/{at(body, '.spec.scaleTargetRef.name')}"


def _targets(body: Json, _: datetime) -> str:
    found = []
    for metric in at(body, ".spec.metrics") or ():
        wanted = at(metric, ".resource.target") or {}
        shown = (
            f"{wanted['averageUtilization']}%" if "averageUtilization" in wanted else wanted.get("averageValue", "?")
        )
        found.append(f"{at(metric, '.resource.name') or metric.get('type')}: {UNKNOWN}/{shown}")
    return ", ".join(found) or NONE


def _whole(name: str, path: str) -> Column:
    return Column(name, _value(path, 0), "integer")


def _wide(*columns: Column) -> Iterable[Column]:
    return (Column(each.name, each.cell, each.kind, 1) for each in columns)


AGE = Column("Age", lambda body, now: age(at(body, ".metadata.creationTimestamp"), now))
CREATED = Column("Created At", _value(".metadata.creationTimestamp"), "date")


def _images(spec: str) -> tuple[Column, ...]:
    containers = f"{spec}.containers"
    return Column("Containers", _listed(containers, "name")), Column("Images", _listed(containers, "image"))


_POD, _JOB_POD = ".spec.template.spec", ".spec.jobTemplate.spec.template.spec"
_SELECTOR = Column("Selector", _pairs(".spec.selector"))
_SUBJECTS = (
    Column("Users", _subjects("User")),
    Column("Groups", _subjects("Group")),
    Column("ServiceAccounts", _subjects("ServiceAccount")),
)
_BINDING = (Column("Role", _role), AGE, *_wide(*_SUBJECTS))
_REPLICAS = (
    _whole("Desired", ".spec.replicas"),
    _whole("Current", ".status.replicas"),
    _whole("Ready", ".status.readyReplicas"),
)
_RBAC, _ADMISSION = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"

OF: dict[CollectionKey, tuple[Column, ...]] = {
    ("", "configmaps"): (Column("Data", _count(".data", ".binaryData")), AGE),
    ("", "endpoints"): (Column("Endpoints", _listed(".subsets[0].addresses", "ip")), AGE),
    ("", "limitranges"): (CREATED,),
    ("", "namespaces"): (Column("Status", _text(".status.phase")), AGE),
    ("", "persistentvolumeclaims"): (
        Column("Status", _text(".status.phase")),
        Column("Volume", _text(".spec.volumeName")),
        Column("Capacity", _text(".status.capacity.storage")),
        Column("Access Modes", _modes(".status.accessModes")),
        Column("StorageClass", _text(".spec.storageClassName")),
        Column("VolumeAttributesClass", _text(".spec.volumeAttributesClassName", UNSET)),
        AGE,
        *_wide(Column("VolumeMode", _text(".spec.volumeMode", UNSET))),
    ),
    ("", "pods"): (
        Column("Ready", _pod_ready),
        Column("Status", _pod_status),
        Column("Restarts", _restarts),
        AGE,
        *_wide(
            Column("IP", _text(".status.podIP", NONE)),
            Column("Node", _text(".spec.nodeName", NONE)),
            Column("Nominated Node", _text(".status.nominatedNodeName", NONE)),
            Column("Readiness Gates", lambda _, __: NONE),
        ),
    ),
    ("", "replicationcontrollers"): (*_REPLICAS, AGE, *_wide(*_images(_POD), _SELECTOR)),
    ("", "secrets"): (Column("Type", _text(".type")), Column("Data", _count(".data")), AGE),
    ("", "serviceaccounts"): (AGE,),
    ("", "services"): (
        Column("Type", _text(".spec.type")),
        Column("Cluster-IP", _text(".spec.clusterIP", NONE)),
        Column("External-IP", _external),
        Column("Port(s)", _ports),
        AGE,
        *_wide(_SELECTOR),
    ),
    (_ADMISSION, "mutatingwebhookconfigurations"): (Column("Webhooks", _count(".webhooks"), "integer"), AGE),
    (_ADMISSION, "validatingwebhookconfigurations"): (Column("Webhooks", _count(".webhooks"), "integer"), AGE),
    ("apiextensions.k8s.io", "customresourcedefinitions"): (CREATED,),
    ("apps", "daemonsets"): (
        _whole("Desired", ".status.desiredNumberScheduled"),
        _whole("Current", ".status.currentNumberScheduled"),
        _whole("Ready", ".status.numberReady"),
        _whole("Up-to-date", ".status.updatedNumberScheduled"),
        _whole("Available", ".status.numberAvailable"),
        Column("Node Selector", _pairs(f"{_POD}.nodeSelector")),
        AGE,
        *_wide(*_images(_POD), _SELECTOR),
    ),
    ("apps", "deployments"): (
        Column("Ready", _ready(".status.readyReplicas", ".spec.replicas")),
        Column("Up-to-date", _value(".status.updatedReplicas", 0)),
        Column("Available", _value(".status.availableReplicas", 0)),
        AGE,
        *_wide(*_images(_POD), _SELECTOR),
    ),
    ("apps", "replicasets"): (*_REPLICAS, AGE, *_wide(*_images(_POD), _SELECTOR)),
    ("apps", "statefulsets"): (
        Column("Ready", _ready(".status.readyReplicas", ".spec.replicas")),
        AGE,
        *_wide(*_images(_POD)),
    ),
    ("autoscaling", "horizontalpodautoscalers"): (
        Column("Reference", _reference),
        Column("Targets", _targets),
        Column("MinPods", _text(".spec.minReplicas", UNSET)),
        Column("MaxPods", _value(".spec.maxReplicas", 0)),
        Column("Replicas", _value(".status.currentReplicas", 0)),
        AGE,
    ),
    ("batch", "cronjobs"): (
        Column("Schedule", _text(".spec.schedule")),
        Column("Timezone", _text(".spec.timeZone", NONE)),
        Column("Suspend", _text(".spec.suspend", "bool"), "boolean"),
        Column("Active", _count(".status.active"), "integer"),
        Column("Last Schedule", _since(".status.lastScheduleTime")),
        AGE,
        *_wide(*_images(_JOB_POD), Column("Selector", _pairs(".spec.jobTemplate.spec.selector"))),
    ),
    ("batch", "jobs"): (
        Column("Status", _job_status),
        Column("Completions", _ready(".status.succeeded", ".spec.completions")),
        Column("Duration", _duration),
        AGE,
        *_wide(*_images(_POD), _SELECTOR),
    ),
    ("", "resourcequotas"): (Column("Request", _quota(limits=False)), Column("Limit", _quota(limits=True)), AGE),
    ("discovery.k8s.io", "endpointslices"): (
        Column("AddressType", _text(".addressType")),
        Column("Ports", _slice(".ports", "port")),
        Column("Endpoints", _slice(".endpoints", "addresses")),
        AGE,
    ),
    ("coordination.k8s.io", "leases"): (Column("Holder", _text(".spec.holderIdentity")), AGE),
    ("networking.k8s.io", "ingresses"): (
        Column("Class", _text(".spec.ingressClassName", NONE)),
        Column("Hosts", _hosts),
        Column("Address", _listed(".status.loadBalancer.ingress", "ip", "")),
        Column("Ports", lambda body, _: "80, 443" if at(body, ".spec.tls") else "80"),
        AGE,
    ),
    ("networking.k8s.io", "networkpolicies"): (Column("Pod-Selector", _pairs(".spec.podSelector")), AGE),
    ("policy", "poddisruptionbudgets"): (
        Column("Min Available", _text(".spec.minAvailable", "N/A")),
        Column("Max Unavailable", _text(".spec.maxUnavailable", "N/A")),
        _whole("Allowed Disruptions", ".status.disruptionsAllowed"),
        AGE,
    ),
    (_RBAC, "clusterrolebindings"): _BINDING,
    (_RBAC, "clusterroles"): (CREATED,),
    (_RBAC, "rolebindings"): _BINDING,
    (_RBAC, "roles"): (CREATED,),
    ("scheduling.k8s.io", "priorityclasses"): (
        _whole("Value", ".value"),
        Column("Global-Default", _value(".globalDefault", False), "boolean"),
        AGE,
        Column("PreemptionPolicy", _text(".preemptionPolicy")),
    ),
    ("storage.k8s.io", "storageclasses"): (
        Column("Provisioner", _text(".provisioner")),
        Column("ReclaimPolicy", _text(".reclaimPolicy")),
        Column("VolumeBindingMode", _text(".volumeBindingMode")),
        Column("AllowVolumeExpansion", _text(".allowVolumeExpansion", "false")),
        AGE,
    ),
}
"""The columns after the name."""
