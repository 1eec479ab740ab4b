"""What the sink's suite works with: actors and manifests of names nobody else uses, and short ways to apply and to look."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import anyio

from gitopsd.model.change import Action, Change, Live, Result, Seen
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.inventory import Approval, Decision, Inventory, Owned, Suspension
from gitopsd.model.manifest import Manifest
from gitopsd.plugin.roles import Actor, Target

Connect = Callable[[Actor], AbstractAsyncContextManager[Target]]

APP = ObjectRef(kind="Kustomization", namespace="flux-system", name="apps")
OTHER = ObjectRef(kind="Kustomization", namespace="flux-system", name="other")
SOON = 15.0
"""Seconds within which a watch tells and a namespace is usable; the tests return as soon as it is so."""


def actor(instance: str = "", **changes: Any) -> Actor:
    """An actor whose names nobody else uses."""
    name = instance or f"t{uuid.uuid4().hex[:10]}"
    plain = Actor(instance=name, field_manager="gitopsd", namespace=f"{name}-records", holder=f"machine/{name}")
    return replace(plain, **changes)


def config_map(name: str, namespace: str, data: Mapping[str, str], **metadata: Any) -> Manifest:
    """A small object that every cluster takes."""
    return Manifest.of(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace, **metadata},
            "data": dict(data),
        }
    )


def namespace_manifest(name: str) -> Manifest:
    """A namespace."""
    return Manifest.of({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


async def apply(target: Target, manifest: Manifest, app: ObjectRef = APP, **change: Any) -> Result:
    """Apply one manifest, as a creation unless said otherwise."""
    wanted = Change(id=manifest.id, action=change.pop("action", Action.CREATE), manifest=manifest, **change)
    return await target.apply(wanted, app)


async def applied(target: Target, manifest: Manifest, app: ObjectRef = APP, **change: Any) -> Live:
    """The same, for one that must succeed; then its live state, with the mark that the write told."""
    result = await apply(target, manifest, app, **change)
    assert result.error is None, result.error
    live = await look(target, manifest)
    assert live is not None
    assert live.mark == result.mark
    return live


async def look(target: Target, manifest: Manifest) -> Live | None:
    """The live state of one manifest's object."""
    return (await target.observe([(manifest.id, manifest.version)])).get(manifest.id)


@asynccontextmanager
async def place(connect: Connect, who: Actor | None = None) -> AsyncIterator[tuple[Target, str]]:
    """A target and a fresh namespace that can be used."""
    async with connect(who or actor()) as target:
        name = f"n{uuid.uuid4().hex[:10]}"
        manifest = namespace_manifest(name)
        await applied(target, manifest)
        [stage] = target.stages([manifest])
        assert await target.settle(stage, SOON) == []
        yield target, name


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    """Return when it holds; what other processes do is asked for again and again."""
    with anyio.fail_after(SOON):
        while True:
            if await check():
                return
            await anyio.sleep(0.02)


async def next_of(stream: Any, it: ResourceId) -> Seen:
    """The next thing that a watch says about this object."""
    with anyio.fail_after(SOON):
        while True:
            seen: Seen = await stream.receive()
            if seen.id == it:
                return seen


def frozen(manifest: Manifest) -> Manifest:
    """The same, marked as immutable."""
    return Manifest.of({**manifest.body, "immutable": True})


def inventory_of(cluster: str, size: int) -> Inventory:
    """An inventory of `size` objects whose names do not compress well."""
    names = (hashlib.sha256(str(number).encode()).hexdigest() for number in range(size))
    ids = [ResourceId(group="", kind="ConfigMap", namespace="web", name=name) for name in names]
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return Inventory(
        app=APP,
        cluster_uid=cluster,
        owned={it: Owned(id=it, version="v1", intended=i % 2 == 0) for i, it in enumerate(ids)},
        suspension=Suspension(actor="ada", since=moment, reason="holidays"),
        approvals=(Approval(plan="sha256:1", actor="grace", at=moment),),
        removal=Decision(verb="delete", actor="ada", at=moment, reason="the old stack goes", until=moment),
        decisions=(Decision(verb="resume", actor="grace", at=moment),),
    )
