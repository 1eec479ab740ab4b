"""`provider: aws`: Elastic Container Registry, by the role of the machine.

The metadata service (version 2) lends keys of the role; a request signed with them gets the registry's password.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit

from gitopsd.plugin import Context
from gitopsd.plugin.oci import Credential, Repository
from gitopsd_plugins.oci import lent
from gitopsd_plugins.oci.lent import Ask, Lent

LIFETIME = timedelta(hours=6)
"""Passwords of the registry live for twelve."""
_TARGET = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of a role, as the metadata service lends them."""

    access: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aws:
    """Asks the instance metadata service, then the API of the registry's region."""

    metadata: str = "http://169.254.169.254"
    hosts: str = r"[0-9]{12}\.dkr\.ecr(-fips)?\.([a-z0-9-]+)\.(amazonaws\.com(?:\.cn)?)"
    api: str = ""
    """The API's URL instead of the region's own."""

    def serves(self, host: str) -> bool:
        """True for a registry of Amazon's."""
        return re.fullmatch(self.hosts, host) is not None

    async def login(self, place: Repository, ctx: Context, timeout: float) -> Lent:
        """A login for a registry. Raises `Transient` and `Rejected`."""
        found = re.fullmatch(self.hosts, place.host)
        assert found is not None  # `serves` says so
        fips, region, domain = found.groups()
        url = self.api or f"https://{'ecr-fips' if fips else 'api.ecr'}.{region}.{domain}/"
        keys = await self._keys(ctx, timeout)
        said = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": _TARGET}
        headers = signed(keys, "POST", url, said, b"{}", region=region, service="ecr", now=ctx.now())
        answer = await lent.json(Ask(method="POST", url=url, headers=headers, data=b"{}"), ctx, timeout)
        given = answer.get("authorizationData")
        first = given[0] if isinstance(given, list) and given and isinstance(given[0], dict) else {}
        return Lent(
            credential=_credential(lent.word(first, "authorizationToken", url), url), until=ctx.now() + LIFETIME
        )

    async def _keys(self, ctx: Context, timeout: float) -> Keys:
        """A session with the metadata service, the role of the machine, its keys."""
        begin = Ask(
            method="PUT",
            url=f"{self.metadata}/latest/api/token",
            headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"},
            direct=True,
        )
        session = {"X-aws-ec2-metadata-token": (await lent.text(begin, ctx, timeout)).strip()}
        url = f"{self.metadata}/latest/meta-data/iam/security-credentials/"
        listed = await lent.text(Ask(method="GET", url=url, headers=session, direct=True), ctx, timeout)
        url += quote(listed.split("\n")[0].strip(), safe="")
        found = await lent.json(Ask(method="GET", url=url, headers=session, direct=True), ctx, timeout)
        return Keys(
            access=lent.word(found, "AccessKeyId", url),
            secret=lent.word(found, "SecretAccessKey", url),
            token=lent.word(found, "Token", url),
        )


def signed(
    keys: Keys,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    region: str,
    service: str,
    now: datetime,
) -> Mapping[str, str]:
    """The headers of a request with Amazon's signature, version 4. The URL has no query."""
    at = now.strftime("%Y%m%dT%H%M%SZ")
    parts = urlsplit(url)
    all_ = {**headers, "Host": parts.netloc, "X-Amz-Date": at}
    if keys.token:
        all_["X-Amz-Security-Token"] = keys.token
    plain = sorted((name.lower(), value.strip()) for name, value in all_.items())
    names = ";".join(name for name, _ in plain)
    lines = "".join(f"{name}:{value}\n" for name, value in plain)
    request = f"{method}\n{parts.path or '/'}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{at[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{keys.secret}".encode()
    for part in (at[:8], region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    said = f"AWS4-HMAC-SHA256 Credential={keys.access}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**all_, "Authorization": said}


def _credential(token: str, url: str) -> Credential:
    try:
        name, colon, password = base64.b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise lent.unusable(url) from error
    if not colon:
        raise lent.unusable(url)
    return Credential(username=name, password=password)
