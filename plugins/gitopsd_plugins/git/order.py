"""What the daemon and its worker processes say to each other about a repository: frozen values as MessagePack.

Orders carry credentials; they pass through a pipe and are never written anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from gitopsd.plugin import Context, Proxies, Rejected, Stored
from gitopsd.plugin.egress import Egress
from gitopsd_plugins.git.address import Address
from gitopsd_plugins.git.credentials import Access
from gitopsd_plugins.git.reference import Advertised
from gitopsd_plugins.git.signatures.verification import Verification

T = TypeVar("T")
PATIENCE = 0.8
"""Share of an operation's time after which a silent server is noticed, and named, before the whole runs out of time."""


class Refused(Rejected):
    """The server answered, in Git's words, that it will not do what was asked."""


class Malformed(Rejected):
    """What came is not Git's, or does not fit to what the cache holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A repository, what opens it, and the way to it. `timeout` in seconds for each wait on the network."""

    address: Address
    access: Access = field(repr=False)
    proxies: Proxies = field(default_factory=Proxies)
    own_proxies: bool = True
    egress: Egress = field(default_factory=Egress)
    ca_file: str = ""
    user_agent: str = "gitopsd"
    timeout: float = 60.0

    @property
    def proxy(self) -> str:
        """The proxy on the way there; '' for none."""
        return self.proxies.for_url(self.address.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOrder:
    """List the refs of these prefixes."""

    remote: Remote
    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a repository may bring: entries of a tree, bytes of one file and of all, bytes of one download."""

    entries: int = 250_000
    file: int = 256 << 20
    total: int = 4 << 30
    download: int = 4 << 30
    cache: int = 8 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A part of another source's tree that is copied in; `name` is that source's, for messages."""

    name: str
    tree: str
    from_path: str
    to_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What of a commit's files makes the artifact, and what comes to them: equal rules and commits, equal trees."""

    ignore: str | None = None
    sparse: tuple[str, ...] = ()
    copies: tuple[Copy, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOrder:
    """Bring one commit into the store. `base` is the commit behind `tree`, under the same rules; '' for none."""

    remote: Remote
    cache: str
    commit: str
    ref: str = ""
    """The full name of the ref that advertised the commit; '' where it was named itself."""
    branch: str = ""
    """The commit must be reachable from this branch."""
    rules: Rules = Rules()
    verification: Verification | None = None
    submodules: bool = False
    base: str = ""
    tree: str = ""
    limits: Limits = Limits()

    @property
    def place(self) -> str:
        """Where the commit comes from, for messages."""
        return self.remote.address.url


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderOrder:
    """Bring a local folder into the store as if it were a commit's files."""

    folder: str
    rules: Rules = Rules()
    limits: Limits = Limits()

    @property
    def place(self) -> str:
        """The folder, for messages."""
        return self.folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came of a `FetchOrder`. `submodules` are paths that were left out, after a base only those that differ there."""

    stored: Stored
    verified: str = ""
    submodules: tuple[str, ...] = ()


def remote(place: Address, opened: Access, ctx: Context, timeout: float) -> Remote:
    """The way to a repository as a worker process needs it; `timeout` in seconds for the whole operation."""
    return Remote(
        address=place,
        access=opened,
        proxies=ctx.http.proxies,
        own_proxies=ctx.http.own_proxies,
        egress=ctx.http.egress,
        ca_file=ctx.http.ca_file,
        user_agent=ctx.http.user_agent,
        timeout=timeout * PATIENCE,
    )


def encode(value: ListOrder | FetchOrder | FolderOrder | Fetched | Stored | Mapping[str, Advertised]) -> bytes:
    """As bytes for the pipe."""
    return msgspec.msgpack.encode(value)


def decode(data: bytes, kind: type[T]) -> T:
    """The inverse of `encode`."""
    return msgspec.msgpack.decode(data, type=kind)
