"""Many watches into one stream: each kind over the widest scope that the identity may list, single objects for health checks.

A 403 for all namespaces asks namespace by namespace, for those in which this instance owns anything, and takes up new ones
as they come; a denied namespace is asked again after ten minutes, never hammered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from gitopsd.plugin import Actor, Context, GitopsdError, HealthCheck, Seen
from gitopsd_plugins.kubernetes import owner
from gitopsd_plugins.kubernetes import tasks as concurrent
from gitopsd_plugins.kubernetes.client import Client
from gitopsd_plugins.kubernetes.discovery import Discovery, Resource
from gitopsd_plugins.kubernetes.watch import Forbidden, Unserved, Watch

_BUFFER = 1000
_ASK_AGAIN = 600.0
_UNKNOWN_PAUSE = 10.0


@dataclass(slots=True, kw_only=True)
class Namespaces:
    """Where this instance owns anything, as far as this process knows; whoever waits is told of new ones."""

    names: set[str] = field(default_factory=set)
    _changed: anyio.Event = field(default_factory=anyio.Event)

    def add(self, names: Collection[str]) -> None:
        """Note namespaces ('' is none)."""
        new = {name for name in names if name} - self.names
        if new:
            self.names |= new
            self._changed.set()
            self._changed = anyio.Event()

    async def changed(self) -> None:
        """Return when there is a new one."""
        await self._changed.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Opens streams of `Seen` for one target."""

    client: Client
    discovery: Discovery
    actor: Actor
    ctx: Context
    namespaces: Namespaces

    @asynccontextmanager
    async def of_kinds(self, kinds: Collection[tuple[str, str, str]]) -> AsyncIterator[MemoryObjectReceiveStream[Seen]]:
        """Everything that carries this instance's labels."""
        async with self._stream([(group, version, kind, None) for group, version, kind in kinds]) as stream:
            yield stream

    @asynccontextmanager
    async def of_objects(self, checks: Collection[HealthCheck]) -> AsyncIterator[MemoryObjectReceiveStream[Seen]]:
        """Single objects, whoever owns them."""
        wanted = [(check.id.group, check.version, check.id.kind, check) for check in checks]
        async with self._stream(wanted) as stream:
            yield stream

    @asynccontextmanager
    async def _stream(
        self, wanted: Collection[tuple[str, str, str, HealthCheck | None]]
    ) -> AsyncIterator[MemoryObjectReceiveStream[Seen]]:
        send, receive = anyio.create_memory_object_stream[Seen](_BUFFER)

        async def run() -> None:
            async with anyio.create_task_group() as tasks:
                for group, version, kind, check in wanted:
                    tasks.start_soon(self._resource, tasks, (group, version, kind), check, send)

        async with send, receive, concurrent.beside(run):
            yield receive

    async def _resource(
        self, tasks: TaskGroup, kind: tuple[str, str, str], check: HealthCheck | None, out: MemoryObjectSendStream[Seen]
    ) -> None:
        """Wait until the server has the kind, then watch it; when its definition goes, wait again."""
        while True:
            resource = await self._found(kind, check, out)
            try:
                if check is not None:
                    await self._single(resource, check, out)
                else:
                    await self._widest(tasks, resource, out)
            except Unserved:
                await anyio.sleep(_UNKNOWN_PAUSE)
                self.discovery.forget()

    async def _found(
        self, kind: tuple[str, str, str], check: HealthCheck | None, out: MemoryObjectSendStream[Seen]
    ) -> Resource:
        group, version, name = kind
        told = False
        while True:
            try:
                resource = await self.discovery.find(group, name, version) or self.discovery.kinds.find(group, name)
            except GitopsdError as error:
                self.ctx.log.debug("discovery failed", error=str(error))
                resource = None
            if resource is not None:
                return resource
            if check is not None and not told:
                await out.send(Seen(id=check.id))
                told = True
            await self.discovery.changed(_UNKNOWN_PAUSE)

    async def _single(self, resource: Resource, check: HealthCheck, out: MemoryObjectSendStream[Seen]) -> None:
        watch = self._watch(resource, {"fieldSelector": f"metadata.name={check.id.name}"}, out, check.id.namespace)
        watch.expected = resource.id(check.id.namespace, check.id.name)
        await self._unless_forbidden(watch)

    async def _widest(self, tasks: TaskGroup, resource: Resource, out: MemoryObjectSendStream[Seen]) -> None:
        selector = {"labelSelector": owner.selector(self.actor.instance)}
        everywhere = self._watch(resource, selector, out)
        if not resource.namespaced:
            await self._unless_forbidden(everywhere)
        try:
            await everywhere.run()
        except Forbidden as denied:
            self.ctx.log.info("watching by namespace", kind=resource.kind, reason=str(denied))
        watched: set[str] = set()
        while True:
            for namespace in sorted(self.namespaces.names - watched):
                watched.add(namespace)
                tasks.start_soon(self._in_namespace, self._watch(resource, selector, out, namespace))
            await self.namespaces.changed()

    async def _in_namespace(self, watch: Watch) -> None:
        while True:
            try:
                await self._unless_forbidden(watch)
            except Unserved:
                await anyio.sleep(_UNKNOWN_PAUSE)

    async def _unless_forbidden(self, watch: Watch) -> None:
        while True:
            try:
                await watch.run()
            except Forbidden as denied:
                self.ctx.log.warning("watch denied", error=str(denied))
                await watch.blinded()
                await anyio.sleep(_ASK_AGAIN)

    def _watch(
        self, resource: Resource, selector: dict[str, str], out: MemoryObjectSendStream[Seen], namespace: str = ""
    ) -> Watch:
        return Watch(
            client=self.client,
            actor=self.actor,
            ctx=self.ctx,
            resource=resource,
            selector=selector,
            out=out,
            namespace=namespace,
        )
