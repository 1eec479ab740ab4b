"""What a plugin is given to work with: the only way to the network, to other processes, to credentials and to the clock.

Nothing of it is global. A plugin never reads the environment, never starts a process, and opens no connection but through
its `Context`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gitopsd.model.declared import SourceIntent
from gitopsd.model.errors import NotReady
from gitopsd.model.identity import ObjectRef
from gitopsd.model.tree import Artifact
from gitopsd.plugin.hosts import Hosts
from gitopsd.plugin.http import Http
from gitopsd.plugin.kept import Kept
from gitopsd.plugin.reach import Reach
from gitopsd.plugin.tree import Intake

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


class Work(Protocol):
    """CPU-bound work in spawned, killable, niced worker processes."""

    async def run(self, job: str, payload: bytes, *, timeout: float, memory: int = 0) -> bytes:
        """Run `module:function` as `function(payload: bytes, intake: Intake) -> bytes` in a worker process.

        `timeout` in seconds; the process is killed when it passes, and when the caller is cancelled. `memory` in bytes (0:
        the setting). An error of the gitopsd tree raised by the job is raised here again as its class; a killed or crashed
        worker is `Rejected`, naming the limit.
        """
        ...


UNREADABLE = "SecretUnreadable"
"""The reason of a `NotReady` for what is there and cannot be read: it is not to be looked for elsewhere."""


class Credentials(Protocol):
    """Secrets and config maps by name, read again at each use. Where they come from is the home's affair."""

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """The decoded data of a Secret. Raises `NotReady` that names every place where it was looked for."""
        ...

    async def config(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """The data of a ConfigMap, likewise."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountToken:
    """A token of a service account, and when it ends."""

    value: str = field(repr=False)
    expires: datetime


Issue = Callable[[str, str, Sequence[str]], Awaitable[AccountToken]]
"""Ask the cluster where gitopsd's own objects are for a new token: namespace, service account, audiences.

Raises `NotReady` where there is no such cluster, else as requests to a cluster do.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount:
    """What a service account says of itself; `pull_secrets` are the data of its imagePullSecrets, where they were asked for."""

    annotations: Mapping[str, str] = field(default_factory=dict)
    pull_secrets: tuple[Mapping[str, bytes], ...] = field(default=(), repr=False)


class Describe(Protocol):
    """Asks the same cluster for a service account."""

    async def __call__(self, namespace: str, name: str, *, secrets: bool = False) -> ServiceAccount:
        """Raises `NotReady` where there is no cluster, no such account, or a Secret that it names is not there."""
        ...


async def _nobody(namespace: str, account: str, audiences: Sequence[str]) -> AccountToken:
    raise NotReady(f"ServiceAccount/{namespace}/{account}: there is no cluster that could issue a token for it")


async def _nowhere(namespace: str, name: str, *, secrets: bool = False) -> ServiceAccount:
    raise NotReady(f"ServiceAccount/{namespace}/{name}: there is no cluster that could know it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A declared source as another one may see it: what it asks for, and what of it is stored; None without an artifact."""

    intent: SourceIntent
    artifact: Artifact | None
    generation: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Passed to every plugin call. `cache(name)` is a private folder that may vanish between runs (mode 0700)."""

    http: Http
    work: Work
    quick: Work
    """The same for what takes milliseconds, as expressions in CEL do: it never waits behind a render."""
    credentials: Credentials
    intake: Intake
    now: Callable[[], datetime]
    log: FilteringBoundLogger
    cache: Callable[[str], Path]
    hosts: Hosts = field(default_factory=Hosts)
    """Limits of the hosts that sources are fetched from: a source takes a turn for whatever it asks one."""
    reach: Reach = field(default_factory=Reach)
    """What may be contacted that only a text in a source names; whatever a declaration names may be anyhow."""
    platform: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the platform says of this process's own identity in a cloud: the variables of `cloud.environment.NAMES`."""
    sources: Mapping[ObjectRef, Upstream] = field(default_factory=dict, repr=False)
    """The sources of the same namespace, the own one too: for a source whose intent `reads` another one, empty for all others."""
    conceal: Callable[[bytes], None] = field(default=lambda value: None)
    """Masks a secret value from now on, in log lines and in whatever becomes of an attempt: for what did not come through
    `credentials`, which do it themselves."""
    masked: Callable[[str], str] = field(default=str)
    """A text with every such value masked."""
    issue: Issue = _nobody
    """Tokens of service accounts, masked as credentials are."""
    account: Describe = _nowhere
    """What service accounts say of themselves."""
    kept: Kept = field(default_factory=Kept, repr=False)
    """What clouds and others lent, for all plugins together: until shortly before it ends."""
