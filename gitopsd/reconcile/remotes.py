"""Content from elsewhere that renders ask for: found through the source that serves such addresses, kept in the store.

Nothing is fetched but from the hosts that the settings name, by https unless they say otherwise. An address that may point to
something new is asked again when an app that reads it is looked at and half of that app's interval has passed, or when a
person asks for the app; a full commit is never asked again. Where the other side is away, what was fetched last goes on serving.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import anyio

from gitopsd.model.declared import SourceIntent
from gitopsd.model.digest import Digest
from gitopsd.model.errors import Misconfigured, NothingThere, Rejected, Transient
from gitopsd.model.identity import ObjectRef
from gitopsd.model.remote import Remote
from gitopsd.model.tree import Artifact
from gitopsd.plugin import reach
from gitopsd.plugin.context import Context
from gitopsd.plugin.reach import Reach
from gitopsd.plugin.registry import Registry
from gitopsd.plugin.roles import AnyAddress, Source
from gitopsd.store import Store

KIND = "Remote"
MOST = 100
"""Addresses that one render may ask for."""
Roots = Mapping[Remote, Digest | None]
"""Trees by address; None where nothing is there."""


@dataclass(slots=True, kw_only=True)
class _Asked:
    """An address as it was answered last; `at` in seconds of the loop's clock."""

    root: Digest | None = None
    at: float | None = None
    lock: anyio.Lock = field(default_factory=anyio.Lock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Fetches for renders. Belongs to one event loop."""

    registry: Registry
    store: Store
    ctx: Context
    fetches: anyio.CapacityLimiter
    _asked: dict[Remote, _Asked] = field(default_factory=dict)

    async def roots(self, remotes: Collection[Remote], oldest: timedelta) -> Roots | None:
        """Their trees, asked anew where the last answer is older than that; None where nothing may be fetched at all.

        Raises `Misconfigured` for what the settings do not allow, and whatever the source meets.
        """
        if not self.ctx.reach.hosts:
            return None
        if len(remotes) > MOST:
            raise Rejected(f"more than {MOST} addresses of remote resources in one render")
        return {remote: await self._root(remote, oldest.total_seconds()) for remote in sorted(remotes)}

    def forget(self, remotes: Iterable[Remote]) -> None:
        """Drop what was fetched: it is asked for anew."""
        for remote in remotes:
            self._asked.pop(remote, None)
            self.store.forget(_ref(remote))

    def forget_others(self, used: Iterable[Remote]) -> None:
        """Drop all that no render reads any more, also of earlier runs."""
        kept = {_ref(remote) for remote in used}
        for remote in [remote for remote in self._asked if _ref(remote) not in kept]:
            del self._asked[remote]
        for ref in self.store.sources(KIND):
            if ref not in kept:
                self.store.forget(ref)

    async def _root(self, remote: Remote, oldest: float) -> Digest | None:
        asked = self._asked.setdefault(remote, _Asked())
        async with asked.lock:
            if asked.at is None or anyio.current_time() - asked.at >= oldest:
                asked.root, asked.at = await self._now(remote), anyio.current_time()
            return asked.root

    async def _now(self, remote: Remote) -> Digest | None:
        if refusal := refused(remote, self.ctx.reach):
            raise Misconfigured(refusal)
        source = self._source(remote)
        intent = source.address(remote, _ref(remote))
        before = self.store.artifact(intent.ref)
        try:
            with anyio.fail_after(intent.timeout.total_seconds()):
                return (await self._fetched(source, intent, before)).tree
        except (Transient, TimeoutError) as error:
            late = f"{intent.ref}: not fetched within {intent.timeout.total_seconds():g} s"
            problem = late if isinstance(error, TimeoutError) else str(error)
            if before is None or before.spec != intent.content:
                raise Transient(problem) from error
            self.ctx.log.warning(
                "a remote resource cannot be asked; what was fetched last goes on serving", problem=problem
            )
            return before.tree
        except NothingThere:
            return None

    async def _fetched(self, source: Source, intent: SourceIntent, before: Artifact | None) -> Artifact:
        usable = before if before is not None and before.spec == intent.content else None
        revision = await source.resolve(intent, self.ctx)
        if usable is not None and usable.revision == revision:
            return usable
        async with self.fetches:
            stored = await source.fetch(intent, revision, usable, self.ctx)
        artifact = Artifact(
            source=intent.ref,
            revision=revision,
            tree=stored.tree,
            size=stored.size,
            files=stored.files,
            stored=self.ctx.now(),
            spec=intent.content,
        )
        self.store.refer(artifact, keep=1)
        return artifact

    def _source(self, remote: Remote) -> AnyAddress:
        found = self.registry.addresses.get(remote.sort)
        if found is None:
            raise Misconfigured(
                f"{shown(remote)}: no plugin serves {remote.sort!r} addresses{self.registry.failures()}"
            )
        return found


def refused(remote: Remote, within: Reach) -> str:
    """Why the address may not be asked; '' when it may. Pure."""
    if not remote.url.startswith(("http://", "https://")) or not reach.host_of(remote.url):
        return (
            f"{shown(remote)}: remote resources are fetched by https only, and without credentials; "
            "copy it into the repository, or declare it as a source of its own"
        )
    refusal = within.refusal(remote.url)
    return f"{shown(remote)}: {refusal}" if refusal else ""


def shown(remote: Remote) -> str:
    """The address without what may be credentials."""
    start, sign, rest = remote.url.partition("://")
    user, at, place = rest.partition("@")
    bare = f"{start}{sign}{place}" if sign and at and "/" not in user else remote.url
    return f"{bare} at {remote.revision}" if remote.revision else bare


def _ref(remote: Remote) -> ObjectRef:
    return ObjectRef(kind=KIND, namespace=remote.sort, name=shown(remote))
