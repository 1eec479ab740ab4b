"""Fetches the tar.gz that an ExternalArtifact names: one GET, checked against its digest, then into the store.

There is nothing to poll: the document names the digest, so another artifact is another document.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from gitopsd.plugin import Artifact, Context, GitopsdError, NotReady, ObjectRef, Revision, SourceIntent, Stored
from gitopsd.plugin.sources import archive, download, follow, local
from gitopsd.plugin.sources.archive import ArchiveError, Unpacked, Unpacking
from gitopsd_plugins.external.artifact import Wanted

CACHE = "external"


class ExternalSource:
    """Serves ExternalArtifact objects. Keeps nothing."""

    kind = "ExternalArtifact"

    async def resolve(self, intent: SourceIntent, ctx: Context) -> Revision:
        """What the document says. Raises `NotReady` while it names no artifact."""
        with _named(intent.ref):
            return _made(intent).revision

    async def fetch(self, intent: SourceIntent, revision: Revision, base: Artifact | None, ctx: Context) -> Stored:
        """Bring the archive's files into the store."""
        timeout = intent.timeout.total_seconds()
        with _named(intent.ref):
            wanted = _made(intent)
            async with download.held(wanted.url, wanted.digest, ctx, cache=CACHE, timeout=timeout) as file:
                found = await _unpacked(file, wanted, ctx, timeout)
        if found.links:
            ctx.log.warning("symbolic links left out", object=str(intent.ref), paths=", ".join(found.links))
        return replace(found.stored, metadata=wanted.metadata)

    async def folder(self, intent: SourceIntent, folder: Path, ctx: Context) -> Stored:
        """A local folder as the content of the artifact: all of it, as no ignore rules apply."""
        with _named(intent.ref):
            return await local.stored(folder, ctx, timeout=intent.timeout.total_seconds())


async def _unpacked(file: Path, wanted: Wanted, ctx: Context, timeout: float) -> Unpacked:
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
