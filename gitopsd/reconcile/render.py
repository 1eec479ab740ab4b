"""Tree and intent to manifests, once per content.

A render records everything that it looked at. As long as a newer tree shows the same at those places, under the same intent,
the earlier result stands: no worker process is asked, and none of its objects is read. The worker process also stores what
it made. Sets that hold Secrets, or what was encrypted, are never stored; they are kept in memory. Large sets are decoded in a thread, object by
object: all at once they would hold the loop up.

Where the store finds content damaged or gone, the artifact leaves service and its source fetches it again; once for each
content in a row, so that a failing disk keeps nobody busy.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec
from anyio import to_thread

from gitopsd.model import digest
from gitopsd.model.declared import AppIntent
from gitopsd.model.digest import Digest
from gitopsd.model.errors import Misconfigured, NotReady, Transient
from gitopsd.model.identity import ObjectRef
from gitopsd.model.manifest import Manifest, Outline
from gitopsd.model.tree import Artifact
from gitopsd.plugin.decryption import Lock, Locked
from gitopsd.plugin.roles import Renderer
from gitopsd.plugin.tree import Tree
from gitopsd.reconcile import decryption, unsealing, values
from gitopsd.reconcile.decryption import Opening
from gitopsd.reconcile.unsealing import Unseal, Unsealing
from gitopsd.reconcile.values import Found
from gitopsd.reconcile.world import Render, World
from gitopsd.store import Store

JOB = "gitopsd.reconcile.render:job"
LOST = frozenset({"ContentDamaged", "ContentMissing"})
MAX_ROUNDS = 1000
"""Times that one render may begin again since services had to be asked for keys."""
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
    unseal: Unseal | None
    decryptors: tuple[str, ...]
    """All that there are, as `module:Class`."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What it made: the outline, and the objects one by one. `concealed` are the values in them that are secret."""

    outline: Outline
    sensitive: bool
    manifests: tuple[bytes, ...]
    concealed: tuple[bytes, ...]


class Waiting(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Nothing yet: services have to be asked first."""

    locks: tuple[Lock, ...]


_MANIFEST = msgspec.msgpack.Decoder(Manifest)


async def current(app: AppIntent, artifact: Artifact, world: World) -> tuple[Render, tuple[Manifest, ...] | None]:
    """What the app's render of this artifact wants, and the manifests where they had to be made or are at hand."""
    renderer = _renderer(app, world)
    found, opening = await values.found(app, world), await decryption.found(app, world)
    intent = _intent(renderer, app, found, opening, world)
    last = world.board.renders.get(app.ref) or _stored(app, artifact, intent, world)
    with _fetched_again(app, world):
        if (
            last is not None
            and last.intent == intent
            and Tree(world.store, artifact.tree).unchanged(last.outline.reads)
        ):
            return replace(last, revision=artifact.revision, tree=artifact.tree), None
        answer, manifests = await _made(renderer, intent, app, artifact, found, opening, world)
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
    found, opening = await values.found(app, world), await decryption.found(app, world)
    with _fetched_again(app, world):
        return (await _made(_renderer(app, world), render.intent, app, artifact, found, opening, world))[1]


def _intent(renderer: Renderer, app: AppIntent, found: Found, opening: Opening | None, world: World) -> Digest:
    key = world.store.key()
    parts = [
        renderer.name,
        renderer.version,
        app.spec,
        *found.known_by(key),
        *(opening.known_by(key) if opening else ()),
    ]
    return digest.of_secret(parts, world.store.key()) if _hidden(app, world) else digest.of_value(parts)


def _hidden(app: AppIntent, world: World) -> frozenset[str]:
    """Values from Secrets that stand in the app's own document, as another app rendered it."""
    return world.board.declared[app.ref].hidden


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


async def _made(
    renderer: Renderer,
    intent: Digest,
    app: AppIntent,
    artifact: Artifact,
    found: Found,
    opening: Opening | None,
    world: World,
) -> tuple[Answer, tuple[Manifest, ...]]:
    inherited = _hidden(app, world)
    order = Order(
        app=app.ref,
        renderer=_named(renderer),
        intent=intent,
        tree=artifact.tree,
        spec=dict(app.spec),
        values=tuple(None if data is None else dict(data) for data in found.data),
        secret=bool(found.secrets or inherited),
        hidden=(*found.hidden, *inherited),
        key=world.store.key(),
        keep=world.store.remembers,
        unseal=_unseal(opening),
        decryptors=tuple(map(_named, world.registry.decryptors.values())),
    )
    for _ in range(MAX_ROUNDS):
        reply = await _asked(order, world)
        answer, manifests = _read(reply) if len(reply) <= SMALL else await to_thread.run_sync(_read, reply)
        if isinstance(answer, Answer):
            _conceal(answer.concealed, world)
            return answer, manifests
        assert opening is not None  # else nothing is locked
        assert order.unseal is not None  # as above
        more = await decryption.unlocked(answer.locks, opening, world)
        unseal = replace(order.unseal, unlocked={**order.unseal.unlocked, **more})
        order = msgspec.structs.replace(order, unseal=unseal)
    raise Misconfigured(f"{app.ref}: its files are encrypted with more than {MAX_ROUNDS} keys that services keep")


def _conceal(values: Sequence[bytes], world: World) -> None:
    """Have them masked from now on; a word in the name of a declared object is no secret, and messages are made of such names."""
    names = "\0".join(map(str, world.board.declared)).encode()
    for value in values:
        if value not in names:
            world.ctx.conceal(value)


async def _asked(order: Order, world: World) -> bytes:
    async with world.slots.render:
        return await world.ctx.work.run(
            JOB, msgspec.msgpack.encode(order), timeout=world.limits.render_timeout.total_seconds()
        )


def _unseal(opening: Opening | None) -> Unseal | None:
    if opening is None:
        return None
    return Unseal(decryptor=_named(opening.decryptor), keys=opening.keys, verify=opening.verify)


def _named(made: object) -> str:
    """How a worker process finds the class of this object."""
    return f"{type(made).__module__}:{type(made).__qualname__}"


def _read(reply: bytes) -> tuple[Answer | Waiting, tuple[Manifest, ...]]:
    answer = msgspec.msgpack.decode(reply, type=Answer | Waiting)
    return answer, tuple(map(_MANIFEST.decode, answer.manifests)) if isinstance(answer, Answer) else ()


def job(payload: bytes, store: Store) -> bytes:
    """Render in a worker process, and store the set where it is to be kept: `Order` in, `Answer` or `Waiting` out."""
    order = msgspec.msgpack.decode(payload, type=Order)
    overlay = Unsealing(order.unseal) if order.unseal else None
    try:
        with unsealing.discreet(order.hidden, overlay):
            return msgspec.msgpack.encode(_rendered(order, overlay, store))
    except Locked as locked:
        assert overlay is not None  # else nothing is locked
        found = (*locked.locks, *overlay.locks_beside(Tree(store, order.tree)))
        return msgspec.msgpack.encode(Waiting(locks=tuple({lock.id: lock for lock in found}.values())))


def _rendered(order: Order, overlay: Unsealing | None, store: Store) -> Answer:
    module, _, name = order.renderer.partition(":")
    renderer: Renderer = getattr(importlib.import_module(module), name)()
    tree = Tree(store, order.tree, reveal=overlay.reveal if overlay else None)
    rendered = renderer.render(tree, order.spec, order.values)
    manifests = tuple(map(overlay.revealed, rendered.manifests)) if overlay else rendered.manifests
    unsealing.refuse_sealed(manifests, order.decryptors)
    secret = order.secret or (overlay is not None and overlay.used)
    hidden = (*order.hidden, *_telling(overlay, manifests))
    keyed = tuple(_keyed(m, order.key, hidden) if secret or m.secret else m for m in manifests)
    rendered = replace(rendered, manifests=keyed, reads=tree.reads)
    outline = Outline.of(order.intent, rendered)
    sensitive = rendered.sensitive or secret
    if order.keep and not sensitive:
        store.keep_rendered(rendered, outline, app=order.app, intent=order.intent)
    return Answer(
        outline=outline,
        sensitive=sensitive,
        manifests=tuple(map(msgspec.msgpack.encode, keyed)),
        concealed=(*unsealing.secrets_in(keyed), *(value.encode("utf-8", "surrogatepass") for value in hidden)),
    )


def _telling(overlay: Unsealing | None, manifests: Sequence[Manifest]) -> list[str]:
    """The texts that were encrypted, but for short words and for what stands in names of objects."""
    names = unsealing.named(manifests)
    found = sorted(overlay.values) if overlay else ()
    return [text for text in found if len(text) >= values.LEAST_HIDDEN and text not in names]


def _keyed(manifest: Manifest, key: bytes, hidden: Sequence[str]) -> Manifest:
    """The manifest of an object that may hold secrets."""
    texts = "\0".join(_texts(manifest.body)) if hidden else ""
    known = frozenset(value for value in hidden if value in texts)
    return replace(manifest, digest=digest.of_secret(manifest.body, key), hidden=known)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from _texts(part)


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
