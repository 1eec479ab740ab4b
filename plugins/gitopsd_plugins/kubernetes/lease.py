"""One actor per instance and cluster: a coordination.k8s.io Lease beside the inventories, renewed while the process lives.

The holder is the same after a restart, so that a restart takes over at once. A lease of another holder is respected until
it expires, and one that is expired, or dated in the future, is watched for a while before it is taken: clocks differ, a
living holder renews.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import anyio

from gitopsd.plugin import Actor, Body, Context, GitopsdError, HeldElsewhere, Transient
from gitopsd_plugins.kubernetes import client as clients
from gitopsd_plugins.kubernetes import namespaces, refusal, tasks
from gitopsd_plugins.kubernetes.client import Client

DURATION = 30.0
"""Seconds for which one renewal holds; it is renewed three times in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The lease of one actor. Its namespace is created when it is missing."""

    client: Client
    actor: Actor
    ctx: Context
    duration: float = DURATION

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold it while the block runs.

        Raises `HeldElsewhere`, at once or later, when another holder has it, and `Transient` when it could not be renewed in
        its time: from then on another may take it, so the block ends.
        """
        if self.actor.read_only:
            yield  # who writes nothing needs no turn
            return
        await self._acquire()
        try:
            async with tasks.beside(self._renew):
                yield
        finally:
            with anyio.move_on_after(5, shield=True):
                await self._release()

    async def uid(self) -> str:
        """Of the Lease object, which the server made up; '' where there is none."""
        found = await self._read()
        return "" if found is None else str(found["metadata"].get("uid", ""))

    async def _acquire(self) -> None:
        found = await self._read()
        if found is not None and not self._is_mine(found):
            self._refuse_if_alive(found)
            await anyio.sleep(self.duration / 2)
            again = await self._read()
            if again is not None and _version(again) != _version(found):
                self._refuse(again)
            found = again
        await self._write(found)

    async def _renew(self) -> None:
        """Renew until cancelled; silence of the server is borne until the lease would be another's for the taking."""
        renewed_at = anyio.current_time()
        while True:
            await anyio.sleep(self.duration / 3)
            try:
                found = await self._read()
                if found is not None and not self._is_mine(found):
                    self._refuse(found)
                await self._write(found)
            except HeldElsewhere:
                raise
            except GitopsdError as error:
                if anyio.current_time() - renewed_at > self.duration:
                    raise Transient(f"{self._what} could not be renewed for {self.duration:.0f} s: {error}") from error
                self.ctx.log.warning("lease not renewed", lease=self._what, error=str(error))
                continue
            renewed_at = anyio.current_time()

    async def _read(self) -> Body | None:
        reply = await self.client.get(self._path(self._name))
        if reply.status == 404:
            return None
        return clients.checked(reply, f"{self._what} could not be read")

    async def _write(self, found: Body | None) -> None:
        """Take or renew. Losing a race is a `Transient` unless the winner is another holder."""
        body = self._body(found)
        if found is None:
            reply = await self.client.send("POST", self._path(), body=body)
            if refusal.is_missing_namespace(reply, self.actor.namespace):
                await namespaces.create(self.client, self.actor)
                reply = await self.client.send("POST", self._path(), body=body)
        else:
            reply = await self.client.send("PUT", self._path(self._name), body=body)
        if reply.status == 409:
            winner = await self._read()
            if winner is not None and not self._is_mine(winner):
                self._refuse(winner)
            raise Transient(f"{self._what} was written by this holder from another process; is gitopsd started twice?")
        clients.checked(reply, f"{self._what} could not be written")

    async def _release(self) -> None:
        """Let the next holder in at once; what cannot be released expires by itself."""
        try:
            found = await self._read()
            if found is not None and self._is_mine(found):
                body = self._body(found)
                body["spec"] = {**body["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
                await self.client.send("PUT", self._path(self._name), body=body)
        except GitopsdError as error:
            self.ctx.log.info("lease not released", lease=self._what, error=str(error))

    def _refuse_if_alive(self, found: Body) -> None:
        spec = found.get("spec") or {}
        renewed = _time(spec.get("renewTime"))
        lasts, now = timedelta(seconds=int(spec.get("leaseDurationSeconds") or 0)), self.ctx.now()
        if renewed is not None and now - lasts < renewed < now + lasts:  # later is another clock, which proves nothing
            self._refuse(found)

    def _refuse(self, found: Body) -> None:
        spec = found.get("spec") or {}
        raise HeldElsewhere(
            f"instance {self.actor.instance!r} on this cluster is run by {spec.get('holderIdentity')!r} "
            f"(last seen {spec.get('renewTime')}): {self._what}; stop that one, or give this one a name of its own "
            "with Settings.instance"
        )

    def _is_mine(self, found: Body) -> bool:
        holder = (found.get("spec") or {}).get("holderIdentity")
        return holder in {None, "", self.actor.holder}

    def _body(self, found: Body | None) -> dict[str, Any]:
        now = self.ctx.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec: Mapping[str, Any] = (found or {}).get("spec") or {}
        metadata: dict[str, Any] = {
            "name": self._name,
            "namespace": self.actor.namespace,
            "labels": dict(namespaces.MANAGED),
        }
        if found is not None:
            metadata["resourceVersion"] = _version(found)
        same = spec.get("holderIdentity") == self.actor.holder
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {
                "holderIdentity": self.actor.holder,
                "leaseDurationSeconds": max(int(self.duration), 1),
                "acquireTime": spec.get("acquireTime") if same and spec.get("acquireTime") else now,
                "renewTime": now,
                "leaseTransitions": int(spec.get("leaseTransitions") or 0) + (0 if same or found is None else 1),
            },
        }

    @property
    def _name(self) -> str:
        return f"actor.{self.actor.instance}"

    @property
    def _what(self) -> str:
        return f"Lease {self.actor.namespace}/{self._name}"

    def _path(self, name: str = "") -> str:
        collection = f"/apis/coordination.k8s.io/v1/namespaces/{self.actor.namespace}/leases"
        return f"{collection}/{name}" if name else collection


def _version(body: Body) -> str:
    return str(body["metadata"]["resourceVersion"])


def _time(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
