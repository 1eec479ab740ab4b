"""Services: addresses and ports that the server hands out, fields that go with a type, and what is wrong with one.

`allocated` and `kept` are steps of `prepare.py`; `rules` and `changes` are found by `kind_rules.py` and `immutability.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from gitopsd_plugins.sandbox.defaulting import service_families
from gitopsd_plugins.sandbox.facts import names
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import causes
from gitopsd_plugins.sandbox.requests.status import Cause

CLUSTER_FIELDS = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
WITH_NODE_PORTS = ("NodePort", "LoadBalancer")


class Addresses(Struct):
    """Hands out cluster addresses of Services, and node ports, in order."""

    next_address: int = 10
    next_port: int = 30000
    used: set[str] = field(default_factory=set)

    def note(self, spec: Json) -> None:
        """Take what a Service has out of what is handed out."""
        self.used.add(spec.get("clusterIP", ""))
        ports = [each.get("nodePort", 0) for each in spec.get("ports") or ()]
        self.next_port = max(self.next_port, spec.get("healthCheckNodePort", 0), *ports)

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


def allocated(body: Json, addresses: Addresses) -> Json:
    """A Service with its cluster address, families and node ports, where its type has them."""
    spec = dict(body["spec"])
    if spec["type"] == "ExternalName":
        spec.pop("internalTrafficPolicy", None)  # what was handed out before, or stated: it is never shown
        return {**body, "spec": spec}
    if not spec.get("clusterIP") and (spec.get("ipFamilies") or ["IPv4"])[0] != "IPv4":
        return body  # there is no such address, which is said when the Service is checked
    if not spec.get("clusterIP"):
        spec["clusterIP"] = addresses.address()
    elif spec["clusterIP"] != "None":
        addresses.used.add(spec["clusterIP"])
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    spec = service_families.filled(spec)
    if _has_node_ports(spec):
        spec["ports"] = [
            port if port.get("nodePort") else {**port, "nodePort": addresses.port()} for port in spec.get("ports") or ()
        ]
    if _is_checked(spec):
        spec.setdefault("healthCheckNodePort", addresses.port())
    return {**body, "spec": spec}


def is_whole(body: Json) -> bool:
    """Whether a Service got its address; one that was made through its status did not, and never will."""
    spec = body["spec"]
    return spec.get("type") == "ExternalName" or bool(spec.get("clusterIP"))


def _has_node_ports(spec: Json) -> bool:
    wanted = spec.get("allocateLoadBalancerNodePorts") is not False
    return spec["type"] == "NodePort" or (spec["type"] == "LoadBalancer" and wanted)


def _is_checked(spec: Json) -> bool:
    return spec["type"] == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def kept(live: Json, body: Json) -> Json:
    """An updated Service with what was handed out before, and without what its new type does not have."""
    before, spec = live["spec"], dict(body["spec"])
    if spec["type"] != "ExternalName" and before["type"] != "ExternalName":
        spec = _in_step(before, spec)
        for name in CLUSTER_FIELDS:
            if not spec.get(name) and name in before:
                spec[name] = before[name]
        spec = service_families.kept(before, spec)
    if spec["type"] in WITH_NODE_PORTS:
        spec = _with_node_ports(before, spec)
    if _is_checked(before) and _is_checked(spec) and "healthCheckNodePort" in before:
        spec.setdefault("healthCheckNodePort", before["healthCheckNodePort"])
    body = {**body, "spec": _without_foreign(before, spec)}
    if spec["type"] != "LoadBalancer" and "status" in body:
        body["status"] = {**body["status"], "loadBalancer": {}}
    return body


def _in_step(before: Json, spec: Json) -> Json:
    """The spec with its two names of the cluster address kept equal, by the one that was changed."""
    one, many = spec.get("clusterIP"), spec.get("clusterIPs")
    if one and not many:
        return {**spec, "clusterIPs": [one]}
    if one != before.get("clusterIP") and many == before.get("clusterIPs"):
        return {**spec, "clusterIPs": [one] if one else None}
    if one == before.get("clusterIP") and many and many != before.get("clusterIPs"):
        return {**spec, "clusterIP": many[0]}
    return spec


def _with_node_ports(before: Json, spec: Json) -> Json:
    held = {
        (port.get("port"), port.get("protocol")): port["nodePort"]
        for port in before.get("ports") or ()
        if "nodePort" in port
    }
    ports = [
        {**port, "nodePort": held[found]}
        if "nodePort" not in port and (found := (port.get("port"), port.get("protocol"))) in held
        else port
        for port in spec.get("ports") or ()
    ]
    return {**spec, "ports": ports} if ports else spec


def _without_foreign(before: Json, spec: Json) -> Json:
    """The spec without fields that only the former type had and that were not changed with it."""

    def drop(*fields: str) -> None:
        for name in fields:
            if spec.get(name) == before.get(name):
                spec.pop(name, None)

    if before["type"] != "ExternalName" and spec["type"] == "ExternalName":
        drop(*CLUSTER_FIELDS)
    if (
        before["type"] in WITH_NODE_PORTS
        and spec["type"] not in WITH_NODE_PORTS
        and _node_ports(before) == _node_ports(spec)
    ):
        ports = [{key: value for key, value in port.items() if key != "nodePort"} for port in spec.get("ports") or ()]
        if ports:
            spec["ports"] = ports
    if _is_checked(before) and not _is_checked(spec):
        drop("healthCheckNodePort")
    if before["type"] == "LoadBalancer" and spec["type"] != "LoadBalancer":
        drop("allocateLoadBalancerNodePorts", "loadBalancerClass")
    if _is_external(before) and not _is_external(spec):
        drop("externalTrafficPolicy")
    return spec


def _node_ports(spec: Json) -> list[Any]:
    return [port.get("nodePort") for port in spec.get("ports") or ()]


def _is_external(spec: Json) -> bool:
    return spec["type"] in WITH_NODE_PORTS or (spec["type"] == "ClusterIP" and bool(spec.get("externalIPs")))


def rules(body: Json) -> Iterator[Cause]:
    """What is wrong with a Service; addresses are handed out before the rest is looked at, so what is wrong with them stands alone."""
    spec = body["spec"]
    found = list(service_families.of(spec)) if spec["type"] != "ExternalName" else []
    yield from found or _of_spec(spec)


def _of_spec(spec: Json) -> Iterator[Cause]:
    kind, headless = spec["type"], spec.get("clusterIP") == "None"
    ports = spec.get("ports") or []
    if not ports and not headless and kind != "ExternalName":
        yield causes.required("spec.ports")
    if headless and kind in WITH_NODE_PORTS:
        yield causes.wrong("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")
    if kind == "ExternalName":
        yield from _external_name(spec)
    yield from _ports(ports)
    if kind not in TYPES:
        yield causes.unsupported("spec.type", kind, TYPES)
    yield from _policies(spec)


def _external_name(spec: Json) -> Iterator[Cause]:
    for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if spec.get(name) or (name == "clusterIPs" and spec.get("clusterIP")):
            yield Cause(f"spec.{name}", "FieldValueForbidden", "Forbidden: may not be set for ExternalName services")
    if not spec.get("externalName"):
        yield causes.required("spec.externalName")


def _ports(ports: list[Json]) -> Iterator[Cause]:
    seen: set[Any] = set()
    for index, port in enumerate(ports):
        path, name, number = f"spec.ports[{index}]", port.get("name", ""), port.get("port", 0)
        if len(ports) > 1 and not name:
            yield causes.required(f"{path}.name")
        elif name and (why := names.label(name)):
            yield causes.wrong(f"{path}.name", name, why)
        elif name and name in seen:
            yield Cause(f"{path}.name", "FieldValueDuplicate", f'Duplicate value: "{name}"')
        seen.add(name)
        for field_, value in (("port", number), ("targetPort", port.get("targetPort", number))):
            if isinstance(value, int) and not 0 < value < 65536:
                yield causes.wrong(f"{path}.{field_}", value, "must be between 1 and 65535, inclusive")
        protocol = port.get("protocol")
        if protocol not in ("SCTP", "TCP", "UDP"):
            yield causes.unsupported(f"{path}.protocol", protocol, ("SCTP", "TCP", "UDP"))
    yield from _repeated_ports(ports)


def _repeated_ports(ports: list[Json]) -> Iterator[Cause]:
    seen: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        identity = port.get("port"), port.get("protocol")
        if identity in seen:
            shown = {"Protocol": identity[1], "AppProtocol": None, "Port": identity[0], "TargetPort": 0, "NodePort": 0}
            message = f"Duplicate value: {causes.in_order({'Name': '', **shown})}"
            yield Cause(f"spec.ports[{index}]", "FieldValueDuplicate", message)
        seen.add(identity)


def _policies(spec: Json) -> Iterator[Cause]:
    policy = spec.get("externalTrafficPolicy")
    if policy and not _is_external(spec):
        yield causes.wrong("spec.externalTrafficPolicy", policy, "may only be set for externally-accessible services")
    elif policy not in (None, "Cluster", "Local"):
        yield causes.unsupported("spec.externalTrafficPolicy", policy, ("Cluster", "Local"))
    if spec.get("sessionAffinity") not in ("ClientIP", "None"):
        yield causes.unsupported("spec.sessionAffinity", spec.get("sessionAffinity"), ("ClientIP", "None"))
    elif spec["sessionAffinity"] == "None" and spec.get("sessionAffinityConfig") is not None:
        why = "Forbidden: must not be set when session affinity is None"
        yield Cause("spec.sessionAffinityConfig", "FieldValueForbidden", why)
    if spec.get("allocateLoadBalancerNodePorts") is not None and spec["type"] != "LoadBalancer":
        why = "Forbidden: may only be used when `type` is 'LoadBalancer'"
        yield Cause("spec.allocateLoadBalancerNodePorts", "FieldValueForbidden", why)
    if spec["type"] == "ClusterIP":
        for index, port in enumerate(spec.get("ports") or ()):
            if port.get("nodePort"):
                why = "Forbidden: may not be used when `type` is 'ClusterIP'"
                yield Cause(f"spec.ports[{index}].nodePort", "FieldValueForbidden", why)


def changes(live: Json, body: Json) -> Iterator[Cause]:
    """What may not change in a Service."""
    before, after = live["spec"], body["spec"]
    if "ExternalName" in (before.get("type"), after.get("type")):
        return
    held, wanted = before.get("clusterIPs") or [], after.get("clusterIPs") or []
    if wanted and after.get("clusterIP") != wanted[0]:
        yield causes.wrong("spec.clusterIPs", wanted, "first value must match `clusterIP`")
    if held and wanted and held[0] != wanted[0]:
        yield causes.wrong("spec.clusterIPs[0]", wanted, "may not change once set")
    yield from service_families.changes(before, after)


def warnings(body: Json) -> Iterator[str]:
    """What is accepted in a Service and does nothing."""
    spec = body["spec"]
    if spec.get("clusterIP") == "None":
        for name in ("loadBalancerIP", "externalIPs"):
            if spec.get(name):
                yield f"spec.{name} is ignored for headless services"
        if spec.get("sessionAffinity") != "None":
            yield "spec.SessionAffinity is ignored for headless services"
    elif spec.get("externalIPs"):
        yield "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
    if spec["type"] != "ExternalName" and spec.get("externalName"):
        yield 'spec.externalName is ignored when spec.type is not "ExternalName"'
