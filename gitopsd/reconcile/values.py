"""The values that a render asks for, looked up anew each time: among the declared files and secrets first, then in the target.

They travel to the worker process as plain values and take part in what the render is known by, through a keyed digest, so
that nothing can be guessed from it. What comes from a Secret is masked in the log from the moment that it is read.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

from gitopsd.model import digest
from gitopsd.model.declared import AppIntent, ValuesRef
from gitopsd.model.errors import Misconfigured, NotReady, Rejected
from gitopsd.model.identity import ResourceId
from gitopsd.plugin.context import UNREADABLE
from gitopsd.plugin.roles import Target, Values
from gitopsd.reconcile.world import World

MISSING = "ValuesNotFound"
LEAST_HIDDEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the references of an app hold now, in their order; None for an optional one that is not there."""

    data: tuple[Values | None, ...] = field(default=(), repr=False)
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    """The values among them that come from a Secret."""

    @property
    def hidden(self) -> tuple[str, ...]:
        """The values from Secrets that are long enough to be told from words, as they are put into objects."""
        texts = (value.decode("utf-8", "replace").replace("\n", "") for value in self.secrets)
        return tuple(sorted({text for text in texts if len(text) >= LEAST_HIDDEN}))

    def known_by(self, key: bytes) -> tuple[str, ...]:
        """What stands for the values in a cache key; nothing where none are asked for."""
        plain = [None if data is None else {name: data[name].hex() for name in data} for data in self.data]
        return (digest.of_secret(plain, key),) if plain else ()


async def found(app: AppIntent, world: World) -> Found:
    """Look up every reference of the app. Raises `NotReady` for a missing one that is not optional, naming its field."""
    data = [await one(ref, app, world) for ref in app.values]
    pairs = zip(app.values, data, strict=True)
    secrets = tuple(value for ref, values in pairs if ref.secret and values for value in values.values())
    return Found(data=tuple(data), secrets=secrets)


async def one(ref: ValuesRef, app: AppIntent, world: World) -> Values | None:
    """What this reference holds; None for an optional one that is not there. Raises as `found`."""
    look = world.ctx.credentials.secret if ref.secret else world.ctx.credentials.config
    try:
        return await look(ref.namespace, ref.name)
    except NotReady as error:
        if error.reason == UNREADABLE:
            raise
        missing = str(error)
    target = await world.target(app)
    data = await _in_target(ref, app, target)
    if data is None and not ref.optional:
        where = f"there is none in {target.access.cluster} either"
        raise NotReady(f"{app.ref}: {ref.field}: {missing}; {where}", reason=MISSING)
    for value in (data or {}).values() if ref.secret else ():
        world.ctx.conceal(value)
    return data


async def _in_target(ref: ValuesRef, app: AppIntent, target: Target) -> Values | None:
    identity = ResourceId(group="", kind=ref.kind, namespace=ref.namespace, name=ref.name)
    try:
        live = (await target.observe({(identity, "v1")})).get(identity)
    except Rejected as error:
        raise Rejected(f"{app.ref}: {ref.field}: {ref} cannot be read: {error}", reason=error.reason) from error
    if live is None:
        return None
    data = live.body.get("data")
    texts = {key: value for key, value in data.items() if isinstance(value, str)} if isinstance(data, Mapping) else {}
    return _decoded(texts, ref) if ref.secret else {key: value.encode() for key, value in texts.items()}


def _decoded(texts: Mapping[str, str], ref: ValuesRef) -> Values:
    try:
        return {key: base64.b64decode(value, validate=True) for key, value in texts.items()}
    except binascii.Error as error:
        raise Misconfigured(f"{ref}: its data is not base64") from error
