"""Access by the user's own kubeconfig: `spec.kubeconfig: {path: ..., context: ...}` of a `Cluster`.

The file is trusted as the user's: its exec plugins may run. It is read when the cluster is opened; tokens are renewed while it
is open, a renewed client certificate is taken up when it is opened again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from gitopsd.plugin import Access, Context, Misconfigured, Spec, Tls, spec
from gitopsd_plugins.kubernetes.access import kubefile, login
from gitopsd_plugins.kubernetes.access.execplugin import Credential, ExecPlugin
from gitopsd_plugins.kubernetes.access.kubefile import Chosen
from gitopsd_plugins.kubernetes.access.legacy import AuthProvider
from gitopsd_plugins.kubernetes.access.login import Token, TokenFile


class KubeconfigSpec(Spec, frozen=True, kw_only=True):
    """`path` may name several files, as KUBECONFIG does; `context` must be named."""

    path: str
    context: str = ""


class KubeconfigAccess:
    """Reaches a cluster as a kubeconfig's context says."""

    name = "kubeconfig"

    @asynccontextmanager
    async def open(self, cluster: str, spec: Mapping[str, Any], ctx: Context) -> AsyncIterator[Access]:
        """Raises `Misconfigured` naming the file and what is wrong in it."""
        yield await reached(cluster, _chosen(cluster, spec), ctx)


def _chosen(cluster: str, value: Mapping[str, Any]) -> Chosen:
    wanted = spec.decode(value, KubeconfigSpec)
    paths = kubefile.split(wanted.path)
    if not paths:
        raise Misconfigured(f"Cluster/{cluster}: spec.kubeconfig.path is empty; name the kubeconfig file")
    return kubefile.choose(paths, wanted.context)


async def reached(cluster: str, chosen: Chosen, ctx: Context) -> Access:
    """The access that a context describes."""
    entry, user = chosen.cluster, chosen.user
    ca = kubefile.content(
        entry.certificate_authority_data, entry.certificate_authority, chosen.cluster_folder, "certificate-authority"
    )
    token, expire, credential = await _token(chosen, ca, ctx)
    basic = (user.username, user.password) if user.username else None
    return Access(
        cluster=cluster,
        server=entry.server,
        context=chosen.context,
        tls=_tls(chosen, ca, credential),
        proxy=entry.proxy_url,
        headers=login.headers(token, basic, login.impersonation(user)),
        expire=expire,
    )


async def _token(
    chosen: Chosen, ca: bytes, ctx: Context
) -> tuple[Token | None, Callable[[], None] | None, Credential | None]:
    """Where the token comes from, in kubectl's order, how to renew it, and what an exec plugin said already."""
    user = chosen.user
    if user.token_file:
        file = TokenFile(chosen.user_folder / user.token_file)
        return file.token, file.expire, None
    if user.token:
        return login.fixed(user.token), None, None
    if user.exec is not None:
        plugin = ExecPlugin(entry=user.exec, cluster=chosen.cluster, ca=ca, folder=chosen.user_folder, now=ctx.now)
        return login.from_plugin(plugin), plugin.expire, await plugin.credential()
    if user.auth_provider is not None:
        provider = AuthProvider(chosen, ctx)
        return provider.token, provider.expire, None
    return None, None, None


def _tls(chosen: Chosen, ca: bytes, credential: Credential | None) -> Tls:
    entry, user, folder = chosen.cluster, chosen.user, chosen.user_folder
    certificate = kubefile.content(user.client_certificate_data, user.client_certificate, folder, "client-certificate")
    key = kubefile.content(user.client_key_data, user.client_key, folder, "client-key")
    if credential is not None and credential.client_certificate_data:
        certificate, key = credential.client_certificate_data.encode(), credential.client_key_data.encode()
    if entry.proxy_url and not entry.proxy_url.startswith(("http://", "https://")):
        raise Misconfigured(f"{', '.join(chosen.files)}: proxy-url must be an http or https address")
    if entry.insecure_skip_tls_verify and ca:
        raise Misconfigured(
            f"{', '.join(chosen.files)}: context {chosen.context!r} has insecure-skip-tls-verify and a certificate-authority; "
            "remove one"
        )
    return Tls(
        ca=ca, certificate=certificate, key=key, name=entry.tls_server_name, insecure=entry.insecure_skip_tls_verify
    )
