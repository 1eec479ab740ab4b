"""What the daemon and its worker processes say to each other about a bucket: frozen values as MessagePack.

Orders carry credentials; they pass through a pipe and are never written anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from gitopsd.plugin import Stored
from gitopsd.plugin.egress import Egress

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a bucket may bring: objects in a listing, bytes of one object and of all."""

    objects: int = 250_000
    file: int = 256 << 20
    total: int = 4 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """List a bucket, and bring its objects where `revision` is named. `timeout` in seconds for one request.

    `store` and `client` are obstore's own options. `known_as` begins the native ids of objects: what it says is who may
    trust what was fetched.
    """

    provider: str
    bucket: str
    place: str
    url: str
    known_as: str
    store: Mapping[str, str | bool] = field(repr=False)
    client: Mapping[str, str | bool] = field(repr=False)
    login: str
    """The field that names the login, for messages; '' for none."""
    timeout: float
    spool: str
    """A folder for what lies on the disk between the bucket and the store."""
    token: str = field(default="", repr=False)
    """A bearer token, for a store that takes it by a function only."""
    ca_file: str = ""
    """An extra CA bundle, where the client's options name none."""
    egress: Egress = field(default_factory=Egress)
    own_proxies: bool = True
    """The proxy among the options is the operator's: what the setting about addresses says is not about it."""
    prefix: str = ""
    ignore: str | None = None
    revision: str = ""
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderOrder:
    """Bring a local folder as the objects of a bucket, under the bucket's rules."""

    folder: str
    prefix: str = ""
    ignore: str | None = None
    limits: Limits = Limits()


def encode(value: Order | FolderOrder | Stored) -> bytes:
    """As bytes for the pipe."""
    return msgspec.msgpack.encode(value)


def decode(data: bytes, kind: type[T]) -> T:
    """The inverse of `encode`."""
    return msgspec.msgpack.decode(data, type=kind)
