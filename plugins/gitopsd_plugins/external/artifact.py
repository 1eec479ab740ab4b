"""An ExternalArtifact document, decoded and checked. Pure.

Flux lets whoever makes the artifact write `status.artifact`. In files that status stands in the document itself: whoever writes
the file names URL and digest, and nothing else decides what is fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from gitopsd.plugin import Declared, Revision, SourceIntent, Spec, SpecError, digest, spec
from gitopsd.plugin.oci import reference

INTERVAL = timedelta(minutes=10)
TIMEOUT = timedelta(minutes=5)
FORMAT = 1
"""Grows when the same artifact would give another tree."""


class SourceRef(Spec, frozen=True, kw_only=True):
    """Who made it; for people."""

    kind: str
    name: str
    api_version: str = ""
    namespace: str = ""


class ArtifactSpec(Spec, frozen=True, kw_only=True):
    """The spec of an ExternalArtifact."""

    source_ref: SourceRef | None = None


class Produced(Spec, frozen=True, kw_only=True):
    """`status.artifact`: where the tar.gz is, and what its bytes must be."""

    digest: str
    url: str
    revision: str
    path: str = ""
    last_update_time: str = ""
    size: int | None = None
    metadata: dict[str, str] | None = None


class Status(Spec, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """What of the status is read."""

    artifact: Produced | None = None


class Document(Spec, frozen=True, kw_only=True):
    """A whole ExternalArtifact document."""

    api_version: Literal["source.toolkit.fluxcd.io/v1"]
    kind: Literal["ExternalArtifact"]
    metadata: dict[str, Any]
    spec: ArtifactSpec = ArtifactSpec()
    status: Status | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file at a URL, with the digest of its bytes and the revision that it is called; None while nobody made one."""

    url: str
    digest: str
    revision: Revision
    metadata: Mapping[str, str] = field(default_factory=dict)


def read(declared: Declared) -> SourceIntent:
    """Decode and check a document. Raises `SpecError` with the path of the first misfit."""
    found = spec.decode(declared.document, Document)
    produced = found.status.artifact if found.status else None
    return SourceIntent(
        ref=declared.ref,
        spec=_wanted(produced) if produced else None,
        content=digest.of_value({"format": FORMAT, "digest": produced.digest if produced else None}),
        interval=INTERVAL,
        timeout=TIMEOUT,
    )


def _wanted(produced: Produced) -> Wanted:
    path = ("status", "artifact")
    try:
        parts = urlsplit(produced.url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
        usable = usable and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SpecError("must be an http or https URL without a login in it", path=(*path, "url"))
    if not reference.is_digest(produced.digest):
        raise SpecError("must be sha256:, sha384: or sha512: and hex digits", path=(*path, "digest"))
    if not produced.revision:
        raise SpecError("must say which revision this is, such as latest@sha256:...", path=(*path, "revision"))
    return Wanted(
        url=produced.url,
        digest=produced.digest,
        revision=Revision.parse(produced.revision),
        metadata=produced.metadata or {},
    )
