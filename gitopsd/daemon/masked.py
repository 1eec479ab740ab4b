"""Credentials whose values are masked from the moment that they are read, and the way to a cluster whose logins are, likewise."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import replace

from gitopsd.model.masking import Secrets
from gitopsd.plugin.cloud import account
from gitopsd.plugin.context import Credentials
from gitopsd.plugin.roles import Access

PUBLIC = frozenset({"authorityHost", "ca.crt", "known_hosts", "sops.addresses", "tls.crt", *account.ANNOTATIONS})
"""Keys of Secrets whose values are no secrets: messages must be able to name an address, or who one is in a cloud."""


class MaskedCredentials:
    """Passes on to other credentials, and registers what comes back."""

    def __init__(self, credentials: Credentials, secrets: Secrets) -> None:
        self._credentials = credentials
        self._secrets = secrets

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """The data of a Secret."""
        values = await self._credentials.secret(namespace, name)
        for key in values.keys() - PUBLIC:
            self._secrets.add(values[key])
        return values

    async def config(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """The data of a ConfigMap, which is no secret."""
        return await self._credentials.config(namespace, name)


def access(line: Access, conceal: Callable[[bytes], None]) -> Access:
    """The same access; what it logs in with is masked from each time on that it is used, since tokens are renewed."""
    conceal(line.tls.key)
    if (asked := line.headers) is None:
        return line

    async def headers() -> Mapping[str, str]:
        given = await asked()
        for value in _logins(given.get("Authorization", "")):
            conceal(value)
        return given

    return replace(line, headers=headers)


def _logins(authorization: str) -> tuple[bytes, ...]:
    """A bearer token, or what a basic login is made of."""
    sort, _, value = authorization.partition(" ")
    if sort.lower() != "basic":
        return (value.encode(),)
    try:
        decoded = base64.b64decode(value)
    except binascii.Error:
        return (value.encode(),)
    return (value.encode(), decoded.partition(b":")[2])
