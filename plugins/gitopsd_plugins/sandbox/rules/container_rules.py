"""What is wrong with a container's environment and resources. It sees a container after its defaults, and no pod."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitopsd_plugins.sandbox.facts import names, quantity
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import causes
from gitopsd_plugins.sandbox.requests.status import Cause

_VARIABLE = re.compile(r"[ -<>-~]+")
_VARIABLE_MESSAGE = "a valid environment variable name must consist only of printable ASCII characters other than '='"
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_TWO = "may not have more than one field specified at a time"
_ONE_OF = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"

_OF_CONTAINERS = ("cpu", "memory", "ephemeral-storage")
_STANDARD = re.compile(
    r"(requests\.|limits\.)?(cpu|memory|ephemeral-storage)|(requests\.)?(storage|hugepages-.*)|pods|resourcequotas|"
    r"services(\.nodeports|\.loadbalancers)?|replicationcontrollers|secrets|configmaps|persistentvolumeclaims"
)


def of(container: Json, path: str) -> Iterator[Cause]:
    """What is wrong with a container's environment and resources."""
    for index, entry in enumerate(container.get("env") or ()):
        yield from _variable(entry, f"{path}.env[{index}]")
    for index, entry in enumerate(container.get("envFrom") or ()):
        yield from _several(entry, index, f"{path}.envFrom")
    yield from _resources(container.get("resources") or {}, f"{path}.resources")


def _several(entry: Json, index: int, path: str) -> Iterator[Cause]:
    """Variables from all keys of an object."""
    found = [each for each in ("configMapRef", "secretRef") if entry.get(each) is not None]
    if not found:
        yield causes.wrong(path, "", "must specify one of: `configMapRef` or `secretRef`")
    elif len(found) > 1:
        yield causes.wrong(path, "", _TWO)
    for each in found:
        if not entry[each].get("name"):
            yield causes.required(f"{path}[{index}].{each}.name")


def _variable(entry: Json, path: str) -> Iterator[Cause]:
    name, source = entry.get("name"), entry.get("valueFrom")
    if not name:
        yield causes.required(f"{path}.name")
    elif not _VARIABLE.fullmatch(name):
        yield causes.wrong(f"{path}.name", name, _VARIABLE_MESSAGE)
    if source is None:
        return
    if entry.get("value"):
        yield causes.wrong(f"{path}.valueFrom", "", "may not be specified when `value` is not empty")
    found = [each for each in _SOURCES if source.get(each) is not None]
    if not found:
        yield causes.wrong(f"{path}.valueFrom", "", _ONE_OF)
    elif len(found) > 1:
        yield causes.wrong(f"{path}.valueFrom", "", _TWO)
    for each in ("configMapKeyRef", "secretKeyRef"):
        if source.get(each) is not None:
            yield from _key(source[each], f"{path}.valueFrom.{each}")


def _key(reference: Json, path: str) -> Iterator[Cause]:
    """A key of a ConfigMap or Secret."""
    if not reference.get("key"):
        yield causes.required(f"{path}.key")
    if why := names.object_name(reference.get("name", ""), ""):
        yield causes.wrong(f"{path}.name", reference.get("name", ""), why)


def _resources(resources: Json, path: str) -> Iterator[Cause]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for what, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            yield from _resource(name, amount, f"{path}.{what}[{name}]")
    for name, amount in requests.items():
        if name in limits and quantity.amount(amount) > quantity.amount(limits[name]):
            why = f"must be less than or equal to {name} limit of {limits[name]}"
            yield causes.wrong(f"{path}.requests", amount, why)


def _resource(name: str, amount: str, path: str) -> Iterator[Cause]:
    if why := names.qualified(name):
        yield causes.wrong(path, name, why)
    elif "/" not in name and name not in _OF_CONTAINERS and not name.startswith("hugepages-"):
        if not _STANDARD.fullmatch(name):
            yield causes.wrong(path, name, "must be a standard resource type or fully qualified")
        yield causes.wrong(path, name, "must be a standard resource for containers")
    if quantity.amount(amount) < 0:
        yield causes.wrong(path, amount, "must be greater than or equal to 0")
