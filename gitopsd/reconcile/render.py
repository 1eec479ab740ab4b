"""Tree and intent to manifests, once per content.

A render records everything that it looked at. As long as a newer tree shows the same at those places, under the same intent,
the earlier result stands: no worker process is asked. Sets that hold Secrets are never stored; they are kept in memory.
The others are stored from a thread: compressing and writing a large set would hold the loop up for 100 ms.

Where the store finds content damaged or gone, the artifact leaves service and its source fetches it again; once for each
content in a row, so that a failing disk keeps nobody busy.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
from anyio import to_thread

from gitopsd.model import digest
from gitopsd.model.declared import AppIntent
from gitopsd.model.digest import Digest
from gitopsd.model.errors import Misconfigured, NotReady, Transient
from gitopsd.model.manifest import Manifest, Rendered
from gitopsd.model.tree import Artifact
from gitopsd.plugin.roles import Renderer
from gitopsd.plugin.tree import Intake, Tree
from gitopsd.reconcile.world import Render, World

JOB = "gitopsd.reconcile.render:job"
LOST = frozenset({"ContentDamaged", "ContentMissing"})


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker process is asked to render. `renderer` is `module:Class`, `key` keys the digests of Secrets."""

    renderer: str
    tree: Digest
    spec: dict[str, Any]
    key: bytes


async def current(app: AppIntent, artifact: Artifact, world: World) -> tuple[Render, Rendered | None]:
    """What the app's render of this artifact wants, and the manifests where they had to be made or are at hand."""
    renderer = _renderer(app, world)
    intent = digest.of_value([renderer.name, renderer.version, app.spec])
    last = world.board.renders.get(app.ref) or _stored(app, artifact, intent, world)
    with _fetched_again(app, world):
        if last is not None and last.intent == intent and Tree(world.store, artifact.tree).unchanged(last.reads):
            return replace(last, revision=artifact.revision, tree=artifact.tree), None
        rendered = await _made(renderer, app, artifact, world)
    if not rendered.sensitive:
        keep = partial(world.store.keep_rendered, _key(intent, rendered), rendered, app=app.ref, intent=intent)
        await to_thread.run_sync(keep)
    return _note(intent, artifact, rendered), rendered


async def manifests(app: AppIntent, artifact: Artifact, render: Render, world: World) -> tuple[Manifest, ...]:
    """The manifests of a render that was found unchanged: from memory, from the store, or made again."""
    if render.kept is not None:
        return render.kept
    stored = world.store.last_rendered(app.ref, render.intent)
    if stored is not None and _digest(stored[1]) == render.digest:
        return stored[1].manifests
    with _fetched_again(app, world):
        return (await _made(_renderer(app, world), app, artifact, world)).manifests


@contextmanager
def _fetched_again(app: AppIntent, world: World) -> Iterator[None]:
    """Let the source fetch again what is found lost. Raises `NotReady` then, so that its news wakes the app."""
    try:
        yield
    except Transient as error:
        before = world.board.outcomes.get(app.ref)
        if error.reason not in LOST or (before is not None and str(error) in before.message):
            raise
        world.board.artifacts.pop(app.source, None)
        world.wake(app.source, str(error))
        raise NotReady(f"{app.ref}: waits for {app.source}: {error}", reason=error.reason) from error


async def _made(renderer: Renderer, app: AppIntent, artifact: Artifact, world: World) -> Rendered:
    order = Order(
        renderer=f"{type(renderer).__module__}:{type(renderer).__qualname__}",
        tree=artifact.tree,
        spec=dict(app.spec),
        key=world.store.key(),
    )
    async with world.slots.render:
        answer = await world.ctx.work.run(
            JOB, msgspec.msgpack.encode(order), timeout=world.limits.render_timeout.total_seconds()
        )
    return msgspec.msgpack.decode(answer, type=Rendered)


def job(payload: bytes, intake: Intake) -> bytes:
    """Render in a worker process: `Order` in, `Rendered` out."""
    order = msgspec.msgpack.decode(payload, type=Order)
    module, _, name = order.renderer.partition(":")
    renderer: Renderer = getattr(importlib.import_module(module), name)()
    tree = Tree(intake, order.tree)
    rendered = renderer.render(tree, order.spec)
    keyed = tuple(_keyed(m, order.key) for m in rendered.manifests)
    return msgspec.msgpack.encode(replace(rendered, manifests=keyed, reads=tree.reads))


def _keyed(manifest: Manifest, key: bytes) -> Manifest:
    if manifest.id.kind != "Secret" or manifest.id.group:
        return manifest
    return replace(manifest, digest=digest.of_secret(manifest.body, key))


def _renderer(app: AppIntent, world: World) -> Renderer:
    renderer = world.registry.renderers.get(app.renderer)
    if renderer is None:
        raise Misconfigured(f"{app.ref}: no plugin renders {app.renderer!r}{world.registry.failures()}")
    return renderer


def _stored(app: AppIntent, artifact: Artifact, intent: Digest, world: World) -> Render | None:
    stored = world.store.last_rendered(app.ref, intent)
    return _note(intent, artifact, stored[1]) if stored else None


def _note(intent: Digest, artifact: Artifact, rendered: Rendered) -> Render:
    return Render(
        intent=intent,
        revision=artifact.revision,
        tree=artifact.tree,
        reads=rendered.reads,
        digest=_digest(rendered),
        ids=frozenset(m.id for m in rendered.manifests),
        kept=rendered.manifests if rendered.sensitive else None,
        warnings=rendered.warnings,
    )


def _digest(rendered: Rendered) -> Digest:
    return digest.of_value([[str(m.id), m.version, m.digest] for m in rendered.manifests])


def _key(intent: Digest, rendered: Rendered) -> Digest:
    """What the set was made of: the intent and everything that was read."""
    return digest.of_value([intent, [[read.path, read.listing, read.digest] for read in rendered.reads]])
