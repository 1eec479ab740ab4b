"""Asks AWS KMS with signed requests, which carry no secret: with keys of a Secret, else of a service account's role, else gitopsd's."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import timedelta

import msgspec

from gitopsd.plugin import Asker, Context, Credential, Lock, Misconfigured, Rejected, Spec, SpecError, spec, yaml
from gitopsd.plugin.cloud import Keys, aws, sigv4
from gitopsd.plugin.cloud import ask as asking
from gitopsd.plugin.cloud.ask import Ask

HELD = "sops.aws-kms"
TIMEOUT = 15.0
_ARN = re.compile(r"arn:(aws[a-z-]*):kms:([a-z0-9-]+):[0-9]+:(?:key|alias)/\S+")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]+:role/\S+")
_CONTEXT = "context."
_LASTS = timedelta(hours=1)


class Held(Spec, frozen=True, kw_only=True, rename=None):
    """The YAML under `sops.aws-kms`; `endpoint` is ours, for private endpoints."""

    aws_access_key_id: str
    aws_secret_access_key: str
    aws_session_token: str = ""
    endpoint: str = ""


class Kms:
    """`kms` in files of SOPS."""

    sort = "kms"

    def key(self, lock: Lock) -> str:
        """Its ARN."""
        arn = lock.fields.get("arn", "").replace(" ", "")
        if not _ARN.fullmatch(arn):
            raise Rejected(f"AWS KMS, key {arn[:200]!r}: is no ARN of a key")
        return arn

    async def open(self, lock: Lock, asker: Asker, ctx: Context) -> bytes:
        """The data key or share."""
        arn = self.key(lock)
        named, region = f"AWS KMS, key {arn}", arn.split(":")[3]
        _refuse_profile(lock, named)
        keys, endpoint, own = await _keys(lock, arn, asker, ctx)
        url = endpoint.rstrip("/") or f"https://kms.{region}.{aws.domain(region)}"
        context = {n.removeprefix(_CONTEXT): v for n, v in lock.fields.items() if n.startswith(_CONTEXT)}
        asked = {"KeyId": arn, "CiphertextBlob": lock.fields.get("enc", "")}
        body = msgspec.json.encode({**asked, **({"EncryptionContext": context} if context else {})})
        said = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.Decrypt"}
        scope = sigv4.Scope(region=region, service="kms", now=ctx.now())
        headers = sigv4.signed(keys, "POST", f"{url}/", said, body, scope)
        ask = Ask(method="POST", url=f"{url}/", headers=headers, data=body, what=named, own=own)
        with ctx.kept.minded(keys):
            answer = await asking.json(ask, ctx, TIMEOUT)
        try:
            return base64.b64decode(answer["Plaintext"], validate=True)
        except (KeyError, TypeError, binascii.Error):
            raise Rejected(f"{named}: answered without a plaintext") from None


async def _keys(lock: Lock, arn: str, asker: Asker, ctx: Context) -> tuple[Keys, str, bool]:
    """With what the request is signed, where it goes if not to AWS's own address, and whether the operator named that."""
    region, named, found = arn.split(":")[3], f"AWS KMS, key {arn}", asker.held(HELD)
    if found is not None:
        held = _held(found)
        keys, endpoint = _of(held, ctx), held.endpoint
    else:
        try:
            account = asker.identity(arn, HELD)
        except Rejected as error:
            raise error.about(named) from None
        keys, endpoint = await aws.keys(account, region, ctx, TIMEOUT), ctx.platform.get("AWS_ENDPOINT_URL_KMS", "")
    role = lock.fields.get("role", "")
    if role:
        _check_role(role, named, asker, own=found is None and asker.account is None)
        keys = await aws.assumed(keys, role, region, ctx, TIMEOUT)
    return keys, endpoint, found is None or not endpoint


def _check_role(role: str, named: str, asker: Asker, *, own: bool) -> None:
    if not _ROLE.fullmatch(role):
        raise Rejected(f"{named}: the file names the role {role[:200]!r}, which is no ARN of a role")
    if own and not asker.may_be_itself(role):
        raise Rejected(f"{named}: the file names the role {role}, and the setting decryption.ownIdentity does not")


def _refuse_profile(lock: Lock, named: str) -> None:
    if profile := lock.fields.get("aws_profile", ""):
        raise Rejected(
            f"{named}: the file names the profile {profile[:80]!r} of somebody's own AWS settings, which gitopsd does not read; "
            "encrypt it without a profile, or with a role"
        )


def _of(held: Held, ctx: Context) -> Keys:
    for secret in filter(None, (held.aws_secret_access_key, held.aws_session_token)):
        ctx.conceal(secret.encode())
    return Keys(
        access=held.aws_access_key_id,
        secret=held.aws_secret_access_key,
        token=held.aws_session_token,
        until=ctx.now() + _LASTS,
    )


def _held(found: Credential) -> Held:
    try:
        return spec.decode(yaml.read(found.content), Held)
    except (yaml.YamlError, SpecError):
        raise Misconfigured(
            f"{found.place}: must be YAML with aws_access_key_id and aws_secret_access_key"
        ) from None  # the cause might quote what stands there
