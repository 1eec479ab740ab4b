"""What is wrong with the probes and hooks of a container: their handler, its address and port, and their numbers.

It sees a container after its defaults, and knows neither pods nor names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import causes
from gitopsd_plugins.sandbox.requests.status import Cause

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
HOOKS = ("postStart", "preStop")
NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")

_PORT_NAME = re.compile(r"[-a-z0-9]+")


def of(container: Json, path: str) -> Iterator[Cause]:
    """What is wrong with a container's probes and hooks."""
    for name in PROBES:
        if container.get(name) is not None:
            yield from _probe(container[name], f"{path}.{name}", once=name != "readinessProbe")
    for name in HOOKS:
        hook = (container.get("lifecycle") or {}).get(name)
        if hook is not None:
            yield from _handler(hook, f"{path}.lifecycle.{name}")


def _probe(probe: Json, path: str, *, once: bool) -> Iterator[Cause]:
    yield from _handler(probe, path)
    for name in NUMBERS:
        if probe.get(name, 0) < 0:
            yield causes.wrong(f"{path}.{name}", probe[name], "must be greater than or equal to 0")
    if once and probe.get("successThreshold") != 1:
        yield causes.wrong(f"{path}.successThreshold", probe.get("successThreshold", 0), "must be 1")


def _handler(holder: Json, path: str) -> Iterator[Cause]:
    """One action, and no more than one; of more, only the first is looked at."""
    found = [name for name in HANDLERS if holder.get(name) is not None]
    if not found:
        yield causes.required(path, "must specify a handler type")
    for name in found[1:]:
        yield Cause(f"{path}.{name}", "FieldValueForbidden", "Forbidden: may not specify more than 1 handler type")
    match found[:1]:
        case ["exec"] if not holder["exec"].get("command"):
            yield causes.required(f"{path}.exec.command")
        case ["httpGet"]:
            yield from _http(holder["httpGet"], f"{path}.httpGet")
        case ["tcpSocket"]:
            yield from port(holder["tcpSocket"].get("port", 0), f"{path}.tcpSocket.port")
        case ["grpc"]:
            yield from port(holder["grpc"].get("port", 0), f"{path}.grpc.port")


def _http(action: Json, path: str) -> Iterator[Cause]:
    if not action.get("path"):
        yield causes.required(f"{path}.path")
    yield from port(action.get("port", 0), f"{path}.port")
    if action.get("scheme") not in ("HTTP", "HTTPS"):
        yield causes.unsupported(f"{path}.scheme", action.get("scheme", ""), ("HTTP", "HTTPS"))


def port(value: Any, path: str) -> Iterator[Cause]:
    """What is wrong with a port, which may be a name."""
    if isinstance(value, str):
        yield from port_name(value, path)
    elif not 0 < value < 65536:
        yield causes.wrong(path, value, "must be between 1 and 65535, inclusive")


def port_name(name: str, path: str) -> Iterator[Cause]:
    """What is wrong with a port's name."""
    if len(name) > 15:
        yield causes.wrong(path, name, "must be no more than 15 characters")
    if not _PORT_NAME.fullmatch(name):
        yield causes.wrong(path, name, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", name):
        yield causes.wrong(path, name, "must contain at least one letter (a-z)")
    if "--" in name:
        yield causes.wrong(path, name, "must not contain consecutive hyphens")
    if name.startswith("-") or name.endswith("-"):
        yield causes.wrong(path, name, "must not begin or end with a hyphen")
