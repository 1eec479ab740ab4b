"""Azure Key Vault, with a client's secret: a token is asked for, then the key."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import quote

from gitopsd.plugin import Context, Lock, Misconfigured, Rejected, Spec, SpecError, spec, yaml
from gitopsd_plugins.sops.keyring import Key
from gitopsd_plugins.sops.services import call

DOMAINS = (".vault.azure.net", ".vault.azure.cn", ".vault.usgovcloudapi.net", ".managedhsm.azure.net")
"""Azure's own; a token is sent nowhere else unless the Secret lists the address."""
_VERSION = "7.4"
_ALGORITHM = "RSA-OAEP-256"
_AUTHORITY = "https://login.microsoftonline.com"
_PART = re.compile(r"[A-Za-z0-9-]+")


class Credentials(Spec, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """The YAML or JSON under `sops.azure-kv`; `tenant`, `appId` and `password` are the az command's names."""

    tenant_id: str = ""
    client_id: str = ""
    client_secret: str = ""
    authority_host: str = ""
    tenant: str = ""
    app_id: str = ""
    password: str = ""


async def opened(lock: Lock, key: Key, ctx: Context) -> bytes:
    """The data key or share."""
    vault, name, version = lock.fields["vault_url"].rstrip("/"), lock.fields["name"], lock.fields.get("version", "")
    named = f"Azure Key Vault {vault}, key {name}"
    if not _PART.fullmatch(name) or (version and not _PART.fullmatch(version)):
        raise Rejected(f"{named}: is no name of a key", reason=call.FAILED)
    token = await _token(vault, key, ctx)
    url = f"{vault}/keys/{name}/{version}/decrypt?api-version={_VERSION}".replace("//decrypt", "/decrypt")
    body = {"alg": _ALGORITHM, "value": lock.fields["enc"]}
    answer = await call.post(url, body, ctx, headers={"Authorization": f"Bearer {token}"}, named=named)
    try:
        return base64.urlsafe_b64decode(answer["value"] + "==")
    except (KeyError, TypeError, binascii.Error):
        raise Rejected(f"{named}: answered without a plaintext", reason=call.FAILED) from None


async def _token(vault: str, key: Key, ctx: Context) -> str:
    found = _credentials(key)
    tenant, client = found.tenant_id or found.tenant, found.client_id or found.app_id
    secret = found.client_secret or found.password
    if not (tenant and client and secret):
        raise Misconfigured(
            f"{key.place}: must hold tenantId, clientId and clientSecret; certificates and managed identities are not served yet",
            reason=call.FAILED,
        )
    ctx.conceal(secret.encode())
    host = (found.authority_host or _AUTHORITY).rstrip("/")
    audience = f"https://{vault.partition('://')[2].partition('.')[2].partition('/')[0] or 'vault.azure.net'}"
    body = {
        "grant_type": "client_credentials",
        "client_id": client,
        "client_secret": secret,
        "scope": f"{audience}/.default",
    }
    named = f"Azure's tokens for client {client}"
    answer = await call.form(f"{host}/{quote(tenant, safe='')}/oauth2/v2.0/token", body, ctx, named=named)
    token = answer.get("access_token")
    if not isinstance(token, str):
        raise Rejected(f"{named}: answered without a token", reason=call.FAILED)
    ctx.conceal(token.encode())
    return token


def _credentials(key: Key) -> Credentials:
    try:
        return spec.decode(yaml.read(key.content), Credentials)
    except (yaml.YamlError, SpecError):
        raise Misconfigured(
            f"{key.place}: must be YAML or JSON with tenantId, clientId and clientSecret", reason=call.FAILED
        ) from None  # the cause might quote what stands there
