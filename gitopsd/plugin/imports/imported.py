"""What an import made: objects with the origin of their values, secrets apart, and what the person must know. Plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitopsd.model.identity import ResourceId

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One Kubernetes object. `origins` says for paths in it where the value came from, for comments."""

    body: Mapping[str, Any] = field(repr=False)
    origins: Mapping[Path, str] = field(default_factory=dict)
    heading: str = ""
    """What stands above the object as a comment."""
    file: str = ""
    """Base name of the file that it belongs to, where a folder is written."""
    declared: bool = True
    """An object that gitopsd reads itself; False for what a cluster must have beforehand (accounts, namespaces)."""

    @property
    def id(self) -> ResourceId:
        """Which object it is."""
        group = str(self.body["apiVersion"]).rpartition("/")[0]
        metadata = self.body["metadata"]
        return ResourceId(
            group=group, kind=self.body["kind"], namespace=metadata.get("namespace", ""), name=metadata["name"]
        )

    @property
    def version(self) -> str:
        """The version part of its apiVersion."""
        return str(self.body["apiVersion"]).rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that the person must know. `lost`: a part of the input that is not in the output."""

    text: str
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Wanted:
    """A Secret that objects refer to and that the input did not bring: whoever runs gitopsd provides it."""

    namespace: str
    name: str
    keys: tuple[str, ...] = ()
    by: str = ""
    """The object that refers to it."""

    def __str__(self) -> str:
        keys = f" with {', '.join(self.keys)}" if self.keys else ""
        return f"Secret/{self.namespace}/{self.name}{keys}" + (f", for {self.by}" if self.by else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """Everything that an import made of its input."""

    objects: tuple[Imported, ...] = ()
    secrets: tuple[Imported, ...] = field(default=(), repr=False)
    wanted: tuple[Wanted, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def lost(self) -> bool:
        """True where a part of the input is not in the output."""
        return any(note.lost for note in self.notes)
