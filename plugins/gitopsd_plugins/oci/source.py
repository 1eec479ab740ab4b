"""The OCI source: which artifact is wanted now, and the files of its layer into the store.

A poll is one HEAD request for a tag, the list of tags where a version constraint chooses one, and nothing for a digest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec

from gitopsd.plugin import (
    Artifact,
    Context,
    GitopsdError,
    ObjectRef,
    Rejected,
    Revision,
    SourceIntent,
    Stored,
    UsageError,
)
from gitopsd.plugin.flights import SHORTLY, Flights
from gitopsd.plugin.oci import Client, Descriptor, Manifest, NotFound, Registries, Way, reference, verify
from gitopsd.plugin.oci.clouds import PROVIDERS, Provider
from gitopsd.plugin.oci.manifest import FAILED
from gitopsd.plugin.sources import archive, proxy, spool
from gitopsd.plugin.sources.archive import ArchiveError, Unpacked, Unpacking
from gitopsd_plugins.oci import access, tags
from gitopsd_plugins.oci.repository import OciRepository, Wanted

CACHE = "oci"
LAYER_FAILED = "OCIArtifactLayerOperationFailed"
"""Flux's reason for a layer that cannot be used."""


class OciSource:
    """Serves OCIRepository objects. Keeps nothing but tokens, and which registries speak plain http."""

    kind = "OCIRepository"

    def __init__(self, clouds: Mapping[str, Provider] = PROVIDERS) -> None:
        self._registries = Registries()
        self._polls: Flights[Revision] = Flights()
        self._fetches: Flights[Unpacked] = Flights(keep=SHORTLY)
        self._clouds = clouds

    async def resolve(self, intent: SourceIntent, ctx: Context) -> Revision:
        """The artifact that the ref names now; no request where the spec names a digest."""
        repository: OciRepository = intent.spec
        wanted = repository.wanted
        if wanted.digest:
            return Revision(digest=wanted.digest)
        timeout = intent.timeout.total_seconds()
        with _named(intent.ref), self._polls.coming() as comer:
            way, routed = await self._way(repository, ctx, timeout)
            key = (repository.place, way, routed.http.proxies, wanted)
            return await comer.join(key, partial(self._newest, repository, way, routed, timeout))

    async def fetch(self, intent: SourceIntent, revision: Revision, base: Artifact | None, ctx: Context) -> Stored:
        """Check who signed it, where that is asked for, then bring the layer's files into the store."""
        repository: OciRepository = intent.spec
        timeout = intent.timeout.total_seconds()
        with _named(intent.ref):
            way, routed = await self._way(repository, ctx, timeout)
            async with self._registries.open(repository.place, way, routed, timeout=timeout) as client:
                verified = await _verified(client, revision, repository, ctx, timeout)
            rules = (repository.layer, repository.copy, repository.ignore)
            key = (repository.place, way, routed.http.proxies, revision.digest, rules)
            found = await self._fetches.join(
                key, partial(self._brought, revision.digest, repository, way, routed, timeout)
            )
        _tell_of_links(found, intent.ref, ctx)
        return replace(found.stored, verified=verified)

    def at(self, intent: SourceIntent, revision: str) -> SourceIntent:
        """The same repository at a tag or a digest, or at both as a revision says it."""
        name, _, digest = revision.rpartition("@")
        digest = digest if reference.is_digest(digest) else ""
        tag = "" if digest else revision
        if (not digest and not reference.is_tag(tag)) or (name and not digest):
            raise UsageError(f"{revision!r} is neither a tag nor a digest such as sha256:...")
        return replace(intent, spec=replace(intent.spec, wanted=Wanted(digest=digest, tag=tag)))

    async def folder(self, intent: SourceIntent, folder: Path, ctx: Context) -> Stored:
        """A local folder as the artifact that `gitopsd push artifact` would make of it, under the same rules."""
        timeout = intent.timeout.total_seconds()
        with _named(intent.ref), spool.file(ctx, CACHE) as file:
            order = msgspec.msgpack.encode((str(folder), str(file)))
            await ctx.work.run("gitopsd_plugins.oci.packing:job", order, timeout=timeout)
            found = await _unpacked(file, intent.spec, ctx, timeout)
        _tell_of_links(found, intent.ref, ctx)
        return found.stored

    async def _newest(self, repository: OciRepository, way: Way, ctx: Context, timeout: float) -> Revision:
        wanted = repository.wanted
        async with self._registries.open(repository.place, way, ctx, timeout=timeout) as client:
            tag = await _chosen(client, wanted, ctx, timeout) if wanted.semver else wanted.tag
            try:
                found = await client.head(tag)
            except NotFound as error:
                raise Rejected(f"{error}; check spec.ref", reason=FAILED) from error
        return Revision(digest=found.digest, name=tag)

    async def _brought(
        self, digest: str, repository: OciRepository, way: Way, ctx: Context, timeout: float
    ) -> Unpacked:
        with spool.file(ctx, CACHE) as file:
            async with self._registries.open(repository.place, way, ctx, timeout=timeout) as client:
                manifest = await _manifest(client, digest)
                await client.save(_layer(manifest, repository), file)
            found = await _unpacked(file, repository, ctx, timeout)
        return replace(found, stored=replace(found.stored, metadata=dict(manifest.annotations)))

    async def _way(self, repository: OciRepository, ctx: Context, timeout: float) -> tuple[Way, Context]:
        routed = await proxy.routed(repository.proxy, ctx)
        return await access.read(repository, self._clouds, routed, timeout), routed


async def _chosen(client: Client, wanted: Wanted, ctx: Context, timeout: float) -> str:
    found: Sequence[str] = await client.tags()
    if wanted.pattern:
        payload = msgspec.msgpack.encode((wanted.pattern, found))
        answer = await ctx.work.run("gitopsd_plugins.oci.tags:filtered", payload, timeout=timeout)
        found = msgspec.msgpack.decode(answer, type=list[str])
    tag = tags.newest(wanted.semver, found)
    if tag is None:
        beside = f" and spec.ref.semverFilter {wanted.pattern!r}" if wanted.pattern else ""
        raise Rejected(
            f"{client.repository}: no tag of {len(found):,} fits spec.ref.semver {wanted.semver!r}{beside}",
            reason=FAILED,
        )
    return tag


async def _verified(client: Client, revision: Revision, repository: OciRepository, ctx: Context, timeout: float) -> str:
    """What was verified, in Flux's words; '' where no signature is asked for."""
    if repository.verify is None:
        return ""
    by = await verify.check(client, revision.digest, repository.verify, ctx, timeout)
    return f"verified signature of revision {revision} by {by}" if by else ""


async def _manifest(client: Client, digest: str) -> Manifest:
    try:
        return await client.image(digest)
    except NotFound as error:
        raise Rejected(f"{error}; check spec.ref", reason=FAILED) from error


def _layer(manifest: Manifest, repository: OciRepository) -> Descriptor:
    """The first layer of the type that is asked for, or the first of all."""
    found = next((layer for layer in manifest.layers if repository.layer in {"", layer.media_type}), None)
    if found is not None:
        return found
    there = ", ".join(sorted({layer.media_type for layer in manifest.layers})) or "no layer at all"
    raise Rejected(
        f"{repository.place}@{manifest.digest} has no layer of the type {repository.layer or 'of any content'!r}, but {there}; "
        "check spec.layerSelector",
        reason=LAYER_FAILED,
    )


async def _unpacked(file: Path, repository: OciRepository, ctx: Context, timeout: float) -> Unpacked:
    """A copied layer keeps all that it holds; what is extracted goes through Flux's ignore rules."""
    how = Unpacking(ignoring=not repository.copy, ignore=repository.ignore)
    try:
        return await archive.unpack(file, ctx, how, timeout=timeout)
    except ArchiveError as error:
        raise ArchiveError(f"the layer of {repository.place}: {error}", reason=LAYER_FAILED) from error


def _tell_of_links(found: Unpacked, ref: ObjectRef, ctx: Context) -> None:
    if found.links:
        ctx.log.warning("symbolic links left out", object=str(ref), paths=", ".join(found.links))


@contextmanager
def _named(ref: ObjectRef) -> Iterator[None]:
    """Put the object's name before the message of any error."""
    try:
        yield
    except GitopsdError as error:
        error.args = (f"{ref}: {error}",)
        raise
