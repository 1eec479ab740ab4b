"""One render in a worker process: what it is asked, what it answers, and what it does in between.

It has no network: what it needs from services (keys) or from other places (remote resources) it says instead of an answer, and is
asked again with it. It also stores what it made, unless that holds Secrets or what was encrypted.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from gitopsd.model import digest
from gitopsd.model.digest import Digest
from gitopsd.model.identity import ObjectRef
from gitopsd.model.manifest import Manifest, Outline
from gitopsd.model.remote import Remote
from gitopsd.plugin.decryption import Lock, Locked
from gitopsd.plugin.roles import Renderer
from gitopsd.plugin.tree import RemoteNeeded, Remotes, Tree
from gitopsd.reconcile import unsealing
from gitopsd.reconcile.unsealing import Unseal, Unsealing
from gitopsd.store import Store

JOB = "gitopsd.reconcile.rendering:job"


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


class Needed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Nothing yet: it cannot be rendered without what is at these addresses."""

    remotes: tuple[Remote, ...]


_REPLY: msgspec.msgpack.Decoder[Answer | Waiting | Needed] = msgspec.msgpack.Decoder(Answer | Waiting | Needed)
_MANIFEST = msgspec.msgpack.Decoder(Manifest)


def read(reply: bytes) -> tuple[Answer | Waiting | Needed, tuple[Manifest, ...]]:
    """What a worker process answered, with the objects of an `Answer`."""
    answer = _REPLY.decode(reply)
    return answer, tuple(map(_MANIFEST.decode, answer.manifests)) if isinstance(answer, Answer) else ()


def job(payload: bytes, store: Store) -> bytes:
    """Render in a worker process, and store the set where it is to be kept: `Order` in, `Answer`, `Waiting` or `Needed` out."""
    order = msgspec.msgpack.decode(payload, type=Order)
    overlay = Unsealing(order.unseal) if order.unseal else None
    try:
        with unsealing.discreet(order.hidden, overlay):
            return msgspec.msgpack.encode(_rendered(order, overlay, store))
    except Locked as locked:
        assert overlay is not None  # else nothing is locked
        found = (*locked.locks, *overlay.locks_beside(Tree(store, order.tree)))
        return msgspec.msgpack.encode(Waiting(locks=tuple({lock.id: lock for lock in found}.values())))
    except RemoteNeeded as needed:
        return msgspec.msgpack.encode(Needed(remotes=needed.remotes))


def _rendered(order: Order, overlay: Unsealing | None, store: Store) -> Answer:
    module, _, name = order.renderer.partition(":")
    renderer: Renderer = getattr(importlib.import_module(module), name)()
    elsewhere = None if order.remotes is None else Remotes(store, dict(order.remotes))
    tree = Tree(store, order.tree, reveal=overlay.reveal if overlay else None, remotes=elsewhere)
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
    """The texts that were encrypted, but for what stands in names of objects."""
    names = unsealing.named(manifests)
    return [text for text in sorted(overlay.values) if text and text not in names] if overlay else []


def _keyed(manifest: Manifest, key: bytes, hidden: Sequence[str]) -> Manifest:
    """The manifest of an object that may hold secrets."""
    texts = "\0".join(_texts(manifest.body)) if hidden else ""
    known = frozenset(value for value in hidden if value in texts)
    return replace(manifest, digest=digest.of_secret(manifest.body, key), hidden=known)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str | int | float):
        yield str(value)
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from _texts(part)
