"""One repository of a registry: what a tag is, manifests, blobs, tags and referrers.

A poll is one HEAD request while its token holds. What comes is counted and checked against its digest before anybody uses it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from gitopsd.model.errors import Rejected, VerificationFailed
from gitopsd.plugin import follow
from gitopsd.plugin.http import Tls
from gitopsd.plugin.oci import manifest
from gitopsd.plugin.oci.answers import NotFound
from gitopsd.plugin.oci.manifest import FAILED, Descriptor, Manifest
from gitopsd.plugin.oci.reference import Repository
from gitopsd.plugin.oci.transport import Connection, Memory, Outside, Way
from gitopsd.plugin.sources import access, network, spool

MAX_TAGS = 500_000
MAX_PAGE = 16 << 20
MAX_PAGES = 2000
MAX_NESTED = 4
MAX_SMALL = manifest.MAX_BYTES
MAX_BLOB = 4 << 30

_SIZE = re.compile(r"[0-9]{1,15}")
_NEXT = re.compile(r'<([^<>]*)>\s*;\s*rel="?next"?')


class Registries:
    """Opens repositories, and remembers what is worth it between requests; see `Memory`."""

    def __init__(self) -> None:
        self._memory = Memory()

    @asynccontextmanager
    async def open(self, repository: Repository, way: Way, ctx: Outside, *, timeout: float) -> AsyncIterator[Client]:
        """A client of one repository; `timeout` in seconds for each request."""
        tls = replace(way.tls, insecure=True) if way.insecure and way.tls == Tls() else way.tls
        socks = ctx.http.socks(f"https://{repository.server}/")
        async with ctx.http.session(tls=tls, timeout=timeout, proxy=socks) as session:
            try:
                yield Client(Connection(session, repository, way, ctx, self._memory, timeout), repository)
            except Rejected as error:
                if error.reason == access.FAILED:
                    way.refused()
                raise


class Client:
    """Made by `Registries.open`. `ref` is a tag or a digest everywhere. All methods raise `Transient` and `Rejected`."""

    def __init__(self, connection: Connection, repository: Repository) -> None:
        self.send = connection.send
        self.repository = repository

    async def head(self, ref: str) -> Descriptor:
        """What a tag is now, without its content. Registries that do not say it in a HEAD are asked for the manifest."""
        async with self.send("HEAD", f"manifests/{ref}", headers=_ACCEPT) as response:
            digest = response.headers.get("Docker-Content-Digest", "")
            kind = response.headers.get("Content-Type", "")
        if not digest:
            found = await self.manifest(ref)
            return Descriptor(media_type=found.media_type, digest=found.digest, size=len(found.raw))
        if ref.startswith("sha") and ":" in ref and digest != ref:
            raise VerificationFailed(
                f"{self._at(ref)} is {digest} for the registry; nothing of it is used", reason=FAILED
            )
        length = response.headers.get("Content-Length", "")
        return Descriptor(
            media_type=kind, digest=manifest.known(digest, self._at(ref)), size=int(length) if length.isdigit() else 0
        )

    async def manifest(self, ref: str) -> Manifest:
        """A manifest, checked: against `ref` where that is a digest, else against what the registry says it is."""
        async with self.send("GET", f"manifests/{ref}", headers=_ACCEPT) as response:
            raw = await network.body(response, manifest.MAX_BYTES, self._at(ref), reason=FAILED)
            said = ref if ":" in ref else response.headers.get("Docker-Content-Digest", "")
            return manifest.read(raw, kind=response.headers.get("Content-Type", ""), digest=said, what=self._at(ref))

    async def image(self, ref: str) -> Manifest:
        """As `manifest`, and through an index to the image for linux/amd64, or for no platform in particular."""
        found = await self.manifest(ref)
        for _ in range(MAX_NESTED):
            if not found.is_index:
                return found
            child = manifest.of_platform(found)
            if child is None:
                raise Rejected(f"{self._at(ref)} is an index without an image for linux/amd64", reason=FAILED)
            found = await self.manifest(child.digest)
        raise Rejected(f"{self._at(ref)} is an index in an index, deeper than {MAX_NESTED}", reason=FAILED)

    async def tags(self, *, pages: int = MAX_PAGES) -> Sequence[str]:
        """Every tag of the repository, page by page. Raises `Rejected` for more than `pages` of them."""
        found: list[str] = []
        path = "tags/list"
        for _ in range(pages):
            async with self.send("GET", path) as response:
                body = await network.body(response, MAX_PAGE, f"{self.repository}: the list of tags", reason=FAILED)
                link = _NEXT.search(response.headers.get("Link", ""))
                here = str(response.url)
            found += _tags(body, self.repository)
            if len(found) > MAX_TAGS:
                raise Rejected(f"{self.repository} has more than {MAX_TAGS:,} tags", reason=FAILED)
            if not link:
                return found
            path = follow.target(here, link[1], reason=FAILED)
        raise Rejected(f"{self.repository}: the list of tags has more than {pages:,} pages", reason=FAILED)

    async def blob(self, wanted: Descriptor, *, limit: int = MAX_SMALL) -> bytes:
        """The bytes of a small blob, checked."""
        self._bounded(wanted, limit)
        async with self.send("GET", f"blobs/{wanted.digest}") as response:
            data = await network.body(response, wanted.size, self._at(wanted.digest), reason=FAILED)
        manifest.check(data, wanted.digest, self._at(wanted.digest))
        return data

    async def save(self, wanted: Descriptor, file: Path, *, limit: int = MAX_BLOB) -> None:
        """Write a blob into this file as it comes. Unless it returns, what is in the file must not be used."""
        self._bounded(wanted, limit)
        algorithm, too_large = wanted.digest.partition(":")[0], self._wrong_size(wanted, "more")
        async with self.send("GET", f"blobs/{wanted.digest}") as response:
            saved = await spool.save(response, file, limit=wanted.size, too_large=too_large, algorithm=algorithm)
        if saved.size < wanted.size:
            raise self._wrong_size(wanted, "less")
        if saved.digest != wanted.digest:
            raise VerificationFailed(
                f"{self._at(wanted.digest)} is not what its digest says; nothing of it is used", reason=FAILED
            )

    async def referrers(self, digest: str, artifact_type: str = "") -> Sequence[Descriptor]:
        """What says of itself that it refers to this digest, by the API or by the tag that stands in for it."""
        query = f"?{urlencode({'artifactType': artifact_type})}" if artifact_type else ""
        try:
            async with self.send("GET", f"referrers/{digest}{query}", headers={"Accept": manifest.INDEX}) as response:
                raw = await network.body(response, manifest.MAX_BYTES, self._at(digest), reason=FAILED)
                kind = response.headers.get("Content-Type", "")
            listed = manifest.read(raw, kind=kind, digest="", what=f"{self._at(digest)}: the list of referrers")
        except NotFound:
            try:
                listed = await self.manifest(digest.replace(":", "-"))
            except NotFound:
                return ()
        return [found for found in listed.manifests if artifact_type in {"", found.artifact_type}]

    def _bounded(self, wanted: Descriptor, limit: int) -> None:
        if wanted.size > limit:
            raise Rejected(
                f"{self._at(wanted.digest)} has more than {limit >> 20} MiB; pack less, or split it", reason=FAILED
            )

    def _wrong_size(self, wanted: Descriptor, how: str) -> VerificationFailed:
        return VerificationFailed(
            f"{self._at(wanted.digest)} has {how} than the {wanted.size:,} bytes that its manifest says; "
            "nothing of it is used",
            reason=FAILED,
        )

    def _at(self, ref: str) -> str:
        return f"{self.repository}{'@' if ':' in ref else ':'}{ref}"


_ACCEPT = {"Accept": ", ".join(manifest.ACCEPTED)}


class _Tags(msgspec.Struct, frozen=True):
    tags: list[str] | None = None


def _tags(body: bytes, repository: Repository) -> Sequence[str]:
    try:
        return msgspec.json.decode(body, type=_Tags).tags or ()
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Rejected(f"{repository}: the list of tags is none", reason=FAILED) from error
