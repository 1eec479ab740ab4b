"""What the API server warns of in a pod spec that it accepts all the same: repetitions, and selectors that select nothing.

It sees a spec after its defaults and gives sentences; where they go is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitopsd_plugins.sandbox.facts.schema import Json

NOTHING = "a null labelSelector results in matching no pod"
TERMS = (
    ("requiredDuringSchedulingIgnoredDuringExecution", ""),
    ("preferredDuringSchedulingIgnoredDuringExecution", "podAffinityTerm"),
)


def of(path: str, spec: Json) -> Iterator[str]:
    """The warnings of one pod spec."""
    for index, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        if constraint.get("labelSelector") is None:
            yield f"{path}.topologySpreadConstraints[{index}].labelSelector: {NOTHING}"
    yield from _repeated(spec.get("hostAliases") or (), "ip", f"{path}.hostAliases")
    yield from _repeated(spec.get("imagePullSecrets") or (), "name", f"{path}.imagePullSecrets")
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group) or ()):
            yield from _environment(container.get("env") or (), f"{path}.{group}[{index}].env")
    yield from _ports(path, spec)
    yield from _affinities(path, spec.get("affinity") or {})


def _repeated(items: Any, key: str, path: str) -> Iterator[str]:
    seen: set[Any] = set()
    for index, item in enumerate(items):
        if item.get(key) in seen:
            yield f'{path}[{index}].{key}: duplicate {key} "{item.get(key)}"'
        seen.add(item.get(key))


def _environment(entries: Any, path: str) -> Iterator[str]:
    seen: set[Any] = set()
    for index, entry in enumerate(entries):
        name, value = entry.get("name", ""), entry.get("value", "")
        reference = f"$({name})"
        if name in seen and ("valueFrom" in entry or value == reference or reference not in value):
            yield f'{path}[{index}]: hides previous definition of "{name}", which may be dropped when using apply'
        seen.add(name)


def _ports(path: str, spec: Json) -> Iterator[str]:
    numbers: dict[tuple[Any, ...], str] = {}
    named: dict[str, str] = {}
    found = [
        (f"{path}.{group}[{index}].ports[{number}]", port)
        for group in ("initContainers", "containers")
        for index, container in enumerate(spec.get(group) or ())
        for number, port in enumerate(container.get("ports") or ())
    ]
    for where, port in found:
        identity = (port.get("containerPort"), port.get("protocol"), port.get("hostIP"), port.get("hostPort"))
        if identity in numbers:
            yield f"{where}: duplicate port definition with {numbers[identity]}"
        numbers.setdefault(identity, where)
    for where, port in found:
        name = port.get("name")
        if name and name in named:
            first = named[name]
            yield f'{where}: duplicate port name "{name}" with {first}, services and probes that select ports by name will use {first}'
        elif name:
            named[name] = where


def _affinities(path: str, affinity: Json) -> Iterator[str]:
    for kind in ("podAffinity", "podAntiAffinity"):
        for field, below in TERMS:
            for index, term in enumerate((affinity.get(kind) or {}).get(field) or ()):
                inner = term.get(below) or {} if below else term
                if inner.get("labelSelector") is None:
                    where = f"{path}.affinity.{kind}.{field}[{index}]"
                    yield f"{where}.{below + '.' if below else ''}labelSelector: {NOTHING}"
