"""Tables: what `kubectl get` asks for, one row per object with the columns of its kind.

Built-in kinds have the columns that people look for, custom resources those of their definition; all others have name
and age. It knows objects and no requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from gitopsd_plugins.sandbox.resources import Resource
from gitopsd_plugins.sandbox.schema import Json
from gitopsd_plugins.sandbox.store import Stored, encode

Cell = Callable[[Json], Any]

_STEP = re.compile(r"\.?([\w-]+)|\['([^']+)'\]|\[(\d+)\]|\[\?\(@\.([\w.]+)\s*==\s*[\"']([^\"']*)[\"']\)\]")


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
        return "<unknown>"
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


def _plain(path: str, missing: Any = "") -> Cell:
    def cell(body: Json) -> Any:
        value = at(body, path)
        return missing if value is None else value

    return cell


def _count(*paths: str) -> Cell:
    return lambda body: sum(len(at(body, path) or ()) for path in paths)


def _ready(have: str, wanted: str) -> Cell:
    return lambda body: f"{at(body, have) or 0}/{at(body, wanted) or 0}"


def _ports(body: Json) -> str:
    shown = []
    for port in at(body, ".spec.ports") or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        shown.append(f"{port['port']}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(shown) or "<none>"


def _pod_ready(body: Json) -> str:
    statuses = at(body, ".status.containerStatuses") or ()
    return f"{sum(bool(each.get('ready')) for each in statuses)}/{len(at(body, '.spec.containers') or ())}"


def _pod_status(body: Json) -> str:
    for each in at(body, ".status.containerStatuses") or ():
        for state in ("waiting", "terminated"):
            if reason := at(each, f".state.{state}.reason"):
                return str(reason)
    return str(at(body, ".status.phase") or "Unknown")


def _job_status(body: Json) -> str:
    finished = [each["type"] for each in at(body, ".status.conditions") or () if each["status"] == "True"]
    return next((each for each in finished if each in ("Complete", "Failed", "Suspended")), "Running")


_COLUMNS: dict[tuple[str, str], dict[str, Cell]] = {
    ("", "configmaps"): {"Data": _count(".data", ".binaryData")},
    ("", "namespaces"): {"Status": _plain(".status.phase")},
    ("", "persistentvolumeclaims"): {
        "Status": _plain(".status.phase"),
        "Volume": _plain(".spec.volumeName"),
        "Capacity": _plain(".status.capacity.storage"),
    },
    ("", "pods"): {"Ready": _pod_ready, "Status": _pod_status, "Restarts": lambda _: 0},
    ("", "secrets"): {"Type": _plain(".type"), "Data": _count(".data")},
    ("", "services"): {
        "Type": _plain(".spec.type"),
        "Cluster-IP": _plain(".spec.clusterIP", "<none>"),
        "External-IP": _plain(".status.loadBalancer.ingress[0].ip", "<none>"),
        "Port(s)": _ports,
    },
    ("apps", "daemonsets"): {
        "Desired": _plain(".status.desiredNumberScheduled", 0),
        "Ready": _plain(".status.numberReady", 0),
    },
    ("apps", "deployments"): {
        "Ready": _ready(".status.readyReplicas", ".spec.replicas"),
        "Up-to-date": _plain(".status.updatedReplicas", 0),
        "Available": _plain(".status.availableReplicas", 0),
    },
    ("apps", "replicasets"): {
        "Desired": _plain(".spec.replicas", 0),
        "Current": _plain(".status.replicas", 0),
        "Ready": _plain(".status.readyReplicas", 0),
    },
    ("apps", "statefulsets"): {"Ready": _ready(".status.readyReplicas", ".spec.replicas")},
    ("batch", "cronjobs"): {"Schedule": _plain(".spec.schedule"), "Suspend": _plain(".spec.suspend")},
    ("batch", "jobs"): {"Status": _job_status, "Completions": _ready(".status.succeeded", ".spec.completions")},
    ("apiextensions.k8s.io", "customresourcedefinitions"): {"Created At": _plain(".metadata.creationTimestamp")},
}


def _column(name: str, kind: str = "string", priority: int = 0, text: str = "") -> Json:
    return {
        "name": name,
        "type": kind,
        "format": "name" if name == "Name" else "",
        "description": text,
        "priority": priority,
    }


def _definitions(resource: Resource) -> list[Json]:
    if resource.columns:
        declared = [
            _column(each["name"], each.get("type", "string"), each.get("priority", 0), each.get("description", ""))
            for each in resource.columns
        ]
        return [_column("Name"), *declared]
    own = [_column(name) for name in _COLUMNS.get(resource.key, ())]
    return [_column("Name"), *own, *([] if resource.key[1] == "customresourcedefinitions" else [_column("Age")])]


def _cells(resource: Resource, body: Json, now: datetime) -> list[Any]:
    name = body["metadata"]["name"]
    if resource.columns:
        return [name, *(_declared(each, body, now) for each in resource.columns)]
    own = [cell(body) for cell in _COLUMNS.get(resource.key, {}).values()]
    aged = [] if resource.key[1] == "customresourcedefinitions" else [age(body["metadata"]["creationTimestamp"], now)]
    return [name, *own, *aged]


def _declared(column: Json, body: Json, now: datetime) -> Any:
    value = at(body, column["jsonPath"])
    return age(value, now) if column.get("type") == "date" and value is not None else value


def table(resource: Resource, objects: Iterable[Stored], metadata: Json, now: datetime) -> bytes:
    """The objects as a table."""
    rows = [
        {
            "cells": _cells(resource, stored.body, now),
            "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": stored.metadata},
        }
        for stored in objects
    ]
    start = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    return encode({**start, "columnDefinitions": _definitions(resource), "rows": rows})
