"""Services that keep a key to themselves and open what was sealed with it, asked over plain HTTP.

Only those are asked for which the app's Secrets hold credentials: a file in a repository can name any address, and must not
bring anybody's token there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from gitopsd.plugin import Context, Lock
from gitopsd_plugins.sops.keyring import Key
from gitopsd_plugins.sops.services import vault

_BY_SORT: Mapping[str, Callable[[Lock, Key, Context], Awaitable[bytes]]] = {"hc_vault": vault.opened}


async def opened(lock: Lock, key: Key, ctx: Context) -> bytes:
    """The data key or share behind the lock. Raises `Rejected` and `Transient` naming service and key."""
    return await _BY_SORT[lock.sort](lock, key, ctx)
