"""Tokens of Microsoft Entra ID: of this process (client secret, workload identity, managed identity), or of a service account.

Who a service account is there is told by its client id and its tenant's, and proven by a token of its own, which the client
has to trust (federated credentials). A client with a secret needs no such proof.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from gitopsd.model.errors import Rejected
from gitopsd.plugin.cloud import account as accounts
from gitopsd.plugin.cloud import ask as asking
from gitopsd.plugin.cloud import environment
from gitopsd.plugin.cloud.account import Account
from gitopsd.plugin.cloud.ask import Ask
from gitopsd.plugin.cloud.lent import Token, lasting
from gitopsd.plugin.context import Context
from gitopsd.plugin.sources import access

AUDIENCE = "api://AzureADTokenExchange"
"""Whom a service account's token is made out to, to be exchanged."""
AUTHORITY = "https://login.microsoftonline.com"
MACHINE = "http://169.254.169.254"
"""The instance metadata service."""

_ALL = "/.default"
_MACHINE = "AZURE_POD_IDENTITY_AUTHORITY_HOST"
_FEDERATED = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

Proof = Callable[[], Awaitable[str]]
"""Gives a signed statement of who the client is, asked for when it is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Whose token is asked for, and where. `place` says in messages who named it; `own`: the operator did, not an object."""

    place: str
    tenant: str
    client: str
    secret: str = field(default="", repr=False)
    authority: str = AUTHORITY
    own: bool = False

    @property
    def url(self) -> str:
        """Where its tokens are asked for."""
        return f"{self.authority}/{quote(self.tenant, safe='')}/oauth2/v2.0/token"


async def token(account: Account | None, scope: str, ctx: Context, timeout: float) -> Token:
    """A token of this identity for one scope (`https://vault.azure.net/.default`).

    Raises `Rejected` where Entra ID or the machine gives none, `NotReady` for an account that nobody knows, `Transient`.
    """
    if account is None:
        key: tuple[Any, ...] = ("azure", tuple(sorted(ctx.platform.items())), scope, ctx.http.proxies)
        return await ctx.kept.get(key, ctx.now(), lambda: _own(scope, ctx, timeout))
    it = await accounts.described(account, ctx)
    found = client(it.keys, it.place, ctx) if it.secret else _annotated(it, ctx)

    async def proof() -> str:
        return (await accounts.token(it, AUDIENCE, ctx)).value

    return await of_client(found, scope, ctx, timeout, proof)


async def of_client(it: Client, scope: str, ctx: Context, timeout: float, proof: Proof | None = None) -> Token:
    """A token of a client that is known by its secret, or else by the proof. Raises `Rejected` and `Transient`."""
    if not it.secret and proof is None:
        raise Rejected(f"{it.place} lacks the key clientSecret of the client {it.client}", reason=access.FAILED)
    key = ("azure", it, scope, ctx.http.proxies)
    return await ctx.kept.get(key, ctx.now(), lambda: _granted(it, scope, proof, ctx, timeout))


async def of_machine(client: str, scope: str, ctx: Context, timeout: float) -> Token:
    """A token of a managed identity of this machine by its client id, '' for the only one. Raises `Rejected` and `Transient`."""
    key = ("azure-machine", client, ctx.platform.get(_MACHINE, ""), scope)
    return await ctx.kept.get(key, ctx.now(), lambda: _machine(client, scope, ctx, timeout))


def client(keys: Mapping[str, str], place: str, ctx: Context) -> Client:
    """From `tenantId` and `clientId`; `clientSecret` and `authorityHost` where they are there. Raises `Rejected`."""
    for key in ("tenantId", "clientId"):
        if not keys.get(key):
            raise Rejected(f"{place} lacks the key {key} of the identity in Azure", reason=access.FAILED)
    named = keys.get("authorityHost", "").rstrip("/")
    return Client(
        place=place,
        tenant=keys["tenantId"],
        client=keys["clientId"],
        secret=keys.get("clientSecret", ""),
        authority=_https(named, place) if named else _authority(ctx),
        own=not named,
    )


def _annotated(it: accounts.Described, ctx: Context) -> Client:
    return Client(
        place=it.place, tenant=it.need("tenantId"), client=it.need("clientId"), authority=_authority(ctx), own=True
    )


def _https(authority: str, place: str) -> str:
    try:
        parts = urlsplit(authority)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK)):
        raise Rejected(f"{place}: authorityHost {authority[:80]!r} is not an https address", reason=access.FAILED)
    return authority


def _authority(ctx: Context) -> str:
    return (ctx.platform.get("AZURE_AUTHORITY_HOST") or AUTHORITY).rstrip("/")


async def _own(scope: str, ctx: Context, timeout: float) -> Token:
    """In the order of Azure's own libraries."""
    given = ctx.platform
    if given.get("AZURE_CLIENT_SECRET"):
        found = _named(ctx, "AZURE_CLIENT_SECRET")
        return await _granted(found, scope, None, ctx, timeout)
    if given.get("AZURE_FEDERATED_TOKEN_FILE"):
        found = _named(ctx, "AZURE_FEDERATED_TOKEN_FILE")
        return await _granted(found, scope, lambda: environment.token("AZURE_FEDERATED_TOKEN_FILE", ctx), ctx, timeout)
    return await of_machine(given.get("AZURE_CLIENT_ID", ""), scope, ctx, timeout)


def _named(ctx: Context, because: str) -> Client:
    given = ctx.platform
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID"):
        if not given.get(name):
            raise Rejected(f"{because} needs {name} in the environment too", reason=access.FAILED)
    secret = given.get("AZURE_CLIENT_SECRET", "")
    return Client(
        place="the environment",
        tenant=given["AZURE_TENANT_ID"],
        client=given["AZURE_CLIENT_ID"],
        secret=secret,
        authority=_authority(ctx),
        own=True,
    )


async def _granted(it: Client, scope: str, proof: Proof | None, ctx: Context, timeout: float) -> Token:
    form = {"grant_type": "client_credentials", "client_id": it.client, "scope": scope}
    if it.secret or proof is None:
        ctx.conceal(it.secret.encode())
        form["client_secret"] = it.secret
    else:
        form |= {"client_assertion_type": _FEDERATED, "client_assertion": await proof()}
    ask = Ask(
        method="POST",
        url=it.url,
        data=form,
        own=it.own,
        what=f"Entra ID at {it.authority} for the client {it.client} ({it.place})",
        remedy="check the client's federated credentials: issuer, subject and audience" if not it.secret else "",
    )
    return _token(await asking.json(ask, ctx, timeout), ask, ctx)


async def _machine(client: str, scope: str, ctx: Context, timeout: float) -> Token:
    host = (ctx.platform.get(_MACHINE) or MACHINE).rstrip("/")
    asked = {"api-version": "2018-02-01", "resource": scope.removesuffix(_ALL)}
    if client:
        asked["client_id"] = client
    ask = Ask(
        url=f"{host}/metadata/identity/oauth2/token?{urlencode(asked)}",
        headers={"Metadata": "true"},
        direct=True,
        what=f"the managed identity at {host}",
        remedy="has this machine an identity?",
    )
    return _token(await asking.json(ask, ctx, timeout), ask, ctx)


def _token(found: Mapping[str, Any], ask: Ask, ctx: Context) -> Token:
    value = asking.word(found, "access_token", ask)
    ctx.conceal(value.encode())
    return Token(value=value, until=lasting(ctx.now(), found.get("expires_in"), ask.what))
