"""Asks Azure Key Vault with a token of Entra ID: of the client in a Secret, else of a service account's client, else of gitopsd."""

from __future__ import annotations

import base64
import binascii
import re

import msgspec

from gitopsd.plugin import Asker, Context, Credential, Lock, Misconfigured, Rejected, Spec, SpecError, spec, yaml
from gitopsd.plugin.cloud import Token, azure, azure_certificate
from gitopsd.plugin.cloud import ask as asking
from gitopsd.plugin.cloud.ask import Ask
from gitopsd.plugin.cloud.azure_certificate import Certificate

HELD = "sops.azure-kv"
ADDRESSES = "sops.addresses"
DOMAINS = (".vault.azure.net", ".vault.azure.cn", ".vault.usgovcloudapi.net", ".managedhsm.azure.net")
"""Azure's own; a token is sent nowhere else unless the Secret lists the address."""
TIMEOUT = 15.0
_VERSION = "7.4"
_ALGORITHM = "RSA-OAEP-256"
_PART = re.compile(r"[A-Za-z0-9-]+")


class Held(Spec, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """The YAML or JSON under `sops.azure-kv`; `tenant`, `appId` and `password` are the az command's names."""

    tenant_id: str = ""
    client_id: str = ""
    client_secret: str = ""
    client_certificate: str = ""
    client_certificate_password: str = ""
    client_certificate_send_chain: bool = False
    authority_host: str = ""
    tenant: str = ""
    app_id: str = ""
    password: str = ""


class KeyVault:
    """`azure_kv` in files of SOPS."""

    sort = "azure_kv"

    def key(self, lock: Lock) -> str:
        """The URL of the key."""
        vault, name, version = (lock.fields.get(n, "") for n in ("vault_url", "name", "version"))
        key = f"{vault.rstrip('/')}/keys/{name}" + (f"/{version}" if version else "")
        if not _PART.fullmatch(name) or (version and not _PART.fullmatch(version)) or "://" not in vault:
            raise Rejected(f"Azure Key Vault, key {key[:200]!r}: is no address of a key")
        return key

    async def open(self, lock: Lock, asker: Asker, ctx: Context) -> bytes:
        """The data key or share."""
        key, vault = self.key(lock), lock.fields["vault_url"].rstrip("/")
        named = f"Azure Key Vault {vault}, key {lock.fields['name']}"
        _check(vault, asker, named)
        token = await _token(key, vault, named, asker, ctx)
        ask = Ask(
            method="POST",
            url=f"{key}/decrypt?api-version={_VERSION}",
            headers={"Authorization": f"Bearer {token.value}", "Content-Type": "application/json"},
            data=msgspec.json.encode({"alg": _ALGORITHM, "value": lock.fields.get("enc", "")}),
            what=named,
            own=False,
        )
        with ctx.kept.minded(token):
            answer = await asking.json(ask, ctx, TIMEOUT)
        try:
            return base64.urlsafe_b64decode(answer["value"] + "==")
        except (KeyError, TypeError, binascii.Error):
            raise Rejected(f"{named}: answered without a plaintext") from None


def _check(vault: str, asker: Asker, named: str) -> None:
    host = vault.removeprefix("https://").partition("/")[0]
    listed = {one.rstrip("/") for one in asker.listed(ADDRESSES)}
    if vault in listed or (not listed and vault.startswith("https://") and host.endswith(DOMAINS)):
        return
    raise Rejected(
        f"{named}: is not asked: tokens go to Azure's own domains, or where a Secret says so; add the address to its key {ADDRESSES}"
    )


async def _token(key: str, vault: str, named: str, asker: Asker, ctx: Context) -> Token:
    host = vault.partition("://")[2].partition("/")[0].partition(":")[0]
    scope = f"https://{host.partition('.')[2] if host.endswith(DOMAINS) else 'vault.azure.net'}/.default"
    found = asker.held(HELD)
    if found is not None:
        return await _of_secret(_held(found), found, scope, key, named, asker, ctx)
    try:
        account = asker.identity(key, HELD)
    except Rejected as error:
        raise error.about(named) from None
    return await azure.token(account, scope, ctx, TIMEOUT)


async def _of_secret(
    held: Held, found: Credential, scope: str, key: str, named: str, asker: Asker, ctx: Context
) -> Token:
    tenant, client = held.tenant_id or held.tenant, held.client_id or held.app_id
    secret = held.client_secret or held.password
    if client and not tenant:
        return await _of_machine(client, found, scope, key, named, asker, ctx)
    if not (tenant and client and (secret or held.client_certificate)):
        raise Misconfigured(
            f"{found.place}: must hold tenantId, clientId and clientSecret or clientCertificate; or clientId alone, for a managed "
            "identity of the machine"
        )
    words = {"tenantId": tenant, "clientId": client, "clientSecret": secret, "authorityHost": held.authority_host}
    whom = azure.client(words, found.place, ctx)
    proof = None
    if not secret:
        own = Certificate(
            content=held.client_certificate.encode(),
            password=held.client_certificate_password,
            chain=held.client_certificate_send_chain,
        )
        proof = azure_certificate.proof(whom, own, ctx)
    return await azure.of_client(whom, scope, ctx, TIMEOUT, proof)


async def _of_machine(
    client: str, found: Credential, scope: str, key: str, named: str, asker: Asker, ctx: Context
) -> Token:
    """A managed identity belongs to the machine, not to whoever can write a Secret."""
    if not asker.may_be_itself(key):
        raise Rejected(
            f"{named}: {found.place} names a managed identity of this machine, and the setting decryption.ownIdentity does not "
            "name the key"
        )
    return await azure.of_machine(client, scope, ctx, TIMEOUT)


def _held(found: Credential) -> Held:
    text = found.content.decode("utf-16") if found.content[:2] in (b"\xff\xfe", b"\xfe\xff") else found.content
    try:
        return spec.decode(yaml.read(text), Held)
    except (yaml.YamlError, SpecError):
        raise Misconfigured(
            f"{found.place}: must be YAML or JSON with tenantId, clientId and clientSecret or clientCertificate"
        ) from None  # the cause might quote what stands there
