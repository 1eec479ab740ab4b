"""Tree and intent to manifests, once per content.

A render records everything that it looked at. As long as a newer tree shows the same at those places, under the same intent,
the earlier result stands: no worker process is asked, and none of its objects is read. The worker process also stores what
it made. Sets that hold Secrets are never stored; they are kept in memory. Large sets are decoded in a thread, object by
object: all at once they would hold the loop up.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
from anyio import to_thread

from gitopsd.model import digest
from gitopsd.model.declared import AppIntent
from gitopsd.model.digest import Digest
from gitopsd.model.errors import Misconfigured
from gitopsd.model.identity import ObjectRef
from gitopsd.model.manifest import Manifest, Outline
from gitopsd.model.tree import Artifact
from gitopsd.plugin.roles import Renderer
from gitopsd.plugin.tree import Tree
from gitopsd.reconcile import lost, values
from gitopsd.reconcile.values import Found
from gitopsd.reconcile.world import Render, World
from gitopsd.store import Store

JOB = "gitopsd.reconcile.render:job"
SMALL = 64 * 1024
"""Bytes of an answer that the loop decodes itself, in well under a millisecond."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker process is asked to render. `renderer` is `module:Class`, `key` keys the digests of Secrets."""

    app: ObjectRef
    renderer: str
    intent: Digest
    tree: Digest
    spec: dict[str, Any]
    values: tuple[dict[str, bytes] | None, ...]
    secret: bool
    """Values from a Secret are among them: then whatever is made may hold one, and is treated as a Secret."""
    hidden: tuple[str, ...]
    """These values, for plans."""
    key: bytes
    keep: bool


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What it made: the outline, and the objects one by one."""

    outline: Outline
    sensitive: bool
    manifests: tuple[bytes, ...]


_MANIFEST = msgspec.msgpack.Decoder(Manifest)


async def current(app: AppIntent, artifact: Artifact, world: World) -> tuple[Render, tuple[Manifest, ...] | None]:
    """What the app's render of this artifact wants, and the manifests where they had to be made or are at hand."""
    renderer = _renderer(app, world)
    found = await values.found(app, world)
    intent = _intent(renderer, app, found, world)
    last = world.board.renders.get(app.ref) or _stored(app, artifact, intent, world)
    with lost.fetched_again(app.ref, app.source, world):
        if (
            last is not None
            and last.intent == intent
            and Tree(world.store, artifact.tree).unchanged(last.outline.reads)
        ):
            return replace(last, revision=artifact.revision, tree=artifact.tree), None
        answer, manifests = await _made(renderer, intent, app, artifact, found, world)
    made = Render(
        intent=intent,
        revision=artifact.revision,
        tree=artifact.tree,
        outline=answer.outline,
        kept=manifests if answer.sensitive or not world.store.remembers else None,
    )
    return made, manifests


async def manifests(app: AppIntent, artifact: Artifact, render: Render, world: World) -> tuple[Manifest, ...]:
    """The manifests of a render that was found unchanged: from memory, from the store, or made again."""
    if render.kept is not None:
        return render.kept
    stored = await to_thread.run_sync(world.store.rendered, render.outline.key)
    if stored is not None:
        return stored
    found = await values.found(app, world)
    with lost.fetched_again(app.ref, app.source, world):
        return (await _made(_renderer(app, world), render.intent, app, artifact, found, world))[1]


def _intent(renderer: Renderer, app: AppIntent, found: Found, world: World) -> Digest:
    parts = [renderer.name, renderer.version, app.spec, *found.known_by(world.store.key())]
    return digest.of_secret(parts, world.store.key()) if _hidden(app, world) else digest.of_value(parts)


def _hidden(app: AppIntent, world: World) -> frozenset[str]:
    """Values from Secrets that stand in the app's own document, as another app rendered it."""
    return world.board.declared[app.ref].hidden


async def _made(
    renderer: Renderer, intent: Digest, app: AppIntent, artifact: Artifact, found: Found, world: World
) -> tuple[Answer, tuple[Manifest, ...]]:
    inherited = _hidden(app, world)
    order = Order(
        app=app.ref,
        renderer=f"{type(renderer).__module__}:{type(renderer).__qualname__}",
        intent=intent,
        tree=artifact.tree,
        spec=dict(app.spec),
        values=tuple(None if data is None else dict(data) for data in found.data),
        secret=bool(found.secrets or inherited),
        hidden=(*found.hidden, *inherited),
        key=world.store.key(),
        keep=world.store.remembers,
    )
    async with world.slots.render:
        reply = await world.ctx.work.run(
            JOB, msgspec.msgpack.encode(order), timeout=world.limits.render_timeout.total_seconds()
        )
    return _read(reply) if len(reply) <= SMALL else await to_thread.run_sync(_read, reply)


def _read(reply: bytes) -> tuple[Answer, tuple[Manifest, ...]]:
    answer = msgspec.msgpack.decode(reply, type=Answer)
    return answer, tuple(map(_MANIFEST.decode, answer.manifests))


def job(payload: bytes, store: Store) -> bytes:
    """Render in a worker process, and store the set where it is to be kept: `Order` in, `Answer` out."""
    order = msgspec.msgpack.decode(payload, type=Order)
    module, _, name = order.renderer.partition(":")
    renderer: Renderer = getattr(importlib.import_module(module), name)()
    tree = Tree(store, order.tree)
    rendered = renderer.render(tree, order.spec, order.values)
    keyed = tuple(_keyed(m, order) if order.secret or m.secret else m for m in rendered.manifests)
    rendered = replace(rendered, manifests=keyed, reads=tree.reads)
    outline = Outline.of(order.intent, rendered)
    sensitive = rendered.sensitive or order.secret
    if order.keep and not sensitive:
        store.keep_rendered(rendered, outline, app=order.app, intent=order.intent)
    objects = tuple(map(msgspec.msgpack.encode, keyed))
    return msgspec.msgpack.encode(Answer(outline=outline, sensitive=sensitive, manifests=objects))


def _keyed(manifest: Manifest, order: Order) -> Manifest:
    """The manifest of an object that may hold secrets."""
    hidden = frozenset(value for value in order.hidden if _holds(manifest.body, value))
    return replace(manifest, digest=digest.of_secret(manifest.body, order.key), hidden=hidden)


def _holds(value: Any, text: str) -> bool:
    if isinstance(value, str):
        return text in value
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return any(_holds(part, text) for part in parts)


def _renderer(app: AppIntent, world: World) -> Renderer:
    renderer = world.registry.renderers.get(app.renderer)
    if renderer is None:
        raise Misconfigured(f"{app.ref}: no plugin renders {app.renderer!r}{world.registry.failures()}")
    return renderer


def _stored(app: AppIntent, artifact: Artifact, intent: Digest, world: World) -> Render | None:
    outline = world.store.outline(app.ref, intent)
    if outline is None:
        return None
    return Render(intent=intent, revision=artifact.revision, tree=artifact.tree, outline=outline)
