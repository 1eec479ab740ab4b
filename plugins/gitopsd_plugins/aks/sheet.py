"""An object while it is filled in, each value with the words that say where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitopsd.plugin.imports import Imported
from gitopsd_plugins.aks.resource import Path, shown

DEFAULT = "absent: the service's default"
MANAGED = "clusterconfig.azure.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The configuration that objects are made of."""

    name: str
    namespace: str
    place: str
    origins: Mapping[Path, str] = field(default_factory=dict)

    def origin(self, *path: str) -> str:
        """What a property's value is called in a comment."""
        return self.origins.get(path) or shown(path)

    @property
    def labels(self) -> dict[str, str]:
        """The labels that the extension puts on what it makes."""
        return {
            f"{MANAGED}/is-managed": "true",
            f"{MANAGED}/name": self.name,
            f"{MANAGED}/namespace": self.namespace,
        }


@dataclass(slots=True)
class Sheet:
    """Fills in one object; values that are None are left out."""

    subject: Subject
    api_version: str
    kind: str
    name: str
    body: dict[str, Any] = field(default_factory=dict)
    origins: dict[Path, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        metadata = {"name": self.name, "namespace": self.subject.namespace, "labels": self.subject.labels}
        self.body = {"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata}

    def set(self, path: str, value: Any, origin: str) -> None:
        """Set the value at a dotted path below spec."""
        if value is None:
            return
        steps = ("spec", *path.split("."))
        inner = self.body
        for step in steps[:-1]:
            inner = inner.setdefault(step, {})
        inner[steps[-1]] = value
        if not isinstance(value, dict | list):
            self.origins[steps] = origin
        elif isinstance(value, list) and value and not isinstance(value[0], dict):
            self.origins |= {(*steps, index): origin for index in range(len(value))}

    def merge(self, more: Mapping[str, Any], origin: str) -> list[str]:
        """Merge a mapping into the spec, mappings deeply; answers with the paths that had another value."""
        replaced: list[str] = []
        _merge(self.body.setdefault("spec", {}), more, ("spec",), self.origins, (origin, replaced))
        return replaced

    def done(self) -> Imported:
        """The object."""
        heading = f"{self.subject.place}: {self.subject.name}"
        return Imported(body=self.body, origins=self.origins, heading=heading, file=self.subject.name)


def duration(seconds: int) -> str:
    """Seconds as Go prints them: 20s, 8m20s, 10m0s, 1h0m0s."""
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{left}s"
    return f"{minutes}m{left}s" if minutes else f"{left}s"


def _merge(
    into: dict[str, Any], more: Mapping[str, Any], path: Path, origins: dict[Path, str], said: tuple[str, list[str]]
) -> None:
    for key, value in more.items():
        below = into.get(key)
        if isinstance(below, dict) and isinstance(value, Mapping):
            _merge(below, value, (*path, key), origins, said)
            continue
        if key in into and below != value:
            said[1].append(shown((*path, key)))
        into[key] = value
        if not isinstance(value, dict | list):
            origins[(*path, key)] = said[0]
