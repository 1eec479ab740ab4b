"""One cluster under one identity: the `Target` that the core writes to. It composes; each verb has its own file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace

from anyio.streams.memory import MemoryObjectReceiveStream

from gitopsd.plugin import (
    Access,
    AccountToken,
    Actor,
    Body,
    Change,
    Explanation,
    HealthCheck,
    Inventory,
    Live,
    Manifest,
    Need,
    ObjectRef,
    Qualified,
    Rehearsal,
    ResourceId,
    Result,
    Seen,
    Stage,
    Treatment,
    Versioned,
)
from gitopsd_plugins.kubernetes import (
    accounts,
    collateral,
    explain,
    impersonation,
    observe,
    qualify,
    rights,
    settle,
    stages,
)
from gitopsd_plugins.kubernetes.client import Client
from gitopsd_plugins.kubernetes.discovery import Discovery
from gitopsd_plugins.kubernetes.feed import Feed, Namespaces
from gitopsd_plugins.kubernetes.lease import Lease
from gitopsd_plugins.kubernetes.records import Records
from gitopsd_plugins.kubernetes.write import Writer


@dataclass(slots=True, kw_only=True)
class KubernetesTarget:
    """See `gitopsd.plugin.roles.Target` for what each method promises."""

    access: Access
    uid: str
    actor: Actor
    client: Client
    discovery: Discovery
    writer: Writer
    records: Records
    feed: Feed
    leases: Lease

    @asynccontextmanager
    async def acting_as(self, user: str, name: str) -> AsyncIterator[KubernetesTarget]:
        """The app's objects as another user, with a pool, discovery and watches of his own."""
        access = impersonation.of(self.access, user, name)
        ctx = self.feed.ctx
        async with Client(access, self.actor, ctx) as client:
            discovery = Discovery(client)
            yield replace(
                self,
                access=access,
                client=client,
                discovery=discovery,
                writer=Writer(client, discovery, self.actor),
                feed=Feed(client=client, discovery=discovery, actor=self.actor, ctx=ctx, namespaces=Namespaces()),
            )

    def lease(self) -> AbstractAsyncContextManager[None]:
        """Be the one actor of this instance here."""
        return self.leases.held()

    async def proof(self) -> str:
        """The uid of our lease."""
        return await self.leases.uid()

    def stages(self, manifests: Sequence[Manifest], before: Collection[tuple[str, str]] = ()) -> tuple[Stage, ...]:
        """Definitions, classes, those asked for, the rest."""
        return stages.of(manifests, {*before, *self.actor.stage_kinds})

    async def qualify(self, manifests: Sequence[Manifest]) -> Qualified:
        """Settle the namespaces."""
        return await qualify.settled(manifests, self.discovery)

    async def observe(self, ids: Collection[Versioned]) -> Mapping[ResourceId, Live]:
        """Live state of these ids."""
        self.feed.namespaces.add({it.namespace for it, _ in ids})
        return await observe.observed(self.client, self.discovery, self.actor, ids)

    async def listed(self, group: str, version: str, kind: str) -> Sequence[Body]:
        """Every object of a kind."""
        return await observe.every(self.client, self.discovery, (group, version, kind))

    async def rehearse(self, manifest: Manifest, app: ObjectRef, live: Live | None, treatment: Treatment) -> Rehearsal:
        """Dry run."""
        return await self.writer.rehearse(manifest, app, live, treatment)

    async def apply(self, change: Change, app: ObjectRef) -> Result:
        """Create, update, re-create, adopt."""
        self.feed.namespaces.add({change.id.namespace})
        return await self.writer.apply(change, app)

    async def delete(self, change: Change) -> Result:
        """Delete what was looked at."""
        return await self.writer.delete(change)

    async def settle(self, stage: Stage, timeout: float) -> Sequence[ResourceId]:
        """Wait for definitions and namespaces."""
        return await settle.settled(self.client, self.discovery, stage, timeout)

    async def collateral(self, live: Live) -> Sequence[Live]:
        """What would go too."""
        return await collateral.of(self.client, self.discovery, self.actor, live)

    async def inventory(self, app: ObjectRef) -> Inventory | None:
        """The app's record."""
        inventory = await self.records.read(app)
        self._note(() if inventory is None else (inventory,))
        return inventory

    async def inventories(self) -> Sequence[Inventory]:
        """All records of this instance."""
        inventories = await self.records.read_all()
        self._note(inventories)
        return inventories

    async def remember(self, inventory: Inventory) -> Inventory:
        """Write the record."""
        self._note((inventory,))
        return await self.records.write(inventory)

    async def discard(self, inventory: Inventory) -> None:
        """Remove the record."""
        await self.records.discard(inventory)

    def watch(
        self, kinds: Collection[tuple[str, str, str]]
    ) -> AbstractAsyncContextManager[MemoryObjectReceiveStream[Seen]]:
        """Everything of this instance."""
        return self.feed.of_kinds(kinds)

    def follow(self, checks: Collection[HealthCheck]) -> AbstractAsyncContextManager[MemoryObjectReceiveStream[Seen]]:
        """Single objects."""
        return self.feed.of_objects(checks)

    async def explain(self, live: Live) -> Explanation:
        """Why it is not healthy."""
        return await explain.of(self.client, live)

    async def token(self, namespace: str, account: str, audiences: Sequence[str]) -> AccountToken:
        """Of a service account."""
        return await accounts.token(self.client, namespace, account, audiences, self.feed.ctx.now())

    async def rights(self, kinds: Collection[tuple[str, str, str]]) -> Sequence[str]:
        """What this identity may not do."""
        return await rights.missing(self.client, self.discovery, self.actor, kinds)

    async def denied(self, needs: Collection[Need]) -> Sequence[str]:
        """What of these rights is missing."""
        return await rights.denied(self.client, self.discovery, needs)

    def _note(self, inventories: Sequence[Inventory]) -> None:
        self.feed.namespaces.add({it.namespace for inventory in inventories for it in inventory.owned})
