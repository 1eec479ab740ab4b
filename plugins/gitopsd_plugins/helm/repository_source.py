"""The HelmRepository source: the index, asked for with one small conditional request, and its charts into the store.

The index lies in a file of the plugin's cache between polls; what of it is used is in the store.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
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
    Transient,
    digest,
)
from gitopsd.plugin.flights import SHORTLY, Flights
from gitopsd_plugins.helm import cache, entries, index_job, web
from gitopsd_plugins.helm.repository import Repository
from gitopsd_plugins.helm.web import Login, Saved

MAX_INDEX = 256 << 20
CACHE = "helm"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is in the file beside it, and how the server calls that."""

    digest: str
    etag: str = ""
    modified: str = ""

    @property
    def condition(self) -> dict[str, str]:
        if self.etag:
            return {"If-None-Match": self.etag}
        return {"If-Modified-Since": self.modified} if self.modified else {}


class RepositorySource:
    """Serves HelmRepository objects over http. Keeps files in its cache folder only."""

    kind = "HelmRepository"

    def __init__(self) -> None:
        self._polls: Flights[tuple[Path, Saved]] = Flights()
        self._fetches: Flights[Stored] = Flights(keep=SHORTLY)

    async def resolve(self, intent: SourceIntent, ctx: Context) -> Revision:
        """The digest of the index; where the server says that it is the one of last time, nothing else is sent."""
        with _named(intent.ref):
            return await self.poll(intent, ctx)

    async def fetch(self, intent: SourceIntent, revision: Revision, base: Artifact | None, ctx: Context) -> Stored:
        """Read the index in a worker process, chart by chart."""
        with _named(intent.ref):
            return await self.read(intent, revision, ctx)

    async def poll(self, intent: SourceIntent, ctx: Context) -> Revision:
        """As `resolve`, for an object that nobody declared: its errors do not name it."""
        repository: Repository = intent.spec
        file = _file(intent, ctx)
        with self._polls.coming() as comer:
            login = await web.login(repository, ctx)
            known = await _known(file)
            key = (repository.index, login, ctx.http.proxies, known)
            there, saved = await comer.join(key, partial(_polled, file, login, known, intent, ctx))
        if saved.status == web.UNCHANGED and known is not None:
            cache.used(file, _note(file))
            return Revision(digest=known.digest)
        if saved.status == web.UNCHANGED:
            raise Transient(f"{repository} says that an index is unchanged which it was not asked about")
        if there != file:
            await _share(there, file, saved)
        return Revision(digest=saved.digest)

    async def read(self, intent: SourceIntent, revision: Revision, ctx: Context) -> Stored:
        """As `fetch`, likewise."""
        file = _file(intent, ctx)
        known = await _known(file)
        if known is None or known.digest != revision.digest:
            raise Transient("the index that was fetched is gone; it is fetched again")
        order = index_job.Order(file=str(file), revision=revision.digest)
        # equal bytes are the same charts, whoever fetched them
        try:
            return await self._fetches.join(revision.digest, partial(_read, order, intent, ctx))
        except Rejected as error:
            raise error.about(intent.spec.index) from error


async def _polled(
    file: Path, login: Login, known: _Known | None, intent: SourceIntent, ctx: Context
) -> tuple[Path, Saved]:
    """Ask for the index; a new one is in the file then."""
    fresh = file.with_suffix(".new")
    saved = await web.save(
        intent.spec.index,
        login,
        fresh,
        ctx,
        limit=MAX_INDEX,
        too_large=Rejected(
            f"{intent.spec.index}: more than {MAX_INDEX >> 20} MiB; it was given up; remove old versions, or split the repository",
            reason=entries.INVALID,
        ),
        # A silent server is noticed, and named, before the whole operation runs out of time.
        timeout=intent.timeout.total_seconds() * 0.8,
        known=known.condition if known else None,
    )
    if saved.status != web.UNCHANGED:
        await _keep(file, fresh, saved)
    return file, saved


async def _read(order: index_job.Order, intent: SourceIntent, ctx: Context) -> Stored:
    payload, timeout = msgspec.msgpack.encode(order), intent.timeout.total_seconds()
    return msgspec.msgpack.decode(
        await ctx.work.run("gitopsd_plugins.helm.index_job:store", payload, timeout=timeout), type=Stored
    )


async def _share(there: Path, file: Path, saved: Saved) -> None:
    """Take over what another object fetched with the same credentials; whoever reads it checks its digest."""
    fresh = anyio.Path(file.with_suffix(".new"))
    await fresh.unlink(missing_ok=True)
    try:
        await fresh.hardlink_to(there)
    except OSError as error:
        raise Transient(f"the index that was fetched is gone: {error.strerror}; it is fetched again") from error
    await _keep(file, Path(fresh), saved)


def _file(intent: SourceIntent, ctx: Context) -> Path:
    """Of this object at this address alone: nobody else's credentials fetched it."""
    name = digest.of_value([intent.ref.namespace, intent.ref.name, intent.spec.url]).rpartition(":")[2]
    return ctx.cache(CACHE) / f"{name}.index"


def _note(file: Path) -> Path:
    return file.with_suffix(".json")


async def _known(file: Path) -> _Known | None:
    """What was kept last; None where one of the two files is gone or cannot be read."""
    note = anyio.Path(_note(file))
    try:
        if not await anyio.Path(file).is_file():
            return None
        return msgspec.json.decode(await note.read_bytes(), type=_Known)
    except (OSError, msgspec.MsgspecError):
        return None


async def _keep(file: Path, fresh: Path, saved: Saved) -> None:
    """The note goes first and comes last: a cut in between leaves no note, and the index is fetched again."""
    cache.sweep(file.parent)
    note, found = anyio.Path(_note(file)), _Known(digest=saved.digest, etag=saved.etag, modified=saved.modified)
    await note.unlink(missing_ok=True)
    await anyio.Path(fresh).replace(file)
    await note.write_bytes(msgspec.json.encode(found))


@contextmanager
def _named(ref: ObjectRef) -> Iterator[None]:
    """Put the object's name before the message of any error."""
    try:
        yield
    except GitopsdError as error:
        error.args = (f"{ref}: {error}",)
        raise
