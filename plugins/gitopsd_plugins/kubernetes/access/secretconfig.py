"""Access by a kubeconfig that is kept in a Secret: an app's `spec.kubeConfig.secretRef`, or `spec.kubeconfigSecret` of a `Cluster`.

Whoever wrote the Secret is trusted with a cluster, not with this machine: no program, no file, no unverified server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from gitopsd.plugin import Access, Context, Misconfigured, Spec, spec
from gitopsd_plugins.kubernetes.access import kubeconfig, kubefile

_KEYS = ("value", "value.yaml")
"""Where Flux looks when no key is named."""


class SecretKubeconfigSpec(Spec, frozen=True, kw_only=True):
    """Which Secret, and which of its keys."""

    name: str
    namespace: str = "flux-system"
    key: str = ""


class SecretKubeconfigAccess:
    """Reaches a cluster as the current context of the kubeconfig in a Secret says; read when the cluster is opened."""

    name = "kubeconfigSecret"

    @asynccontextmanager
    async def open(self, cluster: str, spec: Mapping[str, Any], ctx: Context) -> AsyncIterator[Access]:
        """Raises `NotReady` for a Secret that is not there, `Misconfigured` naming it and what is wrong in it."""
        wanted = _decoded(spec)
        data = await ctx.credentials.secret(wanted.namespace, wanted.name)
        where = f"Secret/{wanted.namespace}/{wanted.name}"
        text = next((data[key] for key in ((wanted.key,) if wanted.key else _KEYS) if key in data), None)
        if text is None:
            raise Misconfigured(f"{where} lacks the key {wanted.key or ' or '.join(_KEYS)}; put the kubeconfig there")
        yield await kubeconfig.reached(cluster, kubefile.embedded(text, where), ctx)


def _decoded(value: Mapping[str, Any]) -> SecretKubeconfigSpec:
    return spec.decode(value, SecretKubeconfigSpec)
