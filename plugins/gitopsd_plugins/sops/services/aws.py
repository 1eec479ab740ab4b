"""AWS KMS, with an access key. Requests are signed as AWS asks (Signature Version 4); the secret itself is never sent."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from datetime import datetime

from gitopsd.plugin import Context, Lock, Misconfigured, Rejected, Spec, SpecError, spec, yaml
from gitopsd_plugins.sops.keyring import Key
from gitopsd_plugins.sops.services import call

_ARN = re.compile(r"arn:(aws[a-z-]*):kms:([a-z0-9-]+):[0-9]+:(?:key|alias)/\S+")
_CONTEXT = "context."
_DOMAINS = {"aws-cn": "amazonaws.com.cn"}


class Credentials(Spec, frozen=True, kw_only=True, rename=None):
    """The YAML under `sops.aws-kms`; `endpoint` is ours, for private endpoints."""

    aws_access_key_id: str
    aws_secret_access_key: str
    aws_session_token: str = ""
    endpoint: str = ""


async def opened(lock: Lock, key: Key, ctx: Context) -> bytes:
    """The data key or share."""
    arn = lock.fields["arn"]
    named = f"AWS KMS, key {arn}"
    found = _ARN.fullmatch(arn)
    if found is None:
        raise Rejected(f"{named}: is no ARN of a key", reason=call.FAILED)
    if lock.fields.get("role"):
        raise Rejected(
            f"{named}: needs the role {lock.fields['role']}, and roles are not assumed yet", reason=call.FAILED
        )
    credentials, region = _credentials(key), found[2]
    url = credentials.endpoint.rstrip("/") or f"https://kms.{region}.{_DOMAINS.get(found[1], 'amazonaws.com')}"
    context = {n.removeprefix(_CONTEXT): v for n, v in lock.fields.items() if n.startswith(_CONTEXT)}
    asked = {"KeyId": arn, "CiphertextBlob": lock.fields["enc"], **({"EncryptionContext": context} if context else {})}
    body = json.dumps(asked).encode()
    headers = signed(url, body, credentials, region, ctx.now())
    answer = await call.post(f"{url}/", body, ctx, headers=headers, named=named)
    try:
        return base64.b64decode(answer["Plaintext"], validate=True)
    except (KeyError, TypeError, binascii.Error):
        raise Rejected(f"{named}: answered without a plaintext", reason=call.FAILED) from None


def signed(url: str, body: bytes, credentials: Credentials, region: str, now: datetime) -> dict[str, str]:
    """The headers of a request to the root of `url`, the signature included."""
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{moment[:8]}/{region}/kms/aws4_request"
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "host": url.partition("://")[2].partition("/")[0],
        "x-amz-date": moment,
        "x-amz-target": "TrentService.Decrypt",
    }
    if credentials.aws_session_token:
        headers["x-amz-security-token"] = credentials.aws_session_token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    secret = f"AWS4{credentials.aws_secret_access_key}".encode()
    for part in scope.split("/"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    authorization = f"AWS4-HMAC-SHA256 Credential={credentials.aws_access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {
        **{n: v for n, v in headers.items() if n != "content-type"},
        "Content-Type": headers["content-type"],
        "Authorization": authorization,
    }


def _credentials(key: Key) -> Credentials:
    try:
        return spec.decode(yaml.read(key.content), Credentials)
    except (yaml.YamlError, SpecError):
        raise Misconfigured(
            f"{key.place}: must be YAML with aws_access_key_id and aws_secret_access_key", reason=call.FAILED
        ) from None  # the cause might quote what stands there
