"""Manifests: what an artifact is made of, checked against its digest before anything of it is believed. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from gitopsd.model.errors import Rejected, VerificationFailed
from gitopsd.plugin.oci import reference

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
ACCEPTED = (IMAGE, INDEX, DOCKER_IMAGE, DOCKER_LIST, ARTIFACT)
EMPTY = "application/vnd.oci.empty.v1+json"
"""The media type of `{}`, for a config that says nothing."""

MAX_BYTES = 4 << 20
FAILED = "OCIArtifactPullFailed"
"""Flux's reason for whatever goes wrong with a registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """Content by digest. `size` in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str = ""
    platform: str = ""
    """`os/architecture` where it is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest as it lies in the registry. An index has `manifests`, everything else `layers`."""

    media_type: str
    digest: str
    raw: bytes = field(repr=False)
    layers: Sequence[Descriptor] = ()
    manifests: Sequence[Descriptor] = ()
    config: Descriptor | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_index(self) -> bool:
        """True for a list of manifests, one per platform."""
        return self.media_type in {INDEX, DOCKER_LIST}


class _Platform(msgspec.Struct, frozen=True):
    os: str = ""
    architecture: str = ""


class _Descriptor(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    digest: str
    size: int
    media_type: str = ""
    artifact_type: str | None = ""
    annotations: dict[str, str] | None = None
    platform: _Platform | None = None


class _Document(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    media_type: str = ""
    config: _Descriptor | None = None
    layers: list[_Descriptor] | None = None
    blobs: list[_Descriptor] | None = None
    manifests: list[_Descriptor] | None = None
    annotations: dict[str, str] | None = None


def read(raw: bytes, *, kind: str, digest: str, what: str) -> Manifest:
    """Decode the answer of a registry. `kind` is its Content-Type, `digest` what it must be ('' for whatever it is).

    Raises `VerificationFailed` for another digest, `Rejected` for what is no manifest; `what` names it in messages.
    """
    found = check(raw, digest or f"sha256:{hashlib.sha256(raw).hexdigest()}", what)
    try:
        document = msgspec.json.decode(raw, type=_Document)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Rejected(f"{what} is no manifest: {error}", reason=FAILED) from error
    media_type = document.media_type or kind.partition(";")[0].strip()
    if media_type not in ACCEPTED:
        raise Rejected(
            f"{what} is of the type {media_type[:100]!r}, which is no OCI or Docker v2 manifest", reason=FAILED
        )
    return Manifest(
        media_type=media_type,
        digest=found,
        raw=raw,
        layers=tuple(_descriptor(layer, what) for layer in document.layers or document.blobs or ()),
        manifests=tuple(_descriptor(child, what) for child in document.manifests or ()),
        config=_descriptor(document.config, what) if document.config else None,
        annotations=document.annotations or {},
    )


def check(data: bytes, digest: str, what: str) -> str:
    """The digest, where these bytes have it. Raises `VerificationFailed`."""
    algorithm = known(digest, what).partition(":")[0]
    if f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}" != digest:
        raise VerificationFailed(f"{what} is not what its digest {digest} says; nothing of it is used", reason=FAILED)
    return digest


def known(digest: str, what: str) -> str:
    """The digest, where it is one that can be checked. Raises `Rejected`."""
    if not reference.is_digest(digest):
        raise Rejected(f"{what} has {digest[:100]!r} for a digest; sha256, sha384 and sha512 are known", reason=FAILED)
    return digest


def _descriptor(found: _Descriptor, what: str) -> Descriptor:
    if not reference.is_digest(found.digest) or found.size < 0:
        raise Rejected(f"{what} names content without a digest and a size", reason=FAILED)
    platform = found.platform
    return Descriptor(
        media_type=found.media_type,
        digest=found.digest,
        size=found.size,
        annotations=found.annotations or {},
        artifact_type=found.artifact_type or "",
        platform=f"{platform.os}/{platform.architecture}" if platform else "",
    )


def of_platform(index: Manifest, platform: str = "linux/amd64") -> Descriptor | None:
    """The first entry of an index that is for this platform, or for none in particular."""
    return next((child for child in index.manifests if child.platform in {"", platform}), None)
