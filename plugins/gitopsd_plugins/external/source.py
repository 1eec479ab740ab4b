"""Fetches the tar.gz that an ExternalArtifact names: one GET, checked against its digest, then into the store.

There is nothing to poll: the document names the digest, so another artifact is another document.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from gitopsd.plugin import Artifact, Context, GitopsdError, NotReady, ObjectRef, Revision, SourceIntent, Stored, follow
from gitopsd.plugin.flights import SHORTLY, Flights
from gitopsd.plugin.sources import archive, download, local
from gitopsd.plugin.sources.archive import ArchiveError, Unpacked, Unpacking
from gitopsd_plugins.external.artifact import Wanted

CACHE = "external"


class ExternalSource:
    """Serves ExternalArtifact objects. Keeps nothing but, for a moment, what somebody else may want, too."""

    kind = "ExternalArtifact"

    def __init__(self) -> None:
        self._fetches: Flights[Unpacked] = Flights(keep=SHORTLY)

    async def resolve(self, intent: SourceIntent, ctx: Context) -> Revision:
        """What the document says. Raises `NotReady` while it names no artifact."""
        with _named(intent.ref):
            return _made(intent).revision

    async def fetch(self, intent: SourceIntent, revision: Revision, base: Artifact | None, ctx: Context) -> Stored:
        """Bring the archive's files into the store."""
        with _named(intent.ref):
            wanted = _made(intent)
            # the whole URL: what signs it may be in there, and whoever has that has all that is asked for
            key = (wanted.url, wanted.digest, ctx.http.proxies)
            found = await self._fetches.join(key, partial(_brought, wanted, ctx, intent.timeout.total_seconds()))
        if found.links:
            ctx.log.warning("symbolic links left out", object=str(intent.ref), paths=", ".join(found.links))
        return replace(found.stored, metadata=wanted.metadata)

    async def folder(self, intent: SourceIntent, folder: Path, ctx: Context) -> Stored:
        """A local folder as the content of the artifact: all of it, as no ignore rules apply."""
        with _named(intent.ref):
            return await local.stored(folder, ctx, timeout=intent.timeout.total_seconds())


async def _brought(wanted: Wanted, ctx: Context, timeout: float) -> Unpacked:
    async with download.held(wanted.url, wanted.digest, ctx, cache=CACHE, timeout=timeout) as file:
        try:
            return await archive.unpack(file, ctx, Unpacking(), timeout=timeout)
        except ArchiveError as error:
            raise ArchiveError(f"{follow.place(wanted.url)}: {error}", reason=download.FAILED) from error


def _made(intent: SourceIntent) -> Wanted:
    wanted: Wanted | None = intent.spec
    if wanted is None:
        raise NotReady("has no artifact yet: status.artifact is for whoever makes it to write", reason="NoArtifact")
    return wanted


@contextmanager
def _named(ref: ObjectRef) -> Iterator[None]:
    """Put the object's name before the message of any error."""
    try:
        yield
    except GitopsdError as error:
        error.args = (f"{ref}: {error}",)
        raise
