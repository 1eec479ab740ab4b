"""Asks the transit engine, with a token: the app's own, else one that a login gives its service account, else gitopsd's own.

A file names the address of the Vault, so whoever writes to a repository chooses where a token goes. One from a Secret goes to
the addresses that the Secret lists, if it lists any; service accounts log in only where the operator says that there is a
Vault; gitopsd's own token goes to keys that the settings name, and nowhere else.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from gitopsd.plugin import Asker, Context, Credential, Lock, Rejected
from gitopsd.plugin.cloud import Token
from gitopsd.plugin.cloud import ask as asking
from gitopsd.plugin.cloud.ask import Ask
from gitopsd_plugins.vault import login

TOKEN = "sops.vault-token"
ADDRESSES = "sops.addresses"
OWN = "VAULT_TOKEN"
TIMEOUT = 15.0


class Transit:
    """`hc_vault` in files of SOPS."""

    sort = "hc_vault"

    def key(self, lock: Lock) -> str:
        """The URL of the key, as sops takes it."""
        fields = lock.fields
        address, engine, name = (fields.get(n, "").strip("/") for n in ("vault_address", "engine_path", "key_name"))
        if not address.startswith(("https://", "http://")) or not engine or not name:
            raise Rejected(f"Vault {address!r}, engine {engine!r}, key {name!r}: is no key of a Vault")
        return f"{address}/v1/{engine}/keys/{name}"

    async def open(self, lock: Lock, asker: Asker, ctx: Context) -> bytes:
        """The data key or share."""
        key, address = self.key(lock), lock.fields["vault_address"].rstrip("/")
        named = f"Vault {address}, key {key.removeprefix(f'{address}/v1/')}"
        held = asker.held(TOKEN)
        if held is not None:
            _check(address, held, asker, named)
            return await _opened(lock, key, named, held.content.decode("utf-8", "replace").strip(), ctx)
        if asker.account is not None or not asker.may_be_itself(key):
            return await _as_account(lock, key, named, asker, ctx)
        token = ctx.platform.get(OWN, "")
        if not token:
            raise Rejected(f"{named}: gitopsd may open it as itself, and there is no {OWN} in its environment")
        return await _opened(lock, key, named, token, ctx, own=True)


async def _as_account(lock: Lock, key: str, named: str, asker: Asker, ctx: Context) -> bytes:
    address, account = lock.fields["vault_address"].rstrip("/"), asker.account
    if account is None:
        raise asker.nobody(TOKEN).about(named)
    path = login.path(address, asker, named)

    async def asked() -> Token:
        return await login.token(address, path, account, ctx)

    kept = ("vault", address, path, account)
    return await _twice(lambda: ctx.kept.get(kept, ctx.now(), asked), lock, key, named, ctx)


async def _twice(lend: Callable[[], Awaitable[Token]], lock: Lock, key: str, named: str, ctx: Context) -> bytes:
    """A token that was revoked before its time is not used twice."""
    token = await lend()
    try:
        return await _opened(lock, key, named, token.value, ctx, own=True)
    except Rejected:
        if not ctx.kept.forget(token):
            raise
        return await _opened(lock, key, named, (await lend()).value, ctx, own=True)


def _check(address: str, held: Credential, asker: Asker, named: str) -> None:
    listed = {one.rstrip("/") for one in asker.listed(ADDRESSES)}
    if listed and address not in listed:
        raise Rejected(
            f"{named}: {address} is not asked: the credentials in {held.place} are not for it; if they are, add the address to "
            f"the key {ADDRESSES} of that Secret"
        )


async def _opened(lock: Lock, key: str, named: str, token: str, ctx: Context, *, own: bool = False) -> bytes:
    """`own`: the operator named the address, which may be a private one then."""
    headers = {"X-Vault-Token": token, "X-Vault-Request": "true", "Content-Type": "application/json"}
    if own and (space := ctx.platform.get("VAULT_NAMESPACE", "")):
        headers["X-Vault-Namespace"] = space
    head, _, name = key.rpartition("/keys/")
    body = msgspec.json.encode({"ciphertext": lock.fields.get("enc", "")})
    ask = Ask(method="POST", url=f"{head}/decrypt/{name}", headers=headers, data=body, what=named, own=own)
    answer: Any = await asking.json(ask, ctx, TIMEOUT)
    try:
        return base64.b64decode(answer["data"]["plaintext"], validate=True)
    except (KeyError, TypeError, binascii.Error):
        raise Rejected(f"{named}: answered without a plaintext") from None
