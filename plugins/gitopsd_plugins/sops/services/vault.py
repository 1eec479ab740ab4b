"""The transit engine of HashiCorp Vault and of OpenBao, with a token."""

from __future__ import annotations

import base64
import binascii

from gitopsd.plugin import Context, Lock, Rejected
from gitopsd_plugins.sops.keyring import Key
from gitopsd_plugins.sops.services import call


async def opened(lock: Lock, key: Key, ctx: Context) -> bytes:
    """The data key or share."""
    fields = lock.fields
    address, name = fields["vault_address"].rstrip("/"), fields["key_name"]
    path = f"{fields['engine_path'].strip('/')}/decrypt/{name}"
    headers = {"X-Vault-Token": key.content.decode("utf-8", "replace").strip(), "X-Vault-Request": "true"}
    answer = await call.post(
        f"{address}/v1/{path}",
        {"ciphertext": fields["enc"]},
        ctx,
        headers=headers,
        named=f"Vault {address}, key {path}",
    )
    try:
        return base64.b64decode(answer["data"]["plaintext"], validate=True)
    except (KeyError, TypeError, binascii.Error):
        raise Rejected(f"Vault {address}, key {path}: answered without a plaintext", reason=call.FAILED) from None
