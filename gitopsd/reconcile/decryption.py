"""How an app's encrypted files are opened: its own decryption, or that of the settings for all apps; keys anew at each use.

Keys take part in what a render is known by, through a keyed digest: another key renders anew, without a restart. What only a
service can open is asked for here, in the daemon, since a worker process has no `Context`: with what the app's Secrets hold, else
as its service account, and as gitopsd itself only for keys that the settings name, since any file may name any key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitopsd.model.declared import AppIntent, Decryption, ValuesRef
from gitopsd.model.digest import Digest
from gitopsd.model.errors import GitopsdError, Misconfigured, NotReady
from gitopsd.plugin.cloud.account import Account
from gitopsd.plugin.decryption import Answers, Asker, Decryptor, Keys, Lock
from gitopsd.plugin.roles import Values
from gitopsd.reconcile import values
from gitopsd.reconcile.values import Looked
from gitopsd.reconcile.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What opens an app's files now."""

    decryptor: Decryptor
    keys: tuple[Keys, ...] = field(default=(), repr=False)
    asking: tuple[Keys, ...] = field(default=(), repr=False)
    """Those of them with which services are asked, before the account is tried."""
    account: Account | None = None
    verify: bool = True
    known_by: tuple[str, ...] = ()
    """What stands for it in a cache key: nothing can be guessed from it."""


def effective(own: Decryption | None, shared: Decryption) -> Decryption | None:
    """The app's own where it has one, else that of the settings; None where neither asks for any. Pure."""
    how = own if own is not None and own.provider else shared
    verify = shared.verify if own is None or own.verify is None else own.verify
    return replace(how, verify=verify, account=how.account or shared.account) if how.provider else None


async def found(app: AppIntent, world: World, looked: Looked) -> Opening | None:
    """What opens the app's files; None where nothing is to be opened. Raises `NotReady` for a missing Secret of the app's own.

    What is asked of a target is noted in `looked`.
    """
    how = effective(app.decryption, world.decryption)
    if how is None:
        return None
    decryptor, refs = _decryptor(how, app, world), _refs(how, world.decryption)
    pairs = [await values.one(ref, app, world, looked) for ref in refs]
    keys = tuple(_keys(ref, held) for ref, (held, _) in zip(refs, pairs, strict=True))
    alone = app.decryption is not None and app.decryption.account  # then what is there for all apps is not asked with
    return Opening(
        decryptor=decryptor,
        keys=keys,
        asking=keys[: bool(how.keys)] if alone else keys,
        account=Account(namespace=app.ref.namespace, name=how.account) if how.account else None,
        verify=how.verify is not False,
        known_by=_known_by(decryptor, how, [known for _, known in pairs]),
    )


async def known(app: AppIntent, world: World) -> tuple[str, ...] | None:
    """The same as `Opening.known_by`, without a request; None where a key is out of sight, or not there."""
    how = effective(app.decryption, world.decryption)
    if how is None:
        return ()
    seen = await values.known(_refs(how, world.decryption), app, world)
    return None if seen is None else _known_by(_decryptor(how, app, world), how, seen)


def _known_by(decryptor: Decryptor, how: Decryption, keys: Sequence[str]) -> tuple[str, ...]:
    return (decryptor.name, decryptor.version, str(how.verify is not False), how.account, *keys)


def _decryptor(how: Decryption, app: AppIntent, world: World) -> Decryptor:
    decryptor = world.registry.decryptors.get(how.provider)
    if decryptor is None:
        served = ", ".join(sorted(world.registry.decryptors)) or "none"
        raise Misconfigured(
            f"{app.ref}: no plugin decrypts {how.provider!r} (there is {served}){world.registry.failures()}"
        )
    return decryptor


def _refs(how: Decryption, shared: Decryption) -> Sequence[ValuesRef]:
    """The app's own keys are tried before those for all."""
    found = (how.keys, shared.keys if shared.provider == how.provider else None)
    return tuple(dict.fromkeys(ref for ref in found if ref is not None))


def _keys(ref: ValuesRef, held: Values | None) -> Keys:
    """The keys for all apps may be missing: the message about a file that cannot be opened says so."""
    return Keys(place=f"{ref} (not found)", values={}) if held is None else Keys(place=str(ref), values=held)


async def unlocked(locks: Sequence[Lock], opening: Opening, world: World) -> Answers:
    """What services say to these locks. What is in the way of one is said in words: another key may open the file all the same."""
    asker = Asker(keys=opening.asking, account=opening.account, own=world.trust.own, settings=await _settings(world))
    opened: dict[Digest, bytes] = {}
    refused: dict[Digest, str] = {}
    for lock in locks:
        try:
            opened[lock.id] = await _opened(lock, asker, world)
        except GitopsdError as error:
            refused[lock.id] = str(error)
    return Answers(opened=opened, refused=refused)


async def _opened(lock: Lock, asker: Asker, world: World) -> bytes:
    service = world.registry.key_services.get(lock.sort)
    if service is None:
        served = ", ".join(sorted(world.registry.key_services)) or "none"
        raise Misconfigured(f"no plugin asks services of this sort (there are {served}){world.registry.failures()}")
    return await service.open(lock, asker, world.ctx)


async def _settings(world: World) -> Mapping[str, bytes]:
    """What the operator says about services. From the home only: whoever can write to a cluster may not say whom to trust."""
    named = world.trust.settings
    if named is None:
        return {}
    try:
        return await world.ctx.credentials.config(named.namespace, named.name)
    except NotReady as error:
        raise Misconfigured(f"Settings decryption.configMap: {error}", reason="DecryptionFailed") from error
