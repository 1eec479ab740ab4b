"""What the readers make of their input: configurations in the words of the ARM resource, and where each value stood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitopsd.plugin import UsageError
from gitopsd.plugin.imports import Note

Path = tuple[str | int, ...]


class InputError(UsageError):
    """The input cannot be read, or says something that cannot be. The message names the place and what to write."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that only Azure, or a parameter that was not given, knows. An error only where it ends up in the result."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One flux configuration. `properties` are those of the ARM resource, in its own spelling."""

    name: Any
    properties: Mapping[str, Any] = field(repr=False)
    place: str
    """Where it stands, for messages and headings."""
    origins: Mapping[Path, str] = field(default_factory=dict)
    """For paths in the properties: the words that said so, where they are others than the path itself."""
    cluster: str = ""
    """The cluster that it was for, as far as that can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Everything that one input holds. `settings` are those of the extension itself, text to text."""

    resources: tuple[Resource, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    def __add__(self, other: Found) -> Found:
        return Found(
            resources=(*self.resources, *other.resources),
            settings={**self.settings, **other.settings},
            notes=(*self.notes, *other.notes),
        )


def unknowns(value: Any, path: Path = ()) -> list[tuple[Path, Unknown]]:
    """Every value of a structure that is not known, with its path."""
    match value:
        case Unknown():
            return [(path, value)]
        case Mapping():
            return [found for key, below in value.items() for found in unknowns(below, (*path, key))]
        case list() | tuple():
            return [found for index, below in enumerate(value) for found in unknowns(below, (*path, index))]
    return []


def shown(path: Path) -> str:
    """A path as people write it: `kustomizations.apps.path`."""
    return ".".join(str(step) for step in path)
