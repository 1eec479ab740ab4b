"""Access as a ConfigMap describes it, without a password anywhere: an app's `spec.kubeConfig.configMapRef`.

`provider: generic`: a token of a service account, made out to the other cluster, which must trust its issuer. It comes from the
home's own Secret of the account's name, or from the cluster where gitopsd's objects are. `provider: azure`: that Secret names
an identity of Entra ID, which gives the token (azure.py). The account is one of the ConfigMap's namespace and must be named:
gitopsd's own identity is lent to nobody, since whoever wrote the ConfigMap chose the address that the token is sent to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import anyio

from gitopsd.plugin import Access, AccountToken, Context, Misconfigured, NotReady, Spec, Tls, Unsupported, spec
from gitopsd.plugin.context import UNREADABLE
from gitopsd_plugins.kubernetes.access import azure, kubefile, login

_SERVED, _UNSERVED = ("generic", "azure"), ("aws", "gcp")
_LOOK_AGAIN = timedelta(minutes=1)
"""How long a token from the home is used before its Secret is read again."""
_EARLY = 0.2
"""The last part of a token's life, in which a new one is asked for."""
_KEY = "token"


class ConfigMapSpec(Spec, frozen=True, kw_only=True):
    """Which ConfigMap."""

    name: str
    namespace: str = "flux-system"


class ConfigMapAccess:
    """Reaches the cluster that a ConfigMap describes in Flux's words; read when the cluster is opened."""

    name = "kubeconfigConfigMap"

    @asynccontextmanager
    async def open(self, cluster: str, spec: Mapping[str, Any], ctx: Context) -> AsyncIterator[Access]:
        """Raises `NotReady` for a ConfigMap that is not there, `Misconfigured` and `Unsupported` naming it and its key."""
        wanted = _decoded(spec)
        described = read(await ctx.credentials.config(wanted.namespace, wanted.name), wanted.namespace, wanted.name)
        tokens = _Tokens(described=described, ctx=ctx)
        yield Access(
            cluster=cluster,
            server=described.address,
            tls=Tls(ca=described.ca),
            headers=login.headers(tokens.token, None, ()),
            expire=tokens.expire,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What the ConfigMap says, as it is used."""

    provider: str
    namespace: str
    account: str
    address: str
    audiences: tuple[str, ...]
    ca: bytes


def read(data: Mapping[str, bytes], namespace: str, name: str) -> Described:
    """PURE. The ConfigMap's meaning. Raises `Misconfigured`, `Unsupported` for a provider that is not served."""
    where = f"ConfigMap/{namespace}/{name}"
    provider = _text(data, "provider", where)
    if provider in _UNSERVED:
        raise Unsupported(
            f"spec.kubeConfig.configMapRef: {where}: provider {provider}: not served yet; use provider generic, or a kubeconfig "
            "by spec.kubeConfig.secretRef"
        )
    if provider not in _SERVED:
        raise Misconfigured(f"{where}: provider {provider!r} is not one of {', '.join(_SERVED + _UNSERVED)}")
    if provider == "azure" and not data.get("address", b"").strip():
        raise Unsupported(
            f"spec.kubeConfig.configMapRef: {where}: provider azure without address: the look-up of `cluster` is not served yet; "
            "write the address and ca.crt of the API server"
        )
    account = _text(data, "serviceAccountName", where, "the service account of its namespace that is known there")
    address = _canonical(_text(data, "address", where, "the address of the API server"), where)
    lines = data.get("audiences", b"").decode("utf-8", "replace").splitlines()
    return Described(
        provider=provider,
        namespace=namespace,
        account=account,
        address=address,
        audiences=tuple(line.strip() for line in lines if line.strip()) or (address,),
        ca=data.get("ca.crt", b""),
    )


@dataclass(slots=True, kw_only=True)
class _Tokens:
    """The token of now; asked for by many requests at once, fetched by one."""

    described: Described
    ctx: Context
    _kept: str = ""
    _until: datetime | None = None
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def token(self) -> str:
        async with self._lock:
            now = self.ctx.now()
            if self._until is None or now >= self._until:
                found = await self._fresh(now)
                self._kept, self._until = found.value, found.expires
            return self._kept

    def expire(self) -> None:
        self._until = None

    async def _fresh(self, now: datetime) -> AccountToken:
        """`expires` is when to look again."""
        it = self.described
        if it.provider == "azure":
            return await self._of_azure(now)
        try:
            data = await self.ctx.credentials.secret(it.namespace, it.account)
        except NotReady as absent:
            if absent.reason == UNREADABLE:
                raise
            return await self._issued(now, absent)
        if not data.get(_KEY, b"").strip():
            raise Misconfigured(
                f"Secret/{it.namespace}/{it.account} lacks the key {_KEY}; put the account's token there"
            )
        return AccountToken(value=data[_KEY].decode("utf-8", "replace").strip(), expires=now + _LOOK_AGAIN)

    async def _issued(self, now: datetime, absent: NotReady) -> AccountToken:
        it = self.described
        try:
            token = await self.ctx.issue(it.namespace, it.account, it.audiences)
        except NotReady as nobody:
            raise NotReady(f"{nobody}; or put it into a Secret of that name under {_KEY} ({absent})") from nobody
        return _early(token, now)

    async def _of_azure(self, now: datetime) -> AccountToken:
        it = self.described
        data = await self.ctx.credentials.secret(it.namespace, it.account)

        async def assertion() -> str:
            if given := data.get(_KEY, b"").strip():
                return given.decode("utf-8", "replace")
            return (await self.ctx.issue(it.namespace, it.account, azure.AUDIENCES)).value

        identity = azure.identity(data, f"Secret/{it.namespace}/{it.account}")
        return _early(await azure.token(identity, assertion, self.ctx), now)


def _early(token: AccountToken, now: datetime) -> AccountToken:
    return AccountToken(value=token.value, expires=token.expires - (token.expires - now) * _EARLY)


def _decoded(value: Mapping[str, Any]) -> ConfigMapSpec:
    return spec.decode(value, ConfigMapSpec)


def _text(data: Mapping[str, bytes], key: str, where: str, what: str = "") -> str:
    found = data.get(key, b"").decode("utf-8", "replace").strip()
    if not found:
        raise Misconfigured(f"{where} lacks the key {key}" + (f": {what}" if what else ""))
    return found


def _canonical(address: str, where: str) -> str:
    """As Flux writes it, since it is the audience where none is named: https, lower case, with its port, without a path."""
    whole = address if "://" in address else f"https://{address}"
    parts = urlsplit(whole)
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise Misconfigured(f"{where}: address {address!r} is not the address of a server: {error}") from error
    loopback = parts.scheme == "http" and host in kubefile.LOOPBACK
    if not host or parts.username is not None or not (parts.scheme == "https" or loopback):
        raise Misconfigured(f"{where}: address {address!r} is not the https address of an API server")
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}:{port or (443 if parts.scheme == 'https' else 80)}"
