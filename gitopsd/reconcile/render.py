"""Tree and intent to manifests, once per content.

A render records everything that it looked at. As long as a newer tree shows the same at those places, under the same intent,
the earlier result stands: no worker process is asked, and none of its objects is read. The worker process also stores what
it made. Sets that hold Secrets are never stored; they are kept in memory. What a render needs
from elsewhere it says instead of an answer; that is fetched, and it is asked again. Large sets are decoded in a thread, object by
object: all at once they would hold the loop up.

Where the store finds content damaged or gone, the artifact leaves service and its source fetches it again; once for each
content in a row, so that a failing disk keeps nobody busy.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
from anyio import to_thread
from msgspec import structs

from gitopsd.model import digest
from gitopsd.model.declared import AppIntent
from gitopsd.model.digest import Digest
from gitopsd.model.errors import Misconfigured, NotReady, Rejected, Transient
from gitopsd.model.identity import ObjectRef
from gitopsd.model.manifest import Manifest, Outline
from gitopsd.model.remote import Remote
from gitopsd.model.tree import Artifact
from gitopsd.plugin.roles import Renderer
from gitopsd.plugin.tree import Objects, RemoteNeeded, Remotes, Tree
from gitopsd.reconcile import values
from gitopsd.reconcile.remotes import MOST, Roots
from gitopsd.reconcile.values import Found
from gitopsd.reconcile.world import Render, World
from gitopsd.store import Store

JOB = "gitopsd.reconcile.render:job"
LOST = frozenset({"ContentDamaged", "ContentMissing"})
SMALL = 64 * 1024
"""Bytes of an answer that the loop decodes itself, in well under a millisecond."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker process is asked to render. `renderer` is `module:Class`, `key` keys the digests of Secrets."""

    app: ObjectRef
    renderer: str
    intent: Digest
    tree: Digest
    remotes: tuple[tuple[Remote, Digest | None], ...] | None
    """What was fetched from elsewhere; None where nothing may be."""
    spec: dict[str, Any]
    values: tuple[dict[str, bytes] | None, ...]
    secret: bool
    """Values from a Secret are among them: then whatever is made may hold one, and is treated as a Secret."""
    hidden: tuple[str, ...]
    """These values, for plans."""
    key: bytes
    keep: bool


class Needed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """It cannot be rendered without what is at these addresses."""

    remotes: tuple[Remote, ...]


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What it made: the outline, and the objects one by one."""

    outline: Outline
    sensitive: bool
    manifests: tuple[bytes, ...]


_ANSWER: msgspec.msgpack.Decoder[Answer | Needed] = msgspec.msgpack.Decoder(Answer | Needed)
_MANIFEST = msgspec.msgpack.Decoder(Manifest)


async def current(
    app: AppIntent, artifact: Artifact, world: World, *, anew: bool = False
) -> tuple[Render, tuple[Manifest, ...] | None]:
    """What the app's render of this artifact wants, and the manifests where they had to be made or are at hand.

    `anew`: what it reads from elsewhere is asked for again.
    """
    renderer = _renderer(app, world)
    last = world.board.renders.get(app.ref)
    found = None
    if last is None or last.intent != await _at_sight(renderer, app, world):
        found = await values.found(app, world)
        last = last or _stored(app, artifact, _intent(renderer, app, found.known_by, world), world)
    wanted = last.outline.remotes if last else ()
    roots = await world.elsewhere.roots(wanted, timedelta() if anew else app.interval / 2)
    with _fetched_again(app, wanted, world):
        same = found is None or (last and last.intent == _intent(renderer, app, found.known_by, world))
        if last and same and _tree(world.store, artifact.tree, roots).unchanged(last.outline.reads):
            hidden = last.hidden if found is None else _all_hidden(found, app, world)
            return replace(last, revision=artifact.revision, tree=artifact.tree, hidden=hidden), None
        found = found or await values.found(app, world)
        intent = _intent(renderer, app, found.known_by, world)
        answer, manifests = await _made(renderer, intent, app, artifact, found, roots, world)
    made = Render(
        intent=intent,
        revision=artifact.revision,
        tree=artifact.tree,
        outline=answer.outline,
        kept=manifests if answer.sensitive or not world.store.remembers else None,
        hidden=_all_hidden(found, app, world),
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
    wanted = render.outline.remotes
    roots = await world.elsewhere.roots(wanted, app.interval)
    with _fetched_again(app, wanted, world):
        return (await _made(_renderer(app, world), render.intent, app, artifact, found, roots, world))[1]


async def _at_sight(renderer: Renderer, app: AppIntent, world: World) -> Digest | None:
    """The intent by what is followed of the values; None where they must be asked for."""
    known = await values.known(app, world)
    return None if known is None else _intent(renderer, app, known, world)


def _intent(renderer: Renderer, app: AppIntent, known: Sequence[Digest], world: World) -> Digest:
    parts = [renderer.name, renderer.version, app.spec, *known]
    return digest.of_secret(parts, world.store.key()) if _hidden(app, world) else digest.of_value(parts)


def _hidden(app: AppIntent, world: World) -> frozenset[str]:
    """Values from Secrets that stand in the app's own document, as another app rendered it."""
    return world.board.declared[app.ref].hidden


def _tree(objects: Objects, root: Digest, roots: Roots | None) -> Tree:
    return Tree(objects, root, remotes=None if roots is None else Remotes(objects, roots))


def _all_hidden(found: Found, app: AppIntent, world: World) -> frozenset[str]:
    return frozenset(found.hidden) | _hidden(app, world)


@contextmanager
def _fetched_again(app: AppIntent, remotes: Iterable[Remote], world: World) -> Iterator[None]:
    """Let the source fetch again what is found lost. Raises `NotReady` then, so that its news wakes the app."""
    try:
        yield
    except Transient as error:
        before = world.board.outcomes.get(app.ref)
        if error.reason not in LOST or (before is not None and str(error) in before.message):
            raise
        world.elsewhere.forget(remotes)
        world.board.artifacts.pop(app.source, None)
        world.wake(app.source, str(error))
        raise NotReady(f"{app.ref}: waits for {app.source}: {error}", reason=error.reason) from error


async def _made(
    renderer: Renderer,
    intent: Digest,
    app: AppIntent,
    artifact: Artifact,
    found: Found,
    roots: Roots | None,
    world: World,
) -> tuple[Answer, tuple[Manifest, ...]]:
    order = _order(renderer, intent, app, artifact, found, world)
    for _ in range(MOST):
        order = structs.replace(order, remotes=None if roots is None else tuple(roots.items()))
        answer, manifests = await _asked(order, world)
        if isinstance(answer, Answer):
            return answer, manifests
        roots = await world.elsewhere.roots({*(roots or ()), *answer.remotes}, app.interval / 2)
    raise Rejected(f"{app.ref}: what it needs from elsewhere leads on and on")


def _order(renderer: Renderer, intent: Digest, app: AppIntent, artifact: Artifact, found: Found, world: World) -> Order:
    inherited = _hidden(app, world)
    return Order(
        app=app.ref,
        renderer=f"{type(renderer).__module__}:{type(renderer).__qualname__}",
        intent=intent,
        tree=artifact.tree,
        remotes=None,
        spec=dict(app.spec),
        values=tuple(None if data is None else dict(data) for data in found.data),
        secret=bool(found.secrets or inherited),
        hidden=(*found.hidden, *inherited),
        key=world.store.key(),
        keep=world.store.remembers,
    )


async def _asked(order: Order, world: World) -> tuple[Answer | Needed, tuple[Manifest, ...]]:
    async with world.slots.render:
        reply = await world.ctx.work.run(
            JOB, msgspec.msgpack.encode(order), timeout=world.limits.render_timeout.total_seconds()
        )
    return _read(reply) if len(reply) <= SMALL else await to_thread.run_sync(_read, reply)


def _read(reply: bytes) -> tuple[Answer | Needed, tuple[Manifest, ...]]:
    answer: Answer | Needed = _ANSWER.decode(reply)
    return answer, tuple(map(_MANIFEST.decode, answer.manifests)) if isinstance(answer, Answer) else ()


def job(payload: bytes, store: Store) -> bytes:
    """Render in a worker process, and store the set where it is to be kept: `Order` in, `Answer` or `Needed` out."""
    order = msgspec.msgpack.decode(payload, type=Order)
    module, _, name = order.renderer.partition(":")
    renderer: Renderer = getattr(importlib.import_module(module), name)()
    tree = _tree(store, order.tree, None if order.remotes is None else dict(order.remotes))
    try:
        rendered = renderer.render(tree, order.spec, order.values)
    except RemoteNeeded as needed:
        return msgspec.msgpack.encode(Needed(remotes=needed.remotes))
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
