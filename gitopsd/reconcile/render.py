"""Tree and intent to manifests, once per content.

A render records everything that it looked at. As long as a newer tree shows the same at those places, under the same intent,
the earlier result stands: no worker process is asked, and none of its objects is read. Sets that hold Secrets, or what was
encrypted, are never stored; they are kept in memory. What a render needs from services or from elsewhere it says instead of an
answer; that is asked for, and it is asked again. Large sets are decoded in a thread, object by object: all at once they would hold
the loop up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import msgspec
from anyio import to_thread
from msgspec import structs

from gitopsd.model import digest
from gitopsd.model.declared import AppIntent
from gitopsd.model.digest import Digest
from gitopsd.model.errors import Misconfigured, Rejected
from gitopsd.model.manifest import Manifest
from gitopsd.model.masking import MIN_LENGTH
from gitopsd.model.tree import Artifact
from gitopsd.plugin.roles import Renderer
from gitopsd.plugin.tree import Objects, Remotes, Tree
from gitopsd.reconcile import decryption, lost, rendering, values
from gitopsd.reconcile.decryption import Opening
from gitopsd.reconcile.remotes import Roots
from gitopsd.reconcile.rendering import Answer, Needed, Order, Waiting
from gitopsd.reconcile.unsealing import Unseal
from gitopsd.reconcile.values import Found, Looked
from gitopsd.reconcile.world import Render, World

MAX_ROUNDS = 1000
"""Times that one render may begin again, since services had to be asked for keys, or other places for content."""
SMALL = 64 * 1024
"""Bytes of an answer that the loop decodes itself, in well under a millisecond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """An app's values, and what opens its files."""

    values: Found
    opening: Opening | None

    @property
    def known_by(self) -> tuple[str, ...]:
        """What stands for them in a cache key."""
        return (*self.values.known_by, *(self.opening.known_by if self.opening else ()))


async def current(
    app: AppIntent, artifact: Artifact, world: World, *, anew: bool = False
) -> tuple[Render, tuple[Manifest, ...] | None]:
    """What the app's render of this artifact wants, and the manifests where they had to be made or are at hand.

    `anew`: what it reads from elsewhere is asked for again.
    """
    renderer = _renderer(app, world)
    last, given = world.board.renders.get(app.ref), None
    if last is None or last.intent != await _at_sight(renderer, app, world):
        given = await _looked_up(app, world)
        last = last or _stored(app, artifact, _intent(renderer, app, given.known_by, world), world)
    wanted = last.outline.remotes if last else ()
    roots = await world.elsewhere.roots(wanted, timedelta() if anew else app.interval / 2)
    with lost.fetched_again(app.ref, [app.source], world, wanted):
        same = given is None or (last and last.intent == _intent(renderer, app, given.known_by, world))
        if last and same and _tree(world.store, artifact.tree, roots).unchanged(last.outline.reads):
            hidden = last.hidden if given is None else _all_hidden(given, app, world)
            return replace(last, revision=artifact.revision, tree=artifact.tree, hidden=hidden), None
        given = given or await _looked_up(app, world)
        order = _order(renderer, _intent(renderer, app, given.known_by, world), app, artifact, given, world)
        answer, manifests = await _made(order, app, given.opening, roots, world)
    made = Render(
        intent=order.intent,
        revision=artifact.revision,
        tree=artifact.tree,
        outline=answer.outline,
        kept=manifests if answer.sensitive or not world.store.remembers else None,
        hidden=_all_hidden(given, app, world),
    )
    return made, manifests


async def manifests(app: AppIntent, artifact: Artifact, render: Render, world: World) -> tuple[Manifest, ...]:
    """The manifests of a render that was found unchanged: from memory, from the store, or made again."""
    if render.kept is not None:
        return render.kept
    stored = await to_thread.run_sync(world.store.rendered, render.outline.key)
    if stored is not None:
        return stored
    given = await _looked_up(app, world)
    wanted = render.outline.remotes
    roots = await world.elsewhere.roots(wanted, app.interval)
    with lost.fetched_again(app.ref, [app.source], world, wanted):
        order = _order(_renderer(app, world), render.intent, app, artifact, given, world)
        return (await _made(order, app, given.opening, roots, world))[1]


async def _looked_up(app: AppIntent, world: World) -> _Given:
    """What was asked of a cluster for them is followed there, even where something is missing."""
    looked: Looked = {}
    try:
        return _Given(values=await values.found(app, world, looked), opening=await decryption.found(app, world, looked))
    finally:
        world.lookups.note(app.ref, looked)


async def _at_sight(renderer: Renderer, app: AppIntent, world: World) -> Digest | None:
    """The intent by what is followed of the values and keys; None where they must be asked for."""
    held, keys = await values.known(app.values, app, world), await decryption.known(app, world)
    return None if held is None or keys is None else _intent(renderer, app, (*held, *keys), world)


def _intent(renderer: Renderer, app: AppIntent, known: Sequence[str], world: World) -> Digest:
    parts = [renderer.name, renderer.version, app.spec, *known]
    return digest.of_secret(parts, world.store.key()) if _hidden(app, world) else digest.of_value(parts)


def _hidden(app: AppIntent, world: World) -> frozenset[str]:
    """Values from Secrets that stand in the app's own document, as another app rendered it."""
    return world.board.declared[app.ref].hidden


def _all_hidden(given: _Given, app: AppIntent, world: World) -> frozenset[str]:
    return frozenset(given.values.hidden) | _hidden(app, world)


def _tree(objects: Objects, root: Digest, roots: Roots | None) -> Tree:
    return Tree(objects, root, remotes=None if roots is None else Remotes(objects, roots))


async def _made(
    order: Order, app: AppIntent, opening: Opening | None, roots: Roots | None, world: World
) -> tuple[Answer, tuple[Manifest, ...]]:
    for _ in range(MAX_ROUNDS):
        order = structs.replace(order, remotes=None if roots is None else tuple(roots.items()))
        match await _asked(order, world):
            case Answer() as answer, manifests:
                _conceal(answer.concealed, app, world)
                return answer, manifests
            case Needed(remotes=needed), _:
                roots = await world.elsewhere.roots({*(roots or ()), *needed}, app.interval / 2)
            case Waiting(locks=locks), _:
                assert opening is not None  # else nothing is locked
                assert order.unseal is not None  # as above
                more = await decryption.unlocked(locks, opening, world)
                order = structs.replace(order, unseal=replace(order.unseal, answers=order.unseal.answers | more))
    raise Rejected(f"{app.ref}: what it needs from services and other places leads on and on")


def _order(
    renderer: Renderer, intent: Digest, app: AppIntent, artifact: Artifact, given: _Given, world: World
) -> Order:
    found = given.values
    inherited = _hidden(app, world)
    return Order(
        app=app.ref,
        renderer=_named(renderer),
        intent=intent,
        tree=artifact.tree,
        remotes=None,
        spec=dict(app.spec),
        values=tuple(None if data is None else dict(data) for data in found.data),
        secret=bool(found.secrets or inherited),
        hidden=(*found.hidden, *inherited),
        key=world.store.key(),
        keep=world.store.remembers,
        unseal=_unseal(given.opening),
        decryptors=tuple(map(_named, world.registry.decryptors.values())),
    )


def _conceal(values: Sequence[bytes], app: AppIntent, world: World) -> None:
    """Have them masked from now on: long ones everywhere, short ones in what is said of the app.

    A word in the name of a declared object is no secret, and messages are made of such names.
    """
    names = "\0".join(map(str, world.board.declared)).encode()
    found = [value for value in values if value not in names]
    for value in found:
        world.ctx.conceal(value)
    short = frozenset(value.decode("utf-8", "replace") for value in found if len(value) < MIN_LENGTH)
    world.board.short[app.ref] = short


async def _asked(order: Order, world: World) -> tuple[Answer | Waiting | Needed, tuple[Manifest, ...]]:
    async with world.slots.render:
        reply = await world.ctx.work.run(
            rendering.JOB, msgspec.msgpack.encode(order), timeout=world.limits.render_timeout.total_seconds()
        )
    return rendering.read(reply) if len(reply) <= SMALL else await to_thread.run_sync(rendering.read, reply)


def _unseal(opening: Opening | None) -> Unseal | None:
    if opening is None:
        return None
    return Unseal(decryptor=_named(opening.decryptor), keys=opening.keys, verify=opening.verify)


def _named(made: object) -> str:
    """How a worker process finds the class of this object."""
    return f"{type(made).__module__}:{type(made).__qualname__}"


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
