"""Logins that clouds lend for their own registries, by `spec.provider`: to this process, or to a service account.

Each cloud answers for its own registries only, so that no cloud's login goes to another host. Nothing is asked unless an object
names the provider. What is lent is kept until shortly before it ends, and asked for anew where it is refused.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

from gitopsd.model.errors import Misconfigured
from gitopsd.plugin.cloud import Account, Keys, Token, aws, azure, gcp, sigv4
from gitopsd.plugin.cloud import ask as asking
from gitopsd.plugin.cloud.ask import Ask
from gitopsd.plugin.context import Context
from gitopsd.plugin.oci.credentials import Credential
from gitopsd.plugin.oci.reference import Repository
from gitopsd.plugin.sources import access

PUBLIC_ECR = "public.ecr.aws"
LIFETIME = timedelta(hours=2)
"""As long as a login that a registry gave is used at most: Azure's live for three hours, Amazon's for twelve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lent:
    """A login, the keys or token `by` which it was got, and when it ends."""

    credential: Credential
    by: Keys | Token = field(repr=False)
    until: datetime


class Provider(Protocol):
    """One cloud."""

    def serves(self, host: str) -> bool:
        """True for a registry of this cloud."""
        ...

    async def login(self, account: Account | None, place: Repository, ctx: Context, timeout: float) -> Lent:
        """A login for a registry. Raises `Transient`, `Rejected`, and `NotReady` for an account that nobody knows."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Aws:
    """Elastic Container Registry, private and public: a signed request gets the registry's password."""

    hosts: str = r"[0-9]{12}\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?)|public\.ecr\.aws"
    api: str = ""
    """The API's URL instead of the region's own."""

    def serves(self, host: str) -> bool:
        """True for a registry of Amazon's."""
        return re.fullmatch(self.hosts, host) is not None

    async def login(self, account: Account | None, place: Repository, ctx: Context, timeout: float) -> Lent:
        """A login for a registry."""
        found = re.fullmatch(self.hosts, place.host)
        region = (found[1] if found else "") or "us-east-1"  # the public registry is at home there
        keys = await aws.keys(account, region, ctx, timeout)
        return await ctx.kept.get(
            ("ecr", keys, place.host, ctx.http.proxies),
            ctx.now(),
            lambda: self._password(keys, region, place.host, ctx, timeout),
        )

    async def _password(self, keys: Keys, region: str, host: str, ctx: Context, timeout: float) -> Lent:
        public = host == PUBLIC_ECR
        service = "ecr-public" if public else "ecr"
        target = "SpencerFrontendService" if public else "AmazonEC2ContainerRegistry_V20150921"
        url = self.api or f"https://{_api(host, region)}/"
        said = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{target}.GetAuthorizationToken"}
        scope = sigv4.Scope(region=region, service=service, now=ctx.now())
        headers = sigv4.signed(keys, "POST", url, said, b"{}", scope)
        ask = Ask(
            method="POST",
            url=url,
            headers=headers,
            data=b"{}",
            what=f"Amazon's registry at {urlsplit(url).netloc}",
            remedy="may the role call GetAuthorizationToken?",
        )
        with ctx.kept.minded(keys):
            given = (await asking.json(ask, ctx, timeout)).get("authorizationData")
        first = given[0] if isinstance(given, list) and given else given
        token = asking.word(first if isinstance(first, Mapping) else {}, "authorizationToken", ask)
        credential = _decoded(token, ask)
        ctx.conceal(credential.password.encode())
        return Lent(credential=credential, by=keys, until=ctx.now() + LIFETIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Azure:
    """Azure Container Registry: exchanges a token for Azure's management for a refresh token of its own."""

    hosts: str = r"[a-zA-Z0-9-]+\.azurecr\.(?:io|cn|us|de)"
    scheme: str = "https"

    def serves(self, host: str) -> bool:
        """True for a registry of Azure's."""
        return re.fullmatch(self.hosts, host) is not None

    async def login(self, account: Account | None, place: Repository, ctx: Context, timeout: float) -> Lent:
        """A login for a registry."""
        token = await azure.token(account, f"{_management(place.host)}/.default", ctx, timeout)
        return await ctx.kept.get(
            ("acr", token, place.host, ctx.http.proxies),
            ctx.now(),
            lambda: self._exchanged(token, place.host, ctx, timeout),
        )

    async def _exchanged(self, token: Token, host: str, ctx: Context, timeout: float) -> Lent:
        ask = Ask(
            method="POST",
            url=f"{self.scheme}://{host}/oauth2/exchange",
            data={"grant_type": "access_token", "service": host, "access_token": token.value},
            own=False,
            what=f"Azure's registry at {host}",
            remedy="has the identity the role AcrPull?",
        )
        with ctx.kept.minded(token):
            refresh = asking.word(await asking.json(ask, ctx, timeout), "refresh_token", ask)
        ctx.conceal(refresh.encode())
        return Lent(credential=Credential(identity=refresh), by=token, until=ctx.now() + LIFETIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gcp:
    """Artifact Registry and Container Registry: take an access token as a password."""

    hosts: str = r"gcr\.io|[a-z0-9-]+\.gcr\.io|[a-z0-9-]+-docker\.pkg\.dev"

    def serves(self, host: str) -> bool:
        """True for a registry of Google's."""
        return re.fullmatch(self.hosts, host) is not None

    async def login(self, account: Account | None, place: Repository, ctx: Context, timeout: float) -> Lent:
        """A login for a registry."""
        token = await gcp.token(account, gcp.SCOPES, ctx, timeout)
        credential = Credential(username="oauth2accesstoken", password=token.value)
        return Lent(credential=credential, by=token, until=token.until)


PROVIDERS: Mapping[str, Provider] = {"aws": Aws(), "azure": Azure(), "gcp": Gcp()}


async def login(
    provider: str,
    account: Account | None,
    place: Repository,
    ctx: Context,
    timeout: float,
    providers: Mapping[str, Provider] = PROVIDERS,
) -> Lent:
    """The login for a registry of this cloud. Raises `Misconfigured` for a registry of somebody else, else as `Provider.login`.

    Whoever uses it says so where it is refused: `ctx.kept.minded(lent, lent.by)`.
    """
    cloud = providers[provider]
    if not cloud.serves(place.host):
        raise Misconfigured(
            f"{place.host} is no registry of spec.provider {provider}; correct one of them, or name a login in "
            "spec.secretRef with the provider generic",
            reason=access.FAILED,
        )
    return await cloud.login(account, place, ctx, timeout)


def _api(host: str, region: str) -> str:
    if host == PUBLIC_ECR:
        return f"api.ecr-public.{region}.amazonaws.com"
    return f"{'ecr-fips' if '.ecr-fips.' in host else 'api.ecr'}.{region}.{aws.domain(region)}"


def _management(host: str) -> str:
    """Whom the token is for: the management of the cloud that the registry is in."""
    return {
        "cn": "https://management.chinacloudapi.cn",
        "us": "https://management.usgovcloudapi.net",
    }.get(host.rpartition(".")[2], "https://management.azure.com")


def _decoded(token: str, ask: Ask) -> Credential:
    try:
        name, colon, password = base64.b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise asking.unusable(ask) from error
    if not colon:
        raise asking.unusable(ask)
    return Credential(username=name, password=password)
