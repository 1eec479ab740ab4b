"""Inventories in the cluster: ConfigMaps beside one another in the actor's namespace, guarded by their resourceVersion.

Order of writes: new parts, then the head (from here on the new record counts), then the old parts go. One list reads all
records of an instance, parts included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gitopsd.plugin import Actor, Body, Conflict, Inventory, ObjectRef, Rejected, keys
from gitopsd_plugins.kubernetes import client as clients
from gitopsd_plugins.kubernetes import codec, namespaces, owner, pages, refusal
from gitopsd_plugins.kubernetes.client import Client
from gitopsd_plugins.kubernetes.codec import Encoded
from gitopsd_plugins.kubernetes.refusal import Reply


class Records:
    """Reads and writes the inventories of one instance."""

    def __init__(self, client: Client, actor: Actor) -> None:
        self._client, self._actor = client, actor
        self._parts: dict[str, frozenset[str]] = {}
        """By head, the parts that were seen or written, those included that a crash left behind."""

    async def read(self, app: ObjectRef) -> Inventory | None:
        """The record of one app; None where there is none."""
        name = codec.name(self._actor.instance, app)
        reply = await self._client.get(self._path(name))
        if reply.status == 404:
            return None
        head = clients.checked(
            reply, f"the inventory of {app} (ConfigMap {self._actor.namespace}/{name}) could not be read"
        )
        parts: dict[str, Body] = {}
        for part in codec.part_names(name, head.get("data") or {}):
            found = await self._client.get(self._path(part))
            if found.status != 404:
                parts[part] = clients.checked(found, f"part {part} of the inventory of {app} could not be read")
        self._parts.setdefault(name, frozenset(parts))
        inventory = _decoded(head, parts)
        if inventory.app != app:
            raise Rejected(
                f"ConfigMap {self._actor.namespace}/{name} holds the inventory of {inventory.app}, not of {app}; "
                "was it copied? Delete the copy",
                reason="InventoryDamaged",
            )
        return inventory

    async def read_all(self) -> Sequence[Inventory]:
        """All records of this instance."""
        only = {"labelSelector": _selector(self._actor.instance)}
        listing = await pages.read(self._client, self._path(), only, lambda body: (body["metadata"]["name"], body))
        if listing.refusal is not None:
            if listing.refusal.status == 404:
                return ()
            raise refusal.error(
                listing.refusal, f"the inventories in namespace {self._actor.namespace} could not be listed"
            )
        found = dict(listing.items)
        heads = [body for body in found.values() if "format" in (body.get("data") or {})]
        for name in (head["metadata"]["name"] for head in heads):
            self._parts[name] = frozenset(part for part in found if _is_part(part, name))
        return tuple(_decoded(head, found) for head in heads)

    async def write(self, inventory: Inventory) -> Inventory:
        """Write, expecting the version that was read. Raises `Conflict` where there is another by now."""
        encoded = codec.encode(inventory, self._actor.instance)
        what = f"the inventory of {inventory.app} (ConfigMap {self._actor.namespace}/{encoded.name})"
        old = self._parts.get(encoded.name, frozenset())
        for part, content in encoded.parts.items():
            if part not in old:
                await self._create_part(part, content, what)
        reply = await self._write_head(encoded, inventory.token)
        if reply.status == 404 and inventory.token:
            raise Conflict(f"{what} was deleted meanwhile; it is read again")
        body = clients.checked(reply, f"{what} could not be written")
        self._parts[encoded.name] = old | encoded.parts.keys()
        await self._drop(encoded.name, old - encoded.parts.keys())
        return replace(inventory, token=body["metadata"]["resourceVersion"])

    async def discard(self, inventory: Inventory) -> None:
        """Remove the record; the head first, so that no half of it is ever read."""
        name = codec.name(self._actor.instance, inventory.app)
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"resourceVersion": inventory.token}}
        reply = await self._client.send("DELETE", self._path(name), body=body if inventory.token else None)
        if reply.status != 404:
            clients.checked(reply, f"the inventory of {inventory.app} could not be removed")
        await self._drop(name, self._parts.get(name, frozenset()))

    async def _drop(self, name: str, parts: Iterable[str]) -> None:
        """Remove parts that no head lists; one that cannot be removed now is tried again at the next write."""
        for part in parts:
            reply = await self._client.send("DELETE", self._path(part))
            if reply.ok or reply.status == 404:
                self._parts[name] = self._parts.get(name, frozenset()) - {part}

    async def _write_head(self, encoded: Encoded, token: str) -> Reply:
        body = self._config_map(encoded.name, dict(encoded.data), dict(encoded.binary), token)
        if token:
            return await self._client.send("PUT", self._path(encoded.name), params=self._params(), body=body)
        return await self._create(body)

    async def _create_part(self, name: str, content: str, what: str) -> None:
        reply = await self._create(self._config_map(name, {}, {"part": content}, ""))
        if reply.status != 409:  # a part is named by its content: one that is there is this one
            clients.checked(reply, f"part {name} of {what} could not be written")

    async def _create(self, body: Body) -> Reply:
        reply = await self._client.send("POST", self._path(), params=self._params(), body=body)
        if not refusal.is_missing_namespace(reply, self._actor.namespace):
            return reply
        await namespaces.create(self._client, self._actor)
        return await self._client.send("POST", self._path(), params=self._params(), body=body)

    def _config_map(self, name: str, data: dict[str, str], binary: dict[str, str], token: str) -> dict[str, Any]:
        labels = {keys.OWNER_INSTANCE: owner.label(self._actor.instance), **namespaces.MANAGED}
        metadata: dict[str, Any] = {"name": name, "namespace": self._actor.namespace, "labels": labels}
        if token:
            metadata["resourceVersion"] = token
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data, "binaryData": binary}

    def _path(self, name: str = "") -> str:
        collection = f"/api/v1/namespaces/{self._actor.namespace}/configmaps"
        return f"{collection}/{name}" if name else collection

    def _params(self) -> dict[str, str]:
        return {"fieldManager": self._actor.field_manager}


def _selector(instance: str) -> str:
    """Our records: they carry the instance's label, and none that names an owning app."""
    return f"{keys.OWNER_INSTANCE}={owner.label(instance)},!{keys.OWNER_NAME}"


def _is_part(part: str, head: str) -> bool:
    number, _, digest = part.removeprefix(f"{head}.").partition(".")
    return part.startswith(f"{head}.") and number.isdigit() and len(digest) == 16


def _decoded(head: Body, parts: Mapping[str, Body]) -> Inventory:
    stored = Encoded(
        name=head["metadata"]["name"],
        data=head.get("data") or {},
        binary=head.get("binaryData") or {},
        parts={name: (body.get("binaryData") or {}).get("part", "") for name, body in parts.items()},
    )
    return codec.decode(stored, token=head["metadata"]["resourceVersion"])
