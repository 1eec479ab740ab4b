"""Access as a ConfigMap describes it, without a password anywhere: an app's `spec.kubeConfig.configMapRef`.

`provider: generic`: a token of a service account, made out to the other cluster, which must trust its issuer. It comes from the
home's own Secret of the account's name, or from the cluster where gitopsd's objects are. `aws`, `azure` and `gcp`: the
account's identity there gives the token, and the cloud says where the cluster is (`eks.py`, `aks.py`, `gke.py`). The account is
one of the ConfigMap's namespace and must be named: gitopsd's own identity is lent to nobody, since whoever wrote the ConfigMap
chose the cluster, and the address that the token is sent to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import anyio

from gitopsd.plugin import Access, AccountToken, Context, Misconfigured, NotReady, Spec, Tls, spec
from gitopsd.plugin.cloud import Account
from gitopsd.plugin.context import UNREADABLE
from gitopsd_plugins.kubernetes.access import kubefile, login
from gitopsd_plugins.kubernetes.access.aks import Aks
from gitopsd_plugins.kubernetes.access.eks import Eks
from gitopsd_plugins.kubernetes.access.gke import Gke
from gitopsd_plugins.kubernetes.access.place import CloudCluster, Lent

_GENERIC = "generic"
_CLOUDS: Mapping[str, Callable[[Account, str, str], CloudCluster]] = {"aws": Eks.of, "azure": Aks.of, "gcp": Gke.of}
"""How a cloud's cluster is made of the account, `cluster`, and where that stands."""
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
        """Raises `NotReady` for a ConfigMap that is not there, `Misconfigured` naming it and its key, and what a cloud says."""
        wanted = _decoded(spec)
        described = read(await ctx.credentials.config(wanted.namespace, wanted.name), wanted.namespace, wanted.name)
        address, ca = await _placed(described, ctx)
        tokens = _Tokens(described=described, ctx=ctx)
        yield Access(
            cluster=cluster,
            server=address,
            tls=Tls(ca=ca),
            headers=login.headers(tokens.token, None, ()),
            expire=tokens.expire,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What the ConfigMap says, as it is used. `cloud`: None for the provider `generic`; `asked`: the cloud is, where it is."""

    where: str
    account: Account
    address: str
    audiences: tuple[str, ...]
    ca: bytes
    cloud: CloudCluster | None
    asked: bool


def read(data: Mapping[str, bytes], namespace: str, name: str) -> Described:
    """PURE. The ConfigMap's meaning. Raises `Misconfigured`."""
    where = f"ConfigMap/{namespace}/{name}"
    provider = _text(data, "provider", where)
    if provider != _GENERIC and provider not in _CLOUDS:
        raise Misconfigured(f"{where}: provider {provider!r} is not one of {', '.join((_GENERIC, *_CLOUDS))}")
    named = _text(data, "serviceAccountName", where, "the service account of its namespace that is known there")
    account = Account(namespace=namespace, name=named)
    cloud = None if provider == _GENERIC else _CLOUDS[provider](account, _plain(data, "cluster"), where)
    known = cloud is not None and bool(_plain(data, "cluster"))
    or_cluster = ", or cluster for the cloud to tell it" if cloud is not None else ""
    needed = f"the address of the API server{or_cluster}"
    address = _plain(data, "address") if known else _text(data, "address", where, needed)
    address = _canonical(address, where) if address else ""
    ca = data.get("ca.crt", b"")
    lines = _plain(data, "audiences").splitlines()
    return Described(
        where=where,
        account=account,
        address=address,
        audiences=tuple(line.strip() for line in lines if line.strip()) or (address,),
        ca=ca,
        cloud=cloud,
        asked=known and not (address and ca.strip()),
    )


async def _placed(it: Described, ctx: Context) -> tuple[str, bytes]:
    """Address and CA: what the ConfigMap says, else what the cloud does."""
    if it.cloud is None or not it.asked:
        return it.address, it.ca
    found = await it.cloud.place(it.address, ctx)
    return it.address or _canonical(found.address, it.where), it.ca if it.ca.strip() else found.ca


@dataclass(slots=True, kw_only=True)
class _Tokens:
    """The token of now; asked for by many requests at once, fetched by one."""

    described: Described
    ctx: Context
    _kept: Lent | None = None
    _until: datetime | None = None
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def token(self) -> str:
        async with self._lock:
            now = self.ctx.now()
            if self._kept is None or self._until is None or now >= self._until:
                self._kept = await self._fresh(now)
                self._until = self._kept.token.expires
            return self._kept.token.value

    def expire(self) -> None:
        """The cluster refused it: neither it nor what it was made by is used again."""
        if self._kept is not None:
            self.ctx.kept.forget(self._kept.by)
        self._until = None

    async def _fresh(self, now: datetime) -> Lent:
        """`expires` is when to look again."""
        it = self.described
        if it.cloud is not None:
            lent = await it.cloud.token(self.ctx)
            return Lent(token=_early(lent.token, now), by=lent.by)
        return Lent(token=await self._of_home(now), by=None)

    async def _of_home(self, now: datetime) -> AccountToken:
        account = self.described.account
        try:
            data = await self.ctx.credentials.secret(account.namespace, account.name)
        except NotReady as absent:
            if absent.reason == UNREADABLE:
                raise
            return await self._issued(now, absent)
        if not data.get(_KEY, b"").strip():
            raise Misconfigured(
                f"Secret/{account.namespace}/{account.name} lacks the key {_KEY}; put the account's token there"
            )
        return AccountToken(value=data[_KEY].decode("utf-8", "replace").strip(), expires=now + _LOOK_AGAIN)

    async def _issued(self, now: datetime, absent: NotReady) -> AccountToken:
        it = self.described
        try:
            token = await self.ctx.issue(it.account.namespace, it.account.name, it.audiences)
        except NotReady as nobody:
            raise NotReady(f"{nobody}; or put it into a Secret of that name under {_KEY} ({absent})") from nobody
        return _early(token, now)


def _early(token: AccountToken, now: datetime) -> AccountToken:
    return AccountToken(value=token.value, expires=token.expires - (token.expires - now) * _EARLY)


def _decoded(value: Mapping[str, Any]) -> ConfigMapSpec:
    return spec.decode(value, ConfigMapSpec)


def _plain(data: Mapping[str, bytes], key: str) -> str:
    return data.get(key, b"").decode("utf-8", "replace").strip()


def _text(data: Mapping[str, bytes], key: str, where: str, what: str = "") -> str:
    found = _plain(data, key)
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
