"""Keys for AWS: of this process (environment, IRSA, EKS pod identity, the machine's role), or of a service account's role.

A role is assumed at the security token service of a region (STS). `sigv4` signs requests with the keys.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from gitopsd.model.errors import Rejected
from gitopsd.plugin.cloud import account as accounts
from gitopsd.plugin.cloud import ask as asking
from gitopsd.plugin.cloud import environment, sigv4
from gitopsd.plugin.cloud.account import Account, Described
from gitopsd.plugin.cloud.ask import Ask
from gitopsd.plugin.cloud.lent import Keys, ending
from gitopsd.plugin.context import Context
from gitopsd.plugin.http import Tls
from gitopsd.plugin.sources import access

AUDIENCE = "sts.amazonaws.com"
"""Whom a service account's token is made out to, to be exchanged."""
MACHINE = "http://169.254.169.254"
"""The instance metadata service, version 2."""

_VERSION = "2011-06-15"
_ROLE = re.compile(r"arn:(aws[a-z-]*):iam::[0-9]{1,30}:role/\S{1,200}")
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}")
_CONTAINER = ("169.254.170.2", "169.254.170.23", "fd00:ec2::23")
"""The agents of ECS and EKS on a machine's own link: with loopback the only ones that are asked without TLS."""
_CHECK_EKS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Sts:
    """A security token service other than the region's own, as an object names it."""

    endpoint: str
    tls: Tls | None = None


async def keys(account: Account | None, region: str, ctx: Context, timeout: float, sts: Sts | None = None) -> Keys:
    """Keys of this identity; `region` is where its role is assumed ('': the one of the environment).

    Raises `Rejected` where AWS or the machine gives none, `NotReady` for an account that nobody knows, `Transient`.
    """
    if account is None:
        key: tuple[Any, ...] = ("aws", tuple(sorted(ctx.platform.items())), region, sts, ctx.http.proxies)
        return await ctx.kept.get(key, ctx.now(), lambda: _own(region, ctx, timeout, sts))
    it = await accounts.described(account, ctx)
    role = it.need("roleArn")
    if not _ROLE.fullmatch(role):
        raise it.wrong("roleArn", "arn:aws:iam::NUMBER:role/NAME")
    at = region_of(region, ctx)
    key = ("aws", account, tuple(sorted(it.keys.items())), at, sts, ctx.http.proxies)
    return await ctx.kept.get(key, ctx.now(), lambda: _of_account(it, role, at, ctx, timeout, sts))


async def assumed(by: Keys, role: str, region: str, ctx: Context, timeout: float) -> Keys:
    """Keys of another role, which these keys may assume. Raises `Rejected` and `Transient`."""
    form = {"Action": "AssumeRole", "RoleArn": role, "RoleSessionName": _session("gitopsd", region)}
    region = region_of(region, ctx)

    async def asked() -> Keys:
        body = urlencode({**form, "Version": _VERSION}).encode()
        url = _endpoint(region, ctx)
        said = {"Content-Type": "application/x-www-form-urlencoded"}
        scope = sigv4.Scope(region=region, service="sts", now=ctx.now())
        headers = sigv4.signed(by, "POST", url, said, body, scope)
        ask = Ask(method="POST", url=url, headers=headers, data=body, what=f"AWS STS at {url} for {role}")
        return _of_sts(await asking.xml(ask, ctx, timeout), ask, ctx)

    return await ctx.kept.get(("aws", by, role, region, ctx.http.proxies), ctx.now(), asked)


async def of_ldap(sts: Sts, username: str, password: str, ctx: Context, timeout: float) -> Keys:
    """Keys for a user of a directory (LDAP), as MinIO's token service lends them. Raises `Rejected` and `Transient`."""
    form = {
        "Action": "AssumeRoleWithLDAPIdentity",
        "Version": _VERSION,
        "LDAPUsername": username,
        "LDAPPassword": password,
    }
    ask = Ask(
        method="POST",
        url=sts.endpoint,
        data=form,
        tls=sts.tls,
        own=False,
        what=f"the token service at {sts.endpoint} for {username}",
        remedy="check username and password",
    )

    async def asked() -> Keys:
        return _of_sts(await asking.xml(ask, ctx, timeout), ask, ctx)

    return await ctx.kept.get(("ldap", sts, username, password, ctx.http.proxies), ctx.now(), asked)


def region_of(region: str, ctx: Context) -> str:
    """The region, or else the one of the environment. Raises `Rejected` where there is none, or it is no region's name."""
    found = region or ctx.platform.get("AWS_REGION") or ctx.platform.get("AWS_DEFAULT_REGION") or ""
    if not found:
        raise Rejected("AWS needs a region: name it in the object, or set AWS_REGION", reason=access.FAILED)
    if not _REGION.fullmatch(found):
        raise Rejected(f"{found[:40]!r} is no region of AWS", reason=access.FAILED)
    return found


def domain(region: str) -> str:
    """The domain of a region's services."""
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def eks_token(by: Keys, cluster: str, region: str, ctx: Context) -> str:
    """What an EKS cluster of this name takes as a bearer token, for a quarter of an hour: a signed question who one is."""
    url = f"https://sts.{region}.{domain(region)}/?Action=GetCallerIdentity&Version={_VERSION}"
    scope = sigv4.Scope(region=region, service="sts", now=ctx.now())
    found = sigv4.presigned(by, "GET", url, {"x-k8s-aws-id": cluster}, scope, seconds=_CHECK_EKS)
    return "k8s-aws-v1." + base64.urlsafe_b64encode(found.encode()).decode().rstrip("=")


async def _own(region: str, ctx: Context, timeout: float, sts: Sts | None) -> Keys:
    """In the order of Amazon's own libraries."""
    given = ctx.platform
    if given.get("AWS_ACCESS_KEY_ID") and given.get("AWS_SECRET_ACCESS_KEY"):
        return Keys(
            access=given["AWS_ACCESS_KEY_ID"],
            secret=given["AWS_SECRET_ACCESS_KEY"],
            token=given.get("AWS_SESSION_TOKEN", ""),
            until=ctx.now() + timedelta(hours=1),
        )
    if given.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        if not given.get("AWS_ROLE_ARN"):
            raise Rejected(
                "AWS_WEB_IDENTITY_TOKEN_FILE needs AWS_ROLE_ARN in the environment too", reason=access.FAILED
            )
        token = await environment.token("AWS_WEB_IDENTITY_TOKEN_FILE", ctx)
        at = region_of(region, ctx)
        session = given.get("AWS_ROLE_SESSION_NAME") or _session("gitopsd", at)
        return await _exchanged(given["AWS_ROLE_ARN"], session, token, at, ctx, timeout, sts)
    if given.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        return await _container(ctx, timeout)
    return await _machine(ctx, timeout)


async def _of_account(it: Described, role: str, region: str, ctx: Context, timeout: float, sts: Sts | None) -> Keys:
    token = await accounts.token(it, AUDIENCE, ctx)
    session = _session(f"{it.account.name}.{it.account.namespace}", region)
    return await _exchanged(role, session, token.value, region, ctx, timeout, sts)


async def _exchanged(
    role: str, session: str, token: str, region: str, ctx: Context, timeout: float, sts: Sts | None
) -> Keys:
    form = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": _VERSION,
        "RoleArn": role,
        "RoleSessionName": session,
        "WebIdentityToken": token,
    }
    url = sts.endpoint if sts else _endpoint(region, ctx)
    ask = Ask(
        method="POST",
        url=url,
        data=form,
        tls=sts.tls if sts else None,
        own=sts is None,
        what=f"AWS STS at {url} for {role}",
        remedy="check the role's trust policy: issuer, audience and subject",
    )
    return _of_sts(await asking.xml(ask, ctx, timeout), ask, ctx)


def _of_sts(found: Mapping[str, str], ask: Ask, ctx: Context) -> Keys:
    return _keys({**found, "Token": found.get("SessionToken")}, ask, ctx)


async def _container(ctx: Context, timeout: float) -> Keys:
    url = ctx.platform["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    if not _may_lend(url):
        raise Rejected(
            f"AWS_CONTAINER_CREDENTIALS_FULL_URI names {url[:80]!r}: without TLS only this machine itself and "
            f"{', '.join(_CONTAINER)} are asked",
            reason=access.FAILED,
        )
    headers = {}
    if ctx.platform.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        headers["Authorization"] = await environment.token("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", ctx)
    ask = Ask(
        url=url,
        headers=headers,
        direct=True,
        what=f"the agent of EKS at {urlsplit(url).netloc}",
        remedy="check the pod identity association",
    )
    return _keys(await asking.json(ask, ctx, timeout), ask, ctx)


def _may_lend(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https" or (parts.scheme == "http" and (host in _CONTAINER or host == "localhost")):
        return bool(host)
    try:
        return parts.scheme == "http" and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _machine(ctx: Context, timeout: float) -> Keys:
    """A session with the metadata service, the role of the machine, its keys."""
    if ctx.platform.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        raise Rejected(
            "this process has no identity in AWS: nothing in the environment names one, and AWS_EC2_METADATA_DISABLED is set",
            reason=access.FAILED,
        )
    base = (ctx.platform.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or MACHINE).rstrip("/")
    what = f"AWS's metadata service at {base}"
    remedy = "has this machine a role?"
    ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    begin = Ask(method="PUT", url=f"{base}/latest/api/token", headers=ttl, direct=True, what=what, remedy=remedy)
    session = (await asking.text(begin, ctx, timeout)).decode("ascii", "replace").strip()
    headers = {"X-aws-ec2-metadata-token": asking.word({"token": session}, "token", begin)}
    url = f"{base}/latest/meta-data/iam/security-credentials/"
    role = Ask(url=url, headers=headers, direct=True, what=what, remedy=remedy)
    listed = (await asking.text(role, ctx, timeout)).decode("utf-8", "replace")
    name = listed.strip().split("\n")[0].strip()
    ask = Ask(url=url + quote(name, safe=""), headers=headers, direct=True, what=what, remedy=remedy)
    return _keys(await asking.json(ask, ctx, timeout), ask, ctx)


def _keys(found: Mapping[str, Any], ask: Ask, ctx: Context) -> Keys:
    lent = Keys(
        access=asking.word(found, "AccessKeyId", ask),
        secret=asking.word(found, "SecretAccessKey", ask),
        token=asking.word(found, "Token", ask),
        until=ending(ctx.now(), found.get("Expiration"), ask.what),
    )
    ctx.conceal(lent.secret.encode())
    ctx.conceal(lent.token.encode())
    return lent


def _endpoint(region: str, ctx: Context) -> str:
    named = ctx.platform.get("AWS_ENDPOINT_URL_STS", "").rstrip("/")
    return f"{named or f'https://sts.{region}.{domain(region)}'}/"


def _session(name: str, region: str) -> str:
    """As whom the calls stand in Amazon's own log: what AWS takes of it, 64 letters."""
    return re.sub(r"[^\w+=,.@-]", "-", f"{name}.{region}.gitopsd", flags=re.ASCII)[:64]
