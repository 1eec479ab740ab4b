"""What a renderer delivers: Kubernetes objects as plain mappings with their identity, in the order they were rendered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitopsd.model import digest as digests
from gitopsd.model.digest import Digest
from gitopsd.model.identity import ResourceId
from gitopsd.model.remote import Remote

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One wanted object. `version` is the version part of its apiVersion; `body` is never changed in place."""

    id: ResourceId
    version: str
    body: Body = field(repr=False)
    digest: Digest
    """Digest of `body`; keyed where the body holds secrets."""
    hidden: frozenset[str] = field(default=frozenset(), repr=False)
    """Values from Secrets that stand in it: texts with one of them are never shown. Such a manifest is never stored."""

    @classmethod
    def of(cls, body: Body, *, key: bytes = b"") -> Manifest:
        """The manifest of an object. `key` keys the digest of a Secret. Raises ValueError naming what is missing."""
        metadata = body.get("metadata")
        if not isinstance(metadata, Mapping):
            raise ValueError("metadata is missing or not a mapping")
        api_version, kind = _text(body, "apiVersion"), _text(body, "kind")
        name = _text(metadata, "name")
        group, _, version = api_version.rpartition("/")
        namespace = metadata.get("namespace") or ""
        secret = kind == "Secret" and not group
        return cls(
            id=ResourceId(group=group, kind=kind, namespace=namespace, name=name),
            version=version,
            body=body,
            digest=digests.of_secret(body, key) if secret and key else digests.of_value(body),
        )

    @property
    def secret(self) -> bool:
        """True for a Secret."""
        return self.id.kind == "Secret" and not self.id.group

    @property
    def api_version(self) -> str:
        """The apiVersion as written in a manifest."""
        return f"{self.id.group}/{self.version}" if self.id.group else self.version


def _text(mapping: Mapping[str, Any], field_name: str) -> str:
    value = mapping.get(field_name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{field_name} is missing or not a string")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Manifests that are written together. After a stage with `settle`, its kinds must be usable before the next."""

    name: str
    manifests: tuple[Manifest, ...]
    settle: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One thing that a render looked at: a file, a listing, or a look-up that found nothing (`digest` is None then)."""

    path: str
    listing: bool = False
    digest: Digest | None = None
    remote: Remote | None = None
    """Where it was looked at, when that is not the render's own tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The outcome of a render. Equal `reads` under an equal intent means that nothing needs to be rendered again."""

    manifests: tuple[Manifest, ...]
    reads: tuple[Read, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def sensitive(self) -> bool:
        """True where a Secret is among the manifests: such a set is never stored in the clear."""
        return any(m.secret for m in self.manifests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A rendered set without its objects: what it was made of, and what it wants. Enough to tell that nothing changed."""

    key: Digest
    """Of the intent and of all that was read: what the set is found by."""
    digest: Digest
    """Of the objects: equal digest, equal objects."""
    ids: tuple[ResourceId, ...]
    reads: tuple[Read, ...]
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, intent: Digest, rendered: Rendered) -> Outline:
        """The outline of what was rendered under this intent."""
        reads = [[read.path, read.listing, read.digest, *_elsewhere(read)] for read in rendered.reads]
        objects = [[str(m.id), m.version, m.digest] for m in rendered.manifests]
        return cls(
            key=digests.of_value([intent, reads]),
            digest=digests.of_value(objects),
            ids=tuple(m.id for m in rendered.manifests),
            reads=rendered.reads,
            warnings=rendered.warnings,
        )

    @property
    def remotes(self) -> tuple[Remote, ...]:
        """The other places that were looked at, sorted."""
        return tuple(sorted({read.remote for read in self.reads if read.remote is not None}))


def _elsewhere(read: Read) -> list[str]:
    return [read.remote.sort, read.remote.url, read.remote.revision] if read.remote else []
