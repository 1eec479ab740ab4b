"""Tokens for Google Cloud: of this process (a file of credentials, the metadata server), or of a service account of Kubernetes.

The latter's own token is exchanged at Google's token service (STS): on GKE it is known there by the cluster, elsewhere by the
workload identity provider that its annotation names. With a service account of Google's named too, that one is impersonated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from gitopsd.plugin.cloud import account as accounts
from gitopsd.plugin.cloud import ask as asking
from gitopsd.plugin.cloud import gcp_file
from gitopsd.plugin.cloud.account import Account, Described
from gitopsd.plugin.cloud.ask import Ask
from gitopsd.plugin.cloud.gcp_exchange import EVERYTHING, Exchange, exchanged, granted, impersonated
from gitopsd.plugin.cloud.lent import Token
from gitopsd.plugin.context import Context

SCOPES = "https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/userinfo.email"
"""What Flux asks for; several scopes stand side by side."""
MACHINE = "metadata.google.internal"
"""The metadata server."""
STS = "https://sts.googleapis.com"
IMPERSONATION = "https://iamcredentials.googleapis.com"

_PROVIDER = re.compile(
    r"projects/\d{1,30}/locations/global/workloadIdentityPools/[^/\s]{1,100}/providers/[^/\s]{1,100}"
)
_EMAIL = re.compile(r"[a-zA-Z0-9-]{1,100}@[a-zA-Z0-9.-]{1,100}\.gserviceaccount\.com")


async def token(account: Account | None, scopes: str, ctx: Context, timeout: float) -> Token:
    """A token of this identity.

    Raises `Rejected` where Google or the machine gives none, `NotReady` for an account that nobody knows, `Transient`.
    """
    if account is None:
        key: tuple[Any, ...] = ("gcp", tuple(sorted(ctx.platform.items())), scopes, ctx.http.proxies)
        return await ctx.kept.get(key, ctx.now(), lambda: _own(scopes, ctx, timeout))
    it = await accounts.described(account, ctx)
    key = ("gcp", account, tuple(sorted(it.keys.items())), scopes, ctx.http.proxies)
    return await ctx.kept.get(key, ctx.now(), lambda: _of_account(it, scopes, ctx, timeout))


async def of_key(given: Mapping[str, Any], place: str, scopes: str, ctx: Context, timeout: float) -> Token:
    """A token by the JSON key of a service account of Google's, which an object's Secret holds. Raises `Rejected`, `Transient`."""
    words = tuple(sorted((name, value) for name, value in given.items() if isinstance(value, str)))
    key = ("gcp", words, scopes, ctx.http.proxies)
    return await ctx.kept.get(key, ctx.now(), lambda: gcp_file.by_key(given, place, scopes, ctx, timeout, own=False))


async def _own(scopes: str, ctx: Context, timeout: float) -> Token:
    if ctx.platform.get("GOOGLE_APPLICATION_CREDENTIALS"):
        return await gcp_file.token(scopes, ctx, timeout)
    asked = urlencode({"scopes": scopes.replace(" ", ",")})
    ask = _metadata(f"instance/service-accounts/default/token?{asked}", ctx)
    return granted(await asking.json(ask, ctx, timeout), ask, ctx)


async def _of_account(it: Described, scopes: str, ctx: Context, timeout: float) -> Token:
    email, provider = it.keys.get("gcpServiceAccount", ""), it.keys.get("workloadIdentityProvider", "")
    if email and not _EMAIL.fullmatch(email):
        raise it.wrong("gcpServiceAccount", "the address of a service account of Google's")
    if provider and not _PROVIDER.fullmatch(provider):
        raise it.wrong(
            "workloadIdentityProvider",
            "projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER",
        )
    ours = theirs = f"//iam.googleapis.com/{provider}"
    if not provider:
        ours, theirs = await _gke(ctx, timeout)
    subject = (await accounts.token(it, ours, ctx)).value
    exchange = Exchange(audience=theirs, subject=subject, who=it.place, url=f"{_endpoint('STS', STS, ctx)}/v1/token")
    found = await exchanged(exchange, EVERYTHING if email else scopes, ctx, timeout)
    if not email:
        return found
    base = _endpoint("IAMCREDENTIALS", IMPERSONATION, ctx)
    url = f"{base}/v1/projects/-/serviceAccounts/{quote(email, safe='@')}:generateAccessToken"
    return await impersonated(found, url, scopes, ctx, timeout)


async def _gke(ctx: Context, timeout: float) -> tuple[str, str]:
    """Whom a token of this cluster is made out to, and what it is called at the token service."""
    found = []
    for name in ("project/project-id", "instance/attributes/cluster-location", "instance/attributes/cluster-name"):
        ask = _metadata(name, ctx)
        text = (await asking.text(ask, ctx, timeout)).decode("utf-8", "replace").strip()
        found.append(asking.word({name: text}, name, ask))
    project, location, cluster = found
    pool = f"{project}.svc.id.goog"
    provider = f"https://container.googleapis.com/v1/projects/{project}/locations/{location}/clusters/{cluster}"
    return pool, f"identitynamespace:{pool}:{provider}"


def _metadata(path: str, ctx: Context) -> Ask:
    host = ctx.platform.get("GCE_METADATA_HOST") or MACHINE
    return Ask(
        url=f"http://{host}/computeMetadata/v1/{path}",
        headers={"Metadata-Flavor": "Google"},
        direct=True,
        what=f"Google's metadata server at {host}",
        remedy="has this machine a service account? Outside Google name credentials by GOOGLE_APPLICATION_CREDENTIALS, or a "
        "workload identity provider",
    )


def _endpoint(service: str, url: str, ctx: Context) -> str:
    return (ctx.platform.get(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service}") or url).rstrip("/")
