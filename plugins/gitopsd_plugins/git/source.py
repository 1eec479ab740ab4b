"""The Git source: which commit is wanted now, and that commit's files into the store.

Polls over http run on the event loop; everything that blocks (ssh, folders, packs) runs in a worker process.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from gitopsd.plugin import (
    Artifact,
    Context,
    GitopsdError,
    NotReady,
    ObjectRef,
    Rejected,
    Remote,
    Revision,
    SourceIntent,
    Stored,
    hosts,
)
from gitopsd.plugin.flights import Comer, Flights
from gitopsd.plugin.sources import access as given_access
from gitopsd.plugin.sources import proxy
from gitopsd_plugins.git import access, order, reference
from gitopsd_plugins.git import repository as repositories
from gitopsd_plugins.git.address import Address
from gitopsd_plugins.git.credentials import Access
from gitopsd_plugins.git.order import Copy, Fetched, FetchOrder, FolderOrder, ListOrder, Rules
from gitopsd_plugins.git.reference import Refs
from gitopsd_plugins.git.repository import Repository
from gitopsd_plugins.git.signatures.verification import UNVERIFIABLE, Verification
from gitopsd_plugins.git.wire.lsrefs import HttpRefs
from gitopsd_plugins.git.wire.sshrefs import SshRefs

T = TypeVar("T")
CACHE = "git"
LOGIN = 30.0
"""Seconds that whoever gives a token may take at most."""


class GitSource:
    """Serves GitRepository objects. Keeps nothing but where http addresses led to."""

    kind = "GitRepository"
    serves = "git"

    def __init__(self, clouds: Mapping[str, str] = access.HOSTS) -> None:
        self._clouds = clouds
        self._http = HttpRefs()
        self._polls: Flights[Refs] = Flights()
        self._ssh = SshRefs()

    async def resolve(self, intent: SourceIntent, ctx: Context) -> Revision:
        """The commit that the ref names now; no request where the spec names a commit."""
        repository: Repository = intent.spec
        wanted = repository.wanted
        with _named(intent.ref):
            refs: Refs = {}
            if wanted.prefixes:
                with self._polls.coming() as comer:
                    refs = await self._opened(intent, ctx, partial(self._refs, wanted.prefixes, intent, comer))
            return reference.choose(wanted, refs, repository.address.url)

    async def fetch(self, intent: SourceIntent, revision: Revision, base: Artifact | None, ctx: Context) -> Stored:
        """Bring the commit's files into the store, as changes against `base` where its rules were the same."""
        usable = base if base is not None and base.spec == intent.content else None
        with _named(intent.ref):
            fetched = await self._opened(intent, ctx, partial(self._fetched, intent, revision, usable))
        for path in fetched.submodules:
            ctx.log.warning("submodule left out", object=str(intent.ref), path=path)
        return replace(fetched.stored, verified=fetched.verified)

    def at(self, intent: SourceIntent, revision: str) -> SourceIntent:
        """The same repository at a commit, a full ref, a branch or a tag."""
        return replace(intent, spec=replace(intent.spec, wanted=reference.asked(revision)))

    def address(self, remote: Remote, ref: ObjectRef) -> SourceIntent:
        """A repository without a declaration: all of its files, at a revision as a person calls it, else at its HEAD."""
        return repositories.of_address(remote, ref)

    async def folder(self, intent: SourceIntent, folder: Path, ctx: Context) -> Stored:
        """A local folder as the root of the repository: what a commit of it would hold, under the same ignore rules."""
        given = FolderOrder(folder=str(folder), rules=_rules(intent, ctx))
        with _named(intent.ref):
            return order.decode(await self._run("folder", order.encode(given), intent, ctx), Stored)

    async def close(self) -> None:
        """End what was kept open for polls."""
        await self._ssh.close()

    async def _opened(self, intent: SourceIntent, ctx: Context, use: Callable[[Access, Context], Awaitable[T]]) -> T:
        """Use the repository with its credentials as they are now; what was lent and is refused is asked for anew, once."""
        repository: Repository = intent.spec
        ctx = await proxy.routed(repository.proxy, ctx)
        timeout = min(intent.timeout.total_seconds(), LOGIN)
        opened, lent = await access.read(repository, ctx, timeout, self._clouds)
        try:
            return await use(opened, ctx)
        except Rejected as error:
            if error.reason != given_access.FAILED or not ctx.kept.forget(lent):
                raise
        opened, _ = await access.read(repository, ctx, timeout, self._clouds)
        return await use(opened, ctx)

    async def _fetched(
        self, intent: SourceIntent, revision: Revision, base: Artifact | None, opened: Access, ctx: Context
    ) -> Fetched:
        given = await self._order(intent, revision, base, opened, ctx)
        async with _turn(intent.spec.address, ctx):
            return order.decode(await self._run("fetch", order.encode(given), intent, ctx), Fetched)

    async def _order(
        self, intent: SourceIntent, revision: Revision, base: Artifact | None, opened: Access, ctx: Context
    ) -> FetchOrder:
        repository: Repository = intent.spec
        wanted = repository.wanted
        return FetchOrder(
            remote=order.remote(repository.address, opened, ctx, intent.timeout.total_seconds()),
            cache=str(ctx.cache(CACHE)),
            commit=_commit(revision),
            ref="" if wanted.commit else _ref(wanted.prefixes[0], revision),
            branch=wanted.branch if wanted.commit else "",
            rules=_rules(intent, ctx),
            submodules=repository.submodules,
            verification=await _verification(repository, ctx),
            base=_commit(base.revision) if base else "",
            tree=base.tree if base else "",
        )

    async def _refs(
        self, prefixes: tuple[str, ...], intent: SourceIntent, comer: Comer[Refs], opened: Access, ctx: Context
    ) -> Refs:
        """One request for all objects that ask the same, with the same credentials, at the same moment."""
        place: Address = intent.spec.address

        async def ask() -> Refs:
            async with _turn(place, ctx):
                return await self._asked(place, prefixes, intent, opened, ctx)

        return await comer.join((place, opened, ctx.http.proxies, prefixes), ask)

    async def _asked(
        self, place: Address, prefixes: tuple[str, ...], intent: SourceIntent, opened: Access, ctx: Context
    ) -> Refs:
        timeout = intent.timeout.total_seconds()
        if place.scheme in {"http", "https"}:
            return await self._http.list(place, opened, prefixes, ctx, timeout * order.PATIENCE)
        if place.scheme == "ssh":
            return await self._ssh.list(order.remote(place, opened, ctx, timeout), prefixes)
        given = ListOrder(remote=order.remote(place, opened, ctx, timeout), prefixes=prefixes)
        return order.decode(await self._run("refs", order.encode(given), intent, ctx), dict[str, reference.Advertised])

    async def _run(self, job: str, payload: bytes, intent: SourceIntent, ctx: Context) -> bytes:
        return await ctx.work.run(f"gitopsd_plugins.git.job:{job}", payload, timeout=intent.timeout.total_seconds())


def _turn(place: Address, ctx: Context) -> AbstractAsyncContextManager[None]:
    return nullcontext() if place.local else ctx.hosts.turn(hosts.name(place.url))


@contextmanager
def _named(ref: ObjectRef) -> Iterator[None]:
    """Put the object's name before the message of any error."""
    try:
        yield
    except GitopsdError as error:
        error.args = (f"{ref}: {error}",)
        raise


def _rules(intent: SourceIntent, ctx: Context) -> Rules:
    repository: Repository = intent.spec
    copies = tuple(
        Copy(
            name=str(include.source),
            tree=_included(include.source, ctx).tree,
            from_path=include.from_path,
            to_path=include.to_path,
        )
        for include in repository.include
    )
    return Rules(ignore=repository.ignore, sparse=repository.sparse, copies=copies)


def _included(ref: ObjectRef, ctx: Context) -> Artifact:
    found = ctx.sources[ref].artifact if ref in ctx.sources else None
    if found is None:
        raise NotReady(f"{ref} has no artifact yet", reason="NoArtifact")
    return found


async def _verification(repository: Repository, ctx: Context) -> Verification | None:
    """What has to be signed, with the keys as they are now."""
    asked = repository.verify
    if asked is None:
        return None
    try:
        given = await given_access.given(asked.secret, ctx, "spec.verify.secretRef")
    except NotReady as error:
        raise NotReady(str(error), reason=UNVERIFIABLE) from error
    return Verification(mode=asked.mode, keys=given.data, label=given.label, now=ctx.now())


def _commit(revision: Revision) -> str:
    return revision.digest.removeprefix("sha1:")


def _ref(prefix: str, revision: Revision) -> str:
    """The ref that was chosen: for semver, and between branch and tag, it is known by the revision only."""
    if revision.name.startswith("refs/"):
        return revision.name.removesuffix(reference.PEELED)
    return f"{prefix}{revision.name}" if prefix.endswith("/") else prefix
