"""One watch: a full list, then events, for ever. Whatever breaks it ends in a new list, and what vanished meanwhile is told too.

It knows one resource, one namespace (or all) and one selector. Silence is death (the server sends a bookmark every minute), 410 comes as an ERROR event inside a 200 answer, and DELETED may only mean that the object no longer matches the
selector: it is read again before it is called gone.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectSendStream

from gitopsd.plugin import Actor, Body, Context, GitopsdError, Live, Rejected, ResourceId, Seen, Transient
from gitopsd_plugins.kubernetes import impersonation, observe, pages, refusal
from gitopsd_plugins.kubernetes import live as lives
from gitopsd_plugins.kubernetes.client import Client
from gitopsd_plugins.kubernetes.discovery import Resource
from gitopsd_plugins.kubernetes.lines import LineTooLong, Splitter
from gitopsd_plugins.kubernetes.refusal import Reply

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 60.0
_BLIND = 2
"""Failures in a row after which a watch says that it sees nothing."""
_LASTED = 10.0
"""Seconds; a connection that held so long was no failure, and the next one comes without a grudge."""


class Forbidden(Exception):  # noqa: N818 - the name is the state
    """The identity may not list or watch this scope."""

    def __init__(self, refused: Rejected) -> None:
        super().__init__(str(refused))
        self.refused = refused


class Unserved(Exception):  # noqa: N818
    """The server has this kind no longer; that its objects went was told."""


class _Expired(Exception):  # noqa: N818
    """Events since the last one are no longer known to the server."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """Sends what it sees into `out`. `expected`: an id that is reported as absent when the first list lacks it."""

    client: Client
    actor: Actor
    ctx: Context
    resource: Resource
    selector: Mapping[str, str]
    out: MemoryObjectSendStream[Seen]
    namespace: str = ""
    expected: ResourceId | None = None
    _known: set[ResourceId] = field(default_factory=set)
    _version: str = ""
    _told: bool = False
    """Something was told: a new list begins with `relist`."""
    _failures: int = 0
    """In a row, without a connection between."""

    async def run(self) -> None:
        """Until cancelled. Raises `Forbidden` where even the list is denied, `Unserved` where the kind is gone, `Transient`
        where the connection was given up.
        """
        pause = _FIRST_PAUSE
        while True:
            started = anyio.current_time()
            try:
                if not self._version:
                    await self._list()
                await self._follow()
            except _Expired:
                self._version = ""
            except GitopsdError as error:
                if self.client.closed:
                    raise
                self.ctx.log.debug("watch interrupted", kind=self.resource.kind, error=str(error))
                await self._failed()
            if anyio.current_time() - started > _LASTED:
                pause = _FIRST_PAUSE
            await anyio.sleep(pause * (0.5 + random.random() / 2))  # jitter, not a secret
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _failed(self) -> None:
        """One failure is what a connection is cut with; who cannot come back either sees nothing for now."""
        self._failures += 1
        if self._failures == _BLIND:
            await self.blinded()

    async def blinded(self) -> None:
        """Tell that nothing can be seen until the next list, which is the first that is tried then."""
        self._told, self._version = True, ""
        await self._tell(Seen(broken=True, namespace=self.namespace))

    async def _list(self) -> None:
        listing = await pages.read(self.client, self._path, self.selector, self._live)
        unserved = listing.refusal is not None and listing.refusal.status == 404
        if listing.refusal is not None and not unserved:
            raise self._refused(listing.refusal)
        if self._told:
            await self._tell(Seen(relist=True, namespace=self.namespace))
        for live in listing.items:
            await self._tell(Seen(id=live.id, live=live))
        found = {live.id for live in listing.items}
        missing = self._known - found
        if self.expected is not None and not found:
            missing = {self.expected}
        self._known = found
        self._told = True
        for it in missing:
            await self._decide(it)
        self._version = listing.resource_version
        if unserved:
            raise Unserved(self.resource.kind)

    async def _follow(self) -> None:
        """One connection's worth of events; a normal end (the server closes after some minutes) returns."""
        params = {
            **self.selector,
            "watch": "true",
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(random.randint(240, 300)),  # spread, so that not all end at once
        }
        async with self.client.stream(self._path, params, silence=self.actor.silence) as response:
            if response.status != 200:
                reply = _reply(response.status, await response.content.read(65536))
                raise self._refused(impersonation.explained(reply, self.client.access))
            self._failures = 0
            async with aclosing(_events(response)) as events:
                async for event in events:
                    await self._handle(event)

    async def _handle(self, event: Mapping[str, Any]) -> None:
        body: Body = event.get("object") or {}
        if event.get("type") == "ERROR":
            raise self._refused(Reply(status=int(body.get("code") or 500), body=body))
        self._version = (body.get("metadata") or {}).get("resourceVersion") or self._version
        if event.get("type") == "BOOKMARK":
            return
        live = self._live(body)
        if event.get("type") == "DELETED":
            self._known.discard(live.id)
            await self._decide(live.id)
        else:
            self._known.add(live.id)
            await self._tell(Seen(id=live.id, live=live))

    def _live(self, body: Body) -> Live:
        return lives.of(body, self.resource, self.actor)

    async def _decide(self, it: ResourceId) -> None:
        """Gone, or only out of the selector's sight?"""
        live: Live | None = await observe.one(self.client, self.resource, self.actor, it)
        await self._tell(Seen(id=it, live=live))

    async def _tell(self, seen: Seen) -> None:
        """Hand over without waiting where there is room: each wait costs a turn of the loop, and a busy one turns slowly."""
        try:
            self.out.send_nowait(seen)
        except anyio.WouldBlock:
            await self.out.send(seen)

    def _refused(self, reply: Reply) -> Exception:
        if reply.status == 410 or reply.reason in {"Expired", "Gone"}:
            return _Expired()
        self._version = ""
        error = refusal.error(
            reply, f"{self.resource.kind} {self.namespace or 'in all namespaces'} could not be watched"
        )
        if reply.status == 403 and isinstance(error, Rejected):
            return Forbidden(error)
        return error

    @property
    def _path(self) -> str:
        return self.resource.path(self.namespace)


async def _events(response: Any) -> AsyncGenerator[Mapping[str, Any]]:
    import aiohttp

    splitter = Splitter()
    try:
        async for piece in response.content.iter_any():
            for line in splitter.feed(piece):
                yield msgspec.json.decode(line, type=dict[str, Any])
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Transient(f"the watch broke off: {error or type(error).__name__}") from error
    except (LineTooLong, msgspec.DecodeError) as error:
        raise Transient(f"the watch sent what cannot be read: {error}") from error


def _reply(status: int, content: bytes) -> Reply:
    try:
        body = msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError:
        body = {"message": content[:200].decode("utf-8", "replace")}
    return Reply(status=status, body=body)
