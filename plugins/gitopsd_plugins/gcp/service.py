"""Asks Google Cloud KMS with a token: of the service account in a Secret, else of one of Kubernetes, else of gitopsd."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from gitopsd.plugin import Asker, Context, Credential, Lock, Misconfigured, Rejected
from gitopsd.plugin.cloud import Token, gcp
from gitopsd.plugin.cloud import ask as asking
from gitopsd.plugin.cloud.ask import Ask

HELD = "sops.gcp-kms"
TIMEOUT = 15.0
SCOPE = "https://www.googleapis.com/auth/cloudkms"
_NAME = re.compile(r"projects/[^/\s]+/locations/[^/\s]+/keyRings/[^/\s]+/cryptoKeys/[^/\s?#]+")


class Kms:
    """`gcp_kms` in files of SOPS."""

    sort = "gcp_kms"

    def key(self, lock: Lock) -> str:
        """The name of its resource."""
        name = lock.fields.get("resource_id", "")
        if not _NAME.fullmatch(name):
            raise Rejected(f"Google Cloud KMS, key {name[:200]!r}: is no name of a key")
        return name

    async def open(self, lock: Lock, asker: Asker, ctx: Context) -> bytes:
        """The data key or share."""
        name = self.key(lock)
        named = f"Google Cloud KMS, key {name}"
        token, given = await _token(name, named, asker, ctx)
        endpoint = str(given.get("endpoint", ""))
        universe = str(given.get("universe_domain") or "googleapis.com")
        ask = Ask(
            method="POST",
            url=f"{endpoint.rstrip('/') or f'https://cloudkms.{universe}'}/v1/{name}:decrypt",
            headers={"Authorization": f"Bearer {token.value}", "Content-Type": "application/json"},
            data=msgspec.json.encode({"ciphertext": lock.fields.get("enc", "")}),
            what=named,
            own=not given,
        )
        with ctx.kept.minded(token):
            answer = await asking.json(ask, ctx, TIMEOUT)
        try:
            return base64.b64decode(answer["plaintext"], validate=True)
        except (KeyError, TypeError, binascii.Error):
            raise Rejected(f"{named}: answered without a plaintext") from None


async def _token(name: str, named: str, asker: Asker, ctx: Context) -> tuple[Token, Mapping[str, Any]]:
    """A token, and what the Secret says beside its key."""
    found = asker.held(HELD)
    if found is not None:
        given = _held(found)
        return await gcp.of_key(given, found.place, SCOPE, ctx, TIMEOUT), given
    try:
        account = asker.identity(name, HELD)
    except Rejected as error:
        raise error.about(named) from None
    endpoint = ctx.platform.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", "")
    return await gcp.token(account, SCOPE, ctx, TIMEOUT), {"endpoint": endpoint} if endpoint else {}


def _held(found: Credential) -> Mapping[str, Any]:
    """Raises `Misconfigured` for anything but a service account: an external one names files and addresses to be read here."""
    try:
        given = msgspec.json.decode(found.content, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError):
        given = {}
    if given.get("type") == "external_account":
        raise Misconfigured(
            f"{found.place}: an external account names files and addresses of this machine, and is not taken from a Secret; use "
            "spec.decryption.serviceAccountName, or gitopsd's own identity with GOOGLE_APPLICATION_CREDENTIALS"
        )
    if not all(isinstance(given.get(key), str) for key in ("client_email", "private_key")):
        raise Misconfigured(f"{found.place}: must be the JSON of a service account, with client_email and private_key")
    return given
