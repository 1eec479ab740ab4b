"""Credentials whose values are masked in every log line from the moment that they are read."""

from __future__ import annotations

from collections.abc import Mapping

from gitopsd.model.masking import Secrets
from gitopsd.plugin.context import Credentials


class MaskedCredentials:
    """Passes on to other credentials, and registers what comes back."""

    def __init__(self, credentials: Credentials, secrets: Secrets) -> None:
        self._credentials = credentials
        self._secrets = secrets

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """The data of a Secret."""
        values = await self._credentials.secret(namespace, name)
        for value in values.values():
            self._secrets.add(value)
        return values

    async def config(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """The data of a ConfigMap, which is no secret."""
        return await self._credentials.config(namespace, name)
