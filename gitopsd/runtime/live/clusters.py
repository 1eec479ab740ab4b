"""Keeps one connected target per cluster and identity, each in a task of its own: one that fails keeps no other waiting.

A target lives as long as its lease and its watches hold. When it ends, whoever asks next has it connected again, not more
often than the back-off allows. Knows neither Kubernetes nor kubeconfigs: `connect` does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup
from structlog.contextvars import bind_contextvars, clear_contextvars

from gitopsd.model import digest
from gitopsd.model.declared import AppIntent, ConfigName, Intent, SecretKey
from gitopsd.model.errors import GitopsdError, Misconfigured, Rejected, Transient
from gitopsd.plugin.context import Credentials
from gitopsd.plugin.roles import Target

AGAIN = 5.0
"""Seconds between two attempts to connect to the same cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A declared cluster, and who acts in it ('' for gitopsd's own identity, which alone has lease and records).

    `kubeconfig`: the cluster is not declared but described there, as of `version`, a digest of what it says.
    """

    cluster: str
    user: str = ""
    kubeconfig: SecretKey | ConfigName | None = None
    version: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.cluster} as {self.user}" if self.user else self.cluster


Connect = Callable[[Route, Callable[[Target], Awaitable[None]]], Awaitable[None]]
"""Open this route, hand its target to the callable, and stay until the connection or the lease is lost."""


@dataclass(slots=True, kw_only=True)
class _Line:
    """One route's line: connected, or failed at `tried` with `error`."""

    target: Target | None = None
    error: GitopsdError | None = None
    tried: float = 0.0
    settled: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


class Clusters:
    """The lines to all declared clusters. Belongs to one event loop and one task group."""

    def __init__(self, tasks: TaskGroup, connect: Connect, credentials: Credentials) -> None:
        self._tasks = tasks
        self._connect = connect
        self._credentials = credentials
        self._ways: Mapping[str, object] = {}
        self._lines: dict[Route, _Line] = {}

    def declare(self, ways: Mapping[str, object]) -> None:
        """These clusters are declared now, each with the way to it; lines to others, and over other ways, are cut."""
        before, self._ways = self._ways, dict(ways)
        for route in tuple(self._lines):
            if route.kubeconfig is None and (
                route.cluster not in ways or before.get(route.cluster) != ways[route.cluster]
            ):
                self._lines.pop(route).scope.cancel()

    def begin(self, names: Iterable[str | None]) -> None:
        """Connect to these clusters while their apps are still fetched and rendered; None means the only one."""
        for name in {self._only if name is None else name for name in names} & self._ways.keys():
            self._line(Route(cluster=name))

    @property
    def connected(self) -> tuple[Target, ...]:
        """Every target at hand, those of other users left out."""
        return tuple(line.target for route, line in self._lines.items() if line.target and not route.user)

    async def of(self, app: AppIntent) -> Target:
        """Where an app goes, as whoever acts for it. What it brings along is looked at each time: it may be new.

        Raises as `target`, and `NotReady` for a Secret or ConfigMap that is not there.
        """
        brought = app.kubeconfig
        if brought is None:
            return await self.target(app.cluster, app.act_as)
        look = self._credentials.secret if isinstance(brought, SecretKey) else self._credentials.config
        data = await look(brought.namespace, brought.name)
        version = digest.of_value({key: value.hex() for key, value in data.items()})
        return await self.at(Route(cluster=str(brought), user=app.act_as, kubeconfig=brought, version=version))

    def speaks_for(self, own: Target, app: Intent | None) -> bool:
        """Whether records found there count for the app.

        A cluster that an app brought along speaks for such apps only: whoever runs it could claim anything about others.
        """
        brought = app.kubeconfig if isinstance(app, AppIntent) else None
        return own.access.cluster == str(brought) if brought else own.access.cluster in self._ways

    async def unmask(self, own: Target) -> frozenset[SecretKey | ConfigName]:
        """Tell a new target from one that is known and says that it is the same cluster; lines of impostors are cut.

        A declared cluster is believed, what an app brought along must prove it: claims and records go by what a server says
        of itself. Answers with what led to the impostors that were cut; raises `Rejected` where the new target is one.
        """
        cut: set[SecretKey | ConfigName] = set()
        for route, line in tuple(self._lines.items()):
            known = line.target
            if known is None or known is own or route.user or known.uid != own.uid:
                continue
            if await known.proof() == await own.proof():
                continue
            if own.access.cluster not in self._ways:
                raise Rejected(
                    f"{own.access.cluster}: {own.access.server} says that it is the cluster {route}, and is another one"
                )
            if route.kubeconfig is not None and self._lines.pop(route, None) is not None:
                line.scope.cancel()
                cut.add(route.kubeconfig)
        return frozenset(cut)

    @staticmethod
    def named(own: Target, app: Intent | None) -> str:
        """The name of the route of an app in this cluster. Who acts for a child is known once it is declared."""
        return str(Route(cluster=own.access.cluster, user=app.act_as if isinstance(app, AppIntent) else ""))

    async def target(self, name: str | None, user: str = "") -> Target:
        """The target of this cluster, connecting it when needed; None means the only declared one.

        Raises `Misconfigured` for a name that is not declared, and whatever connecting met.
        """
        return await self.at(Route(cluster=self._chosen(name), user=user))

    async def at(self, route: Route) -> Target:
        """The target of a route; lines by another version of the same kubeconfig are cut. Raises what connecting met."""
        for other in [o for o in self._lines if o.kubeconfig and o.kubeconfig == route.kubeconfig]:
            if other.version != route.version:
                self._lines.pop(other).scope.cancel()
        line = self._line(route)
        await line.settled.wait()
        if line.target is not None:
            return line.target
        raise line.error or Transient(f"cluster {route}: the connection was lost")

    @property
    def _only(self) -> str:
        return next(iter(self._ways)) if len(self._ways) == 1 else ""

    def _chosen(self, name: str | None) -> str:
        if name is None and self._only:
            return self._only
        if name is None:
            declared = ", ".join(sorted(self._ways)) or "none"
            raise Misconfigured(f"which cluster? Name it with the annotation gitopsd.io/cluster (declared: {declared})")
        if name not in self._ways:
            raise Misconfigured(f"the cluster {name!r} is not declared; add a Cluster object of that name")
        return name

    def _line(self, route: Route) -> _Line:
        line = self._lines.get(route)
        over = line is not None and line.target is None and line.settled.is_set()
        if line is None or (over and anyio.current_time() - line.tried >= AGAIN):
            line = self._lines[route] = _Line(tried=anyio.current_time())
            self._tasks.start_soon(self._hold, route, line, name=f"cluster {route}")
        return line

    async def _hold(self, route: Route, line: _Line) -> None:
        async def serve(target: Target) -> None:
            line.target = target
            line.settled.set()
            await anyio.sleep_forever()

        clear_contextvars()  # begun by the app that asked first, whose lines these are not
        bind_contextvars(cluster=str(route))
        with line.scope:
            try:
                await self._connect(route, serve)
            except GitopsdError as error:
                line.error = error
        line.target, line.tried = None, anyio.current_time()
        line.settled.set()
        if not route.user:
            self._cut_users(route.cluster)

    def _cut_users(self, cluster: str) -> None:
        """Other users work under the lease of the own identity: without it, they end too."""
        for route in [route for route in self._lines if route.cluster == cluster and route.user]:
            self._lines.pop(route).scope.cancel()
