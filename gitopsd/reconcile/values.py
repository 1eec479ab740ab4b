"""The values that a render asks for, looked up anew each time: among the declared files and secrets first, then in the target.

They travel to the worker process as plain values and take part in what the render is known by, through a keyed digest, so
that nothing can be guessed from it. What comes from a Secret is masked in the log from the moment that it is read. What was
read from a target is told to the world, with a keyed digest of it: whoever follows it there wakes the app when it changes.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gitopsd.model import digest
from gitopsd.model.change import Live
from gitopsd.model.declared import AppIntent, ValuesRef
from gitopsd.model.digest import Digest
from gitopsd.model.errors import Misconfigured, NotReady, Rejected
from gitopsd.model.identity import ResourceId
from gitopsd.plugin.context import UNREADABLE
from gitopsd.plugin.roles import Target, Values
from gitopsd.reconcile.world import World

MISSING = "ValuesNotFound"
VERSION = "v1"
"""Of ConfigMaps and Secrets."""
Looked = dict[tuple[str, ResourceId], Digest]
"""What was asked of a cluster, by its name, and what it held there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the references of an app hold now, in their order; None for an optional one that is not there."""

    data: tuple[Values | None, ...] = field(default=(), repr=False)
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    """The values among them that come from a Secret."""

    @property
    def hidden(self) -> tuple[str, ...]:
        """The values from Secrets, as they are put into objects."""
        texts = {value.decode("utf-8", "replace").replace("\n", "") for value in self.secrets}
        return tuple(sorted(texts - {""}))

    known_by: tuple[Digest, ...] = ()
    """What stands for the values in a cache key: keyed digests, one for each reference."""


async def found(app: AppIntent, world: World, looked: Looked) -> Found:
    """Look up every reference of the app. Raises `NotReady` for a missing one that is not optional, naming its field.

    What is asked of a target is noted in `looked`.
    """
    pairs = [await one(ref, app, world, looked) for ref in app.values]
    given = zip(app.values, pairs, strict=True)
    secrets = tuple(value for ref, (values, _) in given if ref.secret and values for value in values.values())
    return Found(data=tuple(data for data, _ in pairs), secrets=secrets, known_by=tuple(known for _, known in pairs))


async def known(refs: Sequence[ValuesRef], app: AppIntent, world: World) -> tuple[Digest, ...] | None:
    """What stands for what they hold, without a request; None where something is out of sight, or not there."""
    seen = [await _seen(ref, app, world) for ref in refs]
    return None if None in seen else tuple(one for one in seen if one is not None)


async def _seen(ref: ValuesRef, app: AppIntent, world: World) -> Digest | None:
    data, _ = await _declared(ref, world)
    if data is not None:
        return _known(data, world)
    target = await world.target(app)
    return world.lookups.seen(target.access.cluster, _id(ref))


def _known(data: Values, world: World) -> Digest:
    return digest.of_secret({name: data[name].hex() for name in data}, world.store.key())


def held(live: Live | None, key: bytes) -> Digest:
    """What stands for all that a render could read of a ConfigMap or Secret in a target."""
    return digest.of_secret(None if live is None else live.body.get("data"), key)


async def _declared(ref: ValuesRef, world: World) -> tuple[Values | None, str]:
    """What the declared files and secrets hold; None with the reason where it is not among them."""
    look = world.ctx.credentials.secret if ref.secret else world.ctx.credentials.config
    try:
        return await look(ref.namespace, ref.name), ""
    except NotReady as error:
        if error.reason == UNREADABLE:
            raise
        return None, str(error)


async def one(ref: ValuesRef, app: AppIntent, world: World, looked: Looked) -> tuple[Values | None, Digest]:
    """What this reference holds, None for an optional one that is not there, and what stands for it. Raises and notes as `found`."""
    data, missing = await _declared(ref, world)
    if data is not None:
        return data, _known(data, world)
    target = await world.target(app)
    live = await _in_target(ref, app, target)
    looked[target.access.cluster, _id(ref)] = known = held(live, world.store.key())
    data = None if live is None else _data(live, ref)
    if data is None and not ref.optional:
        where = f"there is none in {target.access.cluster} either"
        raise NotReady(f"{app.ref}: {ref.field}: {missing}; {where}", reason=MISSING)
    for value in (data or {}).values() if ref.secret else ():
        world.ctx.conceal(value)
    return data, known


async def _in_target(ref: ValuesRef, app: AppIntent, target: Target) -> Live | None:
    try:
        return (await target.observe({(_id(ref), VERSION)})).get(_id(ref))
    except Rejected as error:
        raise Rejected(f"{app.ref}: {ref.field}: {ref} cannot be read: {error}", reason=error.reason) from error


def _id(ref: ValuesRef) -> ResourceId:
    return ResourceId(group="", kind=ref.kind, namespace=ref.namespace, name=ref.name)


def _data(live: Live, ref: ValuesRef) -> Values:
    data = live.body.get("data")
    texts = {key: value for key, value in data.items() if isinstance(value, str)} if isinstance(data, Mapping) else {}
    return _decoded(texts, ref) if ref.secret else {key: value.encode() for key, value in texts.items()}


def _decoded(texts: Mapping[str, str], ref: ValuesRef) -> Values:
    try:
        return {key: base64.b64decode(value, validate=True) for key, value in texts.items()}
    except binascii.Error as error:
        raise Misconfigured(f"{ref}: its data is not base64") from error
