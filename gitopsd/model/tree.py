"""What a source delivers: an immutable Merkle tree of files, addressed by content, and the revision that it came from.

A node is one directory: name -> `File`, `Link` or `Folder`. Two revisions share every node and file that is equal. Entries are many,
and made ten times as fast as dataclasses [measured].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from gitopsd.model.digest import Digest
from gitopsd.model.identity import ObjectRef


class File(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A regular file; `size` in bytes."""

    digest: Digest
    size: int
    executable: bool = False


class Link(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A symbolic link; `target` as written, resolved inside the tree only."""

    target: str


class Folder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A directory, by the digest of its node."""

    digest: Digest


Entry = File | Link | Folder
Node = Mapping[str, Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """A new tree as its difference from a base: slash-separated path -> entry, or None where the base's path is gone.

    `base` is None for a tree from nothing. A `Folder` as a value takes over a known subtree whole.
    """

    entries: Mapping[str, Entry | None]
    base: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A source's version in Flux's form: `main@sha1:…`, `sha1:…`, `latest@sha256:…`. `digest` is `algorithm:hex`."""

    digest: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.name else self.digest

    @classmethod
    def parse(cls, text: str) -> Revision:
        """The inverse of `str()`."""
        name, at, digest = text.rpartition("@")
        return cls(digest=digest, name=name if at else "")


Fact = str | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A stored revision of a source. `size` counts the bytes of all files, `note` is the source's own memo (opaque)."""

    source: ObjectRef
    revision: Revision
    tree: Digest
    size: int
    files: int
    stored: datetime
    spec: Digest
    """Digest of what in the source's spec decides the content: another one makes the artifact outdated."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    verified: str = ""
    """What was verified with which key, in the words of the kind's status; '' where nothing was asked for."""
    facts: Mapping[str, Fact] = field(default_factory=dict)
    """What the kind's status tells of it beside the revision, by names of the source's own."""
    made_of: tuple[Artifact, ...] = ()
    """The artifacts of other sources that are part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """When a source was last known to be at its artifact's revision, and as what it was declared then."""

    at: datetime
    spec: Digest
    """Of the whole declaration."""
    failing: bool = False
    """It was asked again since, and that ended badly."""
