"""Services that keep a key to themselves and open what was sealed with it, asked over plain HTTP.

Only those are asked for which the app's Secrets hold credentials. A file in a repository can name any address: where the
Secret lists addresses no other is asked, and a token for Azure goes to Azure's own domains only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from gitopsd.plugin import Context, Lock, Rejected
from gitopsd_plugins.sops.keyring import ADDRESSES, Key
from gitopsd_plugins.sops.services import aws, azure, gcp, vault
from gitopsd_plugins.sops.services.call import FAILED

_BY_SORT: Mapping[str, Callable[[Lock, Key, Context], Awaitable[bytes]]] = {
    "hc_vault": vault.opened,
    "kms": aws.opened,
    "gcp_kms": gcp.opened,
    "azure_kv": azure.opened,
}
_ADDRESS = {"hc_vault": "vault_address", "azure_kv": "vault_url"}
"""Where a file names the address itself."""


async def opened(lock: Lock, key: Key, addresses: Sequence[str], ctx: Context) -> bytes:
    """The data key or share behind the lock. Raises `Rejected` and `Transient` naming service and key."""
    if (field := _ADDRESS.get(lock.sort)) is not None:
        _check(
            lock.fields.get(field, "").rstrip("/"), key, addresses, own=azure.DOMAINS if field == "vault_url" else ()
        )
    return await _BY_SORT[lock.sort](lock, key, ctx)


def _check(address: str, key: Key, addresses: Sequence[str], own: Sequence[str]) -> None:
    if address in addresses:
        return
    host = address.removeprefix("https://").partition("/")[0]
    if addresses or (own and not (address.startswith("https://") and host.endswith(tuple(own)))):
        raise Rejected(
            f"{address} is not asked: the credentials in {key.place} are not for it; if they are, add the address to the key "
            f"{ADDRESSES} of that Secret",
            reason=FAILED,
        )
