"""Where an API server is and whom it is trusted by, as a cloud tells it of a cluster of its own. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gitopsd.plugin import AccountToken, Context, Misconfigured, Rejected

TIMEOUT = 30.0
"""Seconds that a cloud may take to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An API server. `ca` is PEM."""

    address: str
    ca: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Lent:
    """A token for the cluster, and what of `Context.kept` is to be dropped where the cluster refuses it."""

    token: AccountToken
    by: object


class CloudCluster(Protocol):
    """A cluster of a cloud, seen by a service account's identity there."""

    async def place(self, address: str, ctx: Context, /) -> Place:
        """Asked of the cloud; `address` is the one that is wanted where there are several, '' for any.

        Raises `Misconfigured` where nothing names the cluster, `Rejected`, `NotReady` and `Transient` as the cloud's answers say.
        """
        ...

    async def token(self, ctx: Context) -> Lent:
        """A new token. Raises as `place`."""
        ...


def told(found: Any, ca: Any, what: str) -> Place:
    """An address and a CA as a cloud writes it, in base64. Raises `Rejected` for what is neither."""
    try:
        pem = base64.b64decode(ca, validate=True)
    except (TypeError, ValueError, binascii.Error):
        pem = b""
    if not isinstance(found, str) or not found or b"CERTIFICATE" not in pem:
        raise Rejected(f"{what} names no address of the cluster and no CA; is it still being made?")
    return Place(address=found if "://" in found else f"https://{found}", ca=pem)


def inside(found: Mapping[str, Any], *path: str) -> Any:
    """What lies below these keys; None where there is nothing."""
    value: Any = found
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def misnamed(where: str, cluster: str, form: str) -> Misconfigured:
    """The error for a `cluster` that is not of this form."""
    return Misconfigured(f"{where}: cluster {cluster!r} is not of the form {form}")
