"""How a verb below `gitopsd import` looks into a cluster: reads only, by a kubeconfig and a context that are named."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from gitopsd.model.identity import ResourceId
from gitopsd.model.manifest import Body
from gitopsd.plugin.roles import Versioned

T = TypeVar("T")


class Reader(Protocol):
    """A cluster that is only looked at. Methods raise `Transient` and `Rejected`."""

    server: str

    async def listed(self, group: str, version: str, kind: str) -> Sequence[Body]:
        """All objects of a kind; none where the cluster does not know the kind. `version` '' is the server's preferred one."""
        ...

    async def found(self, ids: Collection[Versioned]) -> Mapping[ResourceId, Body]:
        """These objects, as far as they are there."""
        ...


class Reach(Protocol):
    """Connects, lends the cluster to `look`, and answers with what that came to."""

    async def __call__(self, kubeconfig: Path | None, context: str, look: Callable[[Reader], Awaitable[T]]) -> T:
        """Raises `UsageError` where no context is named, and what connecting or `look` meets."""
        ...
