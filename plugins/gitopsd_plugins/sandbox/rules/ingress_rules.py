"""What is wrong with an Ingress: its rules, their paths, and where these lead."""

from __future__ import annotations

from collections.abc import Iterator

from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import causes
from gitopsd_plugins.sandbox.requests.status import Cause
from gitopsd_plugins.sandbox.rules import probe_rules


def of(body: Json) -> Iterator[Cause]:
    """An Ingress after its defaults."""
    spec = body["spec"]
    if not spec.get("rules") and spec.get("defaultBackend") is None:
        yield causes.wrong("spec", spec.get("rules"), "either `defaultBackend` or `rules` must be specified")
    if spec.get("defaultBackend") is not None:
        yield from _backend(spec["defaultBackend"], "spec.defaultBackend")
    for index, rule in enumerate(spec.get("rules") or ()):
        for number, path in enumerate((rule.get("http") or {}).get("paths") or ()):
            yield from _path(path, f"spec.rules[{index}].http.paths[{number}]")


def _path(path: Json, where: str) -> Iterator[Cause]:
    kind, value = path.get("pathType"), path.get("path", "")
    if kind in ("Exact", "Prefix") and not value.startswith("/"):
        yield causes.wrong(f"{where}.path", value, "must be an absolute path")
    if not kind:
        yield causes.required(f"{where}.pathType", "pathType must be specified")
    yield from _backend(path.get("backend") or {}, f"{where}.backend")


def _backend(backend: Json, where: str) -> Iterator[Cause]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        yield causes.wrong(where, "", "cannot set both resource and service backends")
    elif service is not None:
        yield from _service(service, where)
    elif resource is None:
        yield causes.wrong(where, "", "resource or service backend is required")


def _service(service: Json, where: str) -> Iterator[Cause]:
    port = service.get("port") or {}
    name, number = port.get("name", ""), port.get("number", 0)
    if not service.get("name"):
        yield causes.required(f"{where}.service.name")
    if name and number:
        yield causes.wrong(where, "", "cannot set both port name & port number")
    elif name:
        yield from probe_rules.port_name(name, f"{where}.service.port.name")
    elif number:
        yield from probe_rules.port(number, f"{where}.service.port.number")
    else:
        yield causes.required(where, "port name or number is required")
