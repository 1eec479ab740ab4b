"""What is wrong with a pod spec: containers, their ports, probes and mounts, and the names that hold them together.

It sees a spec after its defaults, in a Pod or in the template of a workload, and knows neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitopsd_plugins.sandbox.facts import names
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import causes
from gitopsd_plugins.sandbox.requests.status import Cause
from gitopsd_plugins.sandbox.rules import (
    container_rules,
    label_rules,
    probe_rules,
    spread_rules,
    volume_rules,
)

PROTOCOLS = ("SCTP", "TCP", "UDP")
MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
POLICIES = {
    "restartPolicy": ("Always", "OnFailure", "Never"),
    "dnsPolicy": ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"),
    "preemptionPolicy": ("PreemptLowerPriority", "Never"),
}


def spec_of(spec: Json, path: str) -> Iterator[Cause]:
    """What is wrong with a pod spec."""
    if not spec.get("containers"):
        yield causes.required(f"{path}.containers")
    seen: set[str] = set()
    volumes, broken = volume_rules.checked(spec.get("volumes") or [], f"{path}.volumes")
    yield from broken
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group) or ()):
            yield from _container(container, f"{path}.{group}[{index}]", seen, volumes)
    for name, supported in POLICIES.items():
        if spec.get(name) and spec[name] not in supported:
            yield causes.unsupported(f"{path}.{name}", spec[name], supported)
    yield from label_rules.of_labels(spec.get("nodeSelector") or {}, f"{path}.nodeSelector")
    yield from _names(spec, path)
    yield from _tolerations(spec.get("tolerations") or [], f"{path}.tolerations")
    yield from spread_rules.of(spec.get("topologySpreadConstraints") or [], f"{path}.topologySpreadConstraints")


def _names(spec: Json, path: str) -> Iterator[Cause]:
    """Names of other objects and of hosts, and how long pods may live."""
    for field in ("serviceAccountName", "priorityClassName"):
        if spec.get(field) and (why := names.object_name(spec[field], "")):
            yield causes.wrong(f"{path}.{field}", spec[field], why)
    for field in ("hostname", "subdomain"):
        if spec.get(field) and (why := names.label(spec[field])):
            yield causes.wrong(f"{path}.{field}", spec[field], why)
    if not 1 <= spec.get("activeDeadlineSeconds", 1) < 1 << 31:
        why = "must be between 1 and 2147483647, inclusive"
        yield causes.wrong(f"{path}.activeDeadlineSeconds", spec["activeDeadlineSeconds"], why)


def _container(container: Json, path: str, seen: set[str], volumes: set[str]) -> Iterator[Cause]:
    yield from _name(container.get("name", ""), f"{path}.name", seen)
    if not container.get("image"):
        yield causes.required(f"{path}.image")
    yield from _ports(container.get("ports") or [], f"{path}.ports")
    yield from container_rules.of(container, path)
    yield from volume_rules.of_mounts(container.get("volumeMounts") or [], f"{path}.volumeMounts", volumes)
    yield from probe_rules.of(container, path)
    policy = container.get("imagePullPolicy")
    if policy not in PULL_POLICIES:
        yield causes.unsupported(f"{path}.imagePullPolicy", policy, PULL_POLICIES)
    told = container.get("terminationMessagePolicy")
    if told not in MESSAGE_POLICIES:
        yield causes.unsupported(f"{path}.terminationMessagePolicy", told, MESSAGE_POLICIES)


def _name(name: str, path: str, seen: set[Any]) -> Iterator[Cause]:
    """A label that nothing else has; added to `seen`."""
    if not name:
        yield causes.required(path)
    elif why := names.label(name):
        yield causes.wrong(path, name, why)
    elif name in seen:
        yield Cause(path, "FieldValueDuplicate", f'Duplicate value: "{name}"')
    seen.add(name)


def _tolerations(tolerations: list[Json], path: str) -> Iterator[Cause]:
    for index, each in enumerate(tolerations):
        if not each.get("key") and each.get("operator") != "Exists":
            why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            yield causes.wrong(f"{path}[{index}].operator", each.get("operator", ""), why)


def _ports(ports: list[Json], path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        name, number = port.get("name"), port.get("containerPort", 0)
        if name and name in seen:
            yield Cause(f"{path}[{index}].name", "FieldValueDuplicate", f'Duplicate value: "{name}"')
        seen.add(name or "")
        if name:
            yield from probe_rules.port_name(name, f"{path}[{index}].name")
        yield from _number(number, f"{path}[{index}].containerPort")
        if port.get("hostPort", 0) and not 0 < port["hostPort"] < 65536:
            why = "must be between 1 and 65535, inclusive"
            yield causes.wrong(f"{path}[{index}].hostPort", port["hostPort"], why)
        if port.get("protocol") not in PROTOCOLS:
            yield causes.unsupported(f"{path}[{index}].protocol", port.get("protocol", ""), PROTOCOLS)


def _number(value: Any, path: str) -> Iterator[Cause]:
    if value == 0:
        yield causes.required(path)
    elif not isinstance(value, int) or not 0 < value < 65536:
        yield causes.wrong(path, value, "must be between 1 and 65535, inclusive")
