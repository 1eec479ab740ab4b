"""Packed charts from a chart repository over http: chosen from its index, downloaded, checked, kept for a while.

What the index gives a digest for is kept under that digest, so that a dependency of many charts is downloaded once.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from gitopsd.plugin import Context, Digest, File, Rejected, Tree, VerificationFailed, follow
from gitopsd_plugins.helm import cache, entries, web
from gitopsd_plugins.helm.chart import PULL, REFERENCE
from gitopsd_plugins.helm.entries import Entry
from gitopsd_plugins.helm.repository import Repository

MAX_CHART = 32 << 20
_LESS = "leave out of the chart what it does not need, with .helmignore"
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


def versions(name: str, index: Digest, repository: Repository, ctx: Context) -> Sequence[Entry]:
    """All versions of a chart in a repository's stored index. Raises `Rejected` for a chart that is not in it."""
    looking = Tree(ctx.intake, index)
    found = looking.find(entries.path(name))
    if not isinstance(found, File):
        raise Rejected(f"no chart {name!r} in the index of {repository}; check spec.chart", reason=REFERENCE)
    return entries.decode(ctx.intake.blob(found.digest))


@asynccontextmanager
async def chart(
    name: str, entry: Entry, repository: Repository, ctx: Context, folder: Path, timeout: float
) -> AsyncIterator[Path]:
    """The packed chart in a file, for as long as the context lasts. `folder` holds what was downloaded before.

    Raises `VerificationFailed` where it is not what the index says.
    """
    wanted = _SHA256.fullmatch(entry.digest)
    kept = folder / f"{wanted[1]}.tgz" if wanted else None
    if kept is not None and _is(kept, entry.digest):
        cache.used(kept)
        yield kept
        return
    file = folder / f"{secrets.token_hex(8)}.part"
    try:
        opened = await web.login(repository, ctx)
        url = _url(name, entry, repository)
        too_large = Rejected(
            f"{follow.place(url)}: more than {MAX_CHART >> 20} MiB; it was given up; {_LESS}", reason=PULL
        )
        saved = await web.save(url, opened, file, ctx, limit=MAX_CHART, too_large=too_large, timeout=timeout)
        if wanted and saved.digest != f"sha256:{wanted[1]}":
            raise VerificationFailed(
                f"the chart {name} {entry.version} of {repository} is {saved.digest}, and its index says sha256:{wanted[1]};"
                " nothing of it is used",
                reason=PULL,
            )
        yield file.replace(kept) if kept is not None else file
    finally:
        file.unlink(missing_ok=True)


def _url(name: str, entry: Entry, repository: Repository) -> str:
    if not entry.urls:
        raise Rejected(f"the chart {name} {entry.version} of {repository} has no url in the index", reason=PULL)
    if entry.urls[0].startswith("oci://"):
        raise Rejected(
            f"the chart {name} {entry.version} of {repository} lies in an OCI registry; "
            f"name that in a HelmRepository of type oci: {entry.urls[0][:200]}",
            reason=PULL,
        )
    return follow.target(f"{repository.url}/", entry.urls[0], reason=PULL, how=f"names for the chart {name}")


def _is(file: Path, digest: str) -> bool:
    """A file that was damaged meanwhile is downloaded again."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == digest.removeprefix("sha256:")
    except OSError:
        return False
