"""Writing one object: server-side apply, its rehearsal, takeover, re-creation and deletion. Errors are values.

What is rehearsed and what is applied is made by one function, `_apply`, so that a plan cannot differ from the write. Applies are
forced: a field that Git states is ours. Deletions carry uid and resourceVersion, so that only the object that was looked
at can go.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import anyio

from gitopsd.plugin import (
    Action,
    Actor,
    Body,
    Change,
    Conflict,
    GitopsdError,
    Live,
    Manifest,
    NotReady,
    ObjectRef,
    Rehearsal,
    Result,
    Transient,
    Treatment,
)
from gitopsd_plugins.kubernetes import client as clients
from gitopsd_plugins.kubernetes import live as lives
from gitopsd_plugins.kubernetes import owner, refusal, renewal, sendable, takeover, yielding
from gitopsd_plugins.kubernetes.client import APPLY, JSON, JSON_PATCH, METADATA, Client
from gitopsd_plugins.kubernetes.discovery import Discovery, Resource
from gitopsd_plugins.kubernetes.refusal import Reply

_CREATED = 201
_AUTOSCALERS = "/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers"
_GONE_WITHIN = 60.0
"""Seconds that a re-creation waits for the old object's finalizers."""


class Writer:
    """Carries out single changes for one actor."""

    def __init__(self, client: Client, discovery: Discovery, actor: Actor) -> None:
        self._client, self._discovery, self._actor = client, discovery, actor

    async def rehearse(self, manifest: Manifest, app: ObjectRef, live: Live | None, treatment: Treatment) -> Rehearsal:
        """The server's dry run of what `apply` would send."""
        try:
            resource = await self._resource(manifest)
            sent = await self._sent(manifest, app, live, treatment)
            reply = await self._apply(resource, manifest, sent, dry=True)
        except NotReady as error:
            return Rehearsal(id=manifest.id, error=error, waits=True)
        except GitopsdError as error:
            return Rehearsal(id=manifest.id, error=error)
        if reply.ok:
            found = lives.of(reply.body, resource, self._actor)
            body = found.body
            if live is not None and (taken := takeover.managers(live, app, treatment)):
                fresh = await self._fresh(resource, manifest, sent)
                body = takeover.predicted(body, sent, fresh, live, taken, self._actor.field_manager)
            return Rehearsal(id=manifest.id, body=body, sent=sent, mark=found.mark, creates=reply.status == _CREATED)
        if gone := refusal.gone_version(reply):
            stale = NotReady(f"{manifest.id}: some manager holds fields of it in {gone}, which is not served any more")
            return Rehearsal(id=manifest.id, error=stale, waits=True)
        return Rehearsal(
            id=manifest.id,
            error=refusal.error(reply, f"{manifest.id} dry-run failed"),
            immutable=refusal.is_immutable(reply),
            waits=refusal.is_missing_namespace(reply, manifest.id.namespace) or _is_unserved(reply),
        )

    async def apply(self, change: Change, app: ObjectRef) -> Result:
        """Create, update, re-create or adopt."""
        try:
            action, mark = await self._applied(change, app)
        except GitopsdError as error:
            return Result(id=change.id, action=change.action, error=error)
        return Result(id=change.id, action=action, mark=mark)

    async def delete(self, change: Change) -> Result:
        """Delete in the background what `change.live` says; gone already is success."""
        if change.live is None:
            return Result(id=change.id, action=change.action)
        try:
            await self._delete(change.live)
        except GitopsdError as error:
            return Result(id=change.id, action=change.action, error=error)
        return Result(id=change.id, action=change.action)

    async def _applied(self, change: Change, app: ObjectRef) -> tuple[Action, str]:
        """What was done, and the object's mark after it."""
        manifest = change.manifest
        assert manifest is not None, f"{change.action} of {change.id} without a manifest"
        resource = await self._resource(manifest)
        if change.action is Action.RECREATE and change.live is not None:
            return await self._recreated(resource, manifest, change.live, app)
        if change.live is not None and (taken := takeover.managers(change.live, app, change.treatment)):
            await self._take_over(resource, change.live, taken)
        sent = await self._sent(manifest, app, change.live, change.treatment)
        reply = await self._apply(resource, manifest, sent, dry=False)
        if change.live is not None and (gone := refusal.gone_version(reply)):
            await self._rewrite(resource, change.live, lambda body: renewal.patch(body, gone, manifest.api_version))
            reply = await self._apply(resource, manifest, sent, dry=False)
        if change.force and change.live is not None and refusal.is_immutable(reply):
            return await self._recreated(resource, manifest, change.live, app)
        return change.action, self._mark(reply, manifest)

    async def _recreated(
        self, resource: Resource, manifest: Manifest, live: Live, app: ObjectRef
    ) -> tuple[Action, str]:
        await self._delete(live)
        await self._await_gone(resource, live)
        reply = await self._apply(resource, manifest, self._marked(manifest, app), dry=False)
        return Action.RECREATE, self._mark(reply, manifest)

    def _mark(self, reply: Reply, manifest: Manifest) -> str:
        if not reply.ok:
            raise refusal.error(reply, f"{manifest.id} apply failed")
        return lives.mark(reply.body, self._actor.field_manager)

    async def _apply(self, resource: Resource, manifest: Manifest, body: Mapping[str, Any], *, dry: bool) -> Reply:
        """The object as a dry run would leave it. Of a write only the metadata is asked for, which spares the server a tenth."""
        params = {"fieldManager": self._actor.field_manager, "force": "true"}
        return await self._client.send(
            "PATCH",
            resource.path(manifest.id.namespace, manifest.id.name),
            params=clients.dry(params) if dry else params,
            body=body,
            content_type=APPLY,
            accept=JSON if dry else METADATA,
        )

    def _marked(self, manifest: Manifest, app: ObjectRef) -> Mapping[str, Any]:
        return owner.marked(sendable.of(manifest.body), self._actor.instance, app)

    async def _sent(
        self, manifest: Manifest, app: ObjectRef, live: Live | None, treatment: Treatment
    ) -> Mapping[str, Any]:
        """What is sent: of an object that exists without the fields that are left to others."""
        body = self._marked(manifest, app)
        if live is None:
            return body
        pointers = treatment.ignored
        if yielding.scaled_by_others(live, self._actor.field_manager) and await self._autoscaled(live):
            pointers = (*pointers, yielding.REPLICAS)
        if not pointers:
            return body
        taken = takeover.managers(live, app, treatment)
        return yielding.adapted(body, live, pointers, self._actor.field_manager, taken)

    async def _fresh(self, resource: Resource, manifest: Manifest, sent: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the server would make of it where there is nothing yet; {} where it refuses another name."""
        name = f"gitopsd-rehearsal-{secrets.token_hex(4)}"
        aside = replace(manifest, id=replace(manifest.id, name=name))
        body = {**sent, "metadata": {**sent["metadata"], "name": name}}
        reply = await self._apply(resource, aside, body, dry=True)
        return reply.body if reply.ok else {}

    async def _autoscaled(self, live: Live) -> bool:
        """True where an autoscaler targets the object; also where this identity may not see whether one does."""
        reply = await self._client.get(_AUTOSCALERS.format(namespace=live.id.namespace))
        if not reply.ok:
            return reply.status == 403
        targets = [(item.get("spec") or {}).get("scaleTargetRef") or {} for item in reply.body.get("items") or []]
        return any(
            t.get("kind") == live.id.kind
            and t.get("name") == live.id.name
            and str(t.get("apiVersion", "")).rpartition("/")[0] == live.id.group
            for t in targets
        )

    async def _take_over(self, resource: Resource, live: Live, taken: tuple[str, ...]) -> None:
        """Move these managers' fields into our entry."""
        manager = self._actor.field_manager
        await self._rewrite(resource, live, lambda body: takeover.patch(body, taken, manager))

    async def _rewrite(self, resource: Resource, live: Live, patch_of: Callable[[Body], list[dict[str, Any]]]) -> None:
        """Patch who holds what, if the object is still the one that was looked at."""
        path = resource.path(live.id.namespace, live.id.name)
        params = {"fieldManager": self._actor.field_manager}
        for last in (False, False, True):
            body = clients.checked(await self._client.get(path), f"{live.id} could not be read for its takeover")
            if body["metadata"].get("uid") != live.uid:
                raise Conflict(f"{live.id} was replaced by another object meanwhile; it is looked at again")
            patch = patch_of(body)
            if not patch:
                return
            reply = await self._client.send("PATCH", path, params=params, body=patch, content_type=JSON_PATCH)
            if reply.status == 409 and not last:
                continue  # a controller wrote its status in between
            clients.checked(reply, f"{live.id} takeover failed")
            return

    async def _delete(self, live: Live) -> None:
        resource = await self._discovery.find(live.id.group, live.id.kind, live.version)
        resource = resource or self._discovery.kinds.find(live.id.group, live.id.kind)
        if resource is None:
            return  # no such kind any more, so no such object
        preconditions = {"uid": live.uid, "resourceVersion": live.resource_version}
        reply = await self._client.send(
            "DELETE",
            resource.path(live.id.namespace, live.id.name),
            body={
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "preconditions": {key: value for key, value in preconditions.items() if value},
                "propagationPolicy": "Background",
            },
        )
        if reply.status != 404:
            clients.checked(reply, f"{live.id} delete failed")

    async def _await_gone(self, resource: Resource, live: Live) -> None:
        pause = 0.05
        with anyio.move_on_after(_GONE_WITHIN):
            while True:
                reply = await self._client.get(resource.path(live.id.namespace, live.id.name))
                if reply.status == 404 or (reply.ok and _uid(reply.body) != live.uid):
                    return
                await anyio.sleep(pause)
                pause = min(pause * 2, 2.0)
        raise Transient(f"{live.id} is still being deleted after {_GONE_WITHIN:.0f} s; see its metadata.finalizers")

    async def _resource(self, manifest: Manifest) -> Resource:
        resource = await self._discovery.find(manifest.id.group, manifest.id.kind, manifest.version)
        if resource is None:
            raise NotReady(
                f'{manifest.id}: no matches for kind "{manifest.id.kind}" in version "{manifest.api_version}"; '
                "is its CustomResourceDefinition applied before it?",
                reason="NoMatch",
            )
        return resource


def _is_unserved(reply: Reply) -> bool:
    """The path itself is unknown: the definition is there, but not served yet (or no longer)."""
    return reply.status == 404 and not reply.body.get("details")


def _uid(body: Mapping[str, Any]) -> str:
    return str((body.get("metadata") or {}).get("uid", ""))
