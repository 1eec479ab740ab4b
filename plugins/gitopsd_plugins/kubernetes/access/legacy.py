"""Kubeconfigs with the old `auth-provider` (gcp, oidc, azure): kubernetes-asyncio knows them, and is imported for them only.

Its import costs 1.8 s and 94 MB, which no other kubeconfig pays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio

from gitopsd.plugin import Context, Rejected
from gitopsd_plugins.kubernetes.access.kubefile import Chosen

_KEPT = timedelta(minutes=5)
"""The library does not say when a token ends; so often it is asked again."""


@dataclass(slots=True)
class AuthProvider:
    """Asks the library for the token of one context."""

    chosen: Chosen
    ctx: Context
    _token: str = ""
    _since: datetime | None = None
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def token(self) -> str:
        """The token. Raises `Rejected` where the provider gives none."""
        async with self._lock:
            if self._since is None or self.ctx.now() - self._since > _KEPT:
                self._token = await self._load()
                self._since = self.ctx.now()
            return self._token

    def expire(self) -> None:
        """Forget what is kept."""
        self._since = None

    async def _load(self) -> str:
        from kubernetes_asyncio import client, config

        settings = client.Configuration()
        try:
            await config.load_kube_config(
                config_file=self.chosen.files[0],
                context=self.chosen.context,
                client_configuration=settings,
                persist_config=False,
            )
        except (config.ConfigException, OSError, ValueError, KeyError) as error:
            raise Rejected(
                f"{self.chosen.files[0]}: auth-provider of context {self.chosen.context!r}: {error}"
            ) from error
        value = str((settings.api_key or {}).get("BearerToken") or (settings.api_key or {}).get("authorization") or "")
        if not value:
            raise Rejected(f"{self.chosen.files[0]}: auth-provider of context {self.chosen.context!r} gave no token")
        return value.removeprefix("Bearer ")
