"""How an engine reaches a cluster: through its access, under its lease, with its records known and its watches open."""

from __future__ import annotations

import base64
import random
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
from structlog.typing import FilteringBoundLogger

from gitopsd.config.chosen import SANDBOX, Loaded
from gitopsd.config.problems import shown
from gitopsd.config.settings import Settings
from gitopsd.daemon import masked
from gitopsd.model import digest
from gitopsd.model.declared import SecretKey
from gitopsd.model.errors import Misconfigured, NotReady
from gitopsd.model.identity import ResourceId
from gitopsd.plugin.context import UNREADABLE, AccountToken, Context, Credentials, Describe, Issue, ServiceAccount
from gitopsd.plugin.roles import Actor, Target
from gitopsd.plugin.spec import SpecError
from gitopsd.reconcile import health
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.live.clusters import Connect, Route
from gitopsd.runtime.live.lookups import Lookups
from gitopsd.runtime.live.watches import Watches

SINK = "kubernetes"
SECRET, CONFIG = "kubeconfigSecret", "kubeconfigConfigMap"
"""The accesses by what an app brings along: a kubeconfig in a Secret, or a ConfigMap that describes one."""
CATCH_UP = 5.0
"""Seconds that the watches of a cluster get to show what is there, before apps ask for it themselves."""


def watches(engine: Callable[[], Engine], log: FilteringBoundLogger) -> Watches:
    """The watches on everything that apps own, in all clusters."""
    return Watches(
        wake=lambda app, reason: engine().scheduler.wake(app, reason),  # noqa: PLW0108 - the engine does not exist yet
        versions=lambda app: engine().board.versions(app),  # noqa: PLW0108 - as above
        assess=lambda live: health.assess(engine().world.registry.health, live),
        log=log,
        rng=random.Random(),
    )


def lookups(engine: Callable[[], Engine], key: bytes, log: FilteringBoundLogger) -> Lookups:
    """An eye on what renders read from clusters."""
    return Lookups(
        wake=lambda app, reason: engine().scheduler.wake(app, reason),  # noqa: PLW0108 - the engine does not exist yet
        key=key,
        log=log,
        rng=random.Random(),
    )


def connecting(loaded: Loaded, actor: Actor, ctx: Context, engine: Callable[[], Engine]) -> Connect:
    """What opens a declared cluster by its name, and lets others act in it."""

    async def connect(route: Route, serve: Callable[[Target], Awaitable[None]]) -> None:
        if route.user:
            own = await engine().clusters.at(replace(route, user=""))
            if loaded.chosen.offline:  # an empty sandbox grants nobody anything
                await _watched(own, engine(), serve)
                return
            async with own.acting_as(route.user, str(route)) as target:
                await _watched(target, engine(), serve)
            return
        way, spec = _way(route, loaded, engine())
        access = loaded.registry.accesses.get(way)
        sink = loaded.registry.sinks.get(SINK)
        if access is None or sink is None:
            raise Misconfigured(f"cluster {route}: no plugin offers {way!r}{loaded.registry.failures()}")
        try:
            async with (
                access.open(route.cluster, spec, ctx) as line,
                sink.connect(masked.access(line, ctx.conceal), actor, ctx) as target,
            ):
                await _held(target, actor, engine(), serve)
        except SpecError as error:
            raise _unfit(error, route, engine()) from error

    return connect


def _way(route: Route, loaded: Loaded, engine: Engine) -> tuple[str, Mapping[str, Any]]:
    """The access and its spec. A cluster that was named for this run is the only one, whatever apps bring along."""
    brought = route.kubeconfig
    if brought is None:
        cluster = engine.files.clusters[route.cluster]
        return cluster.access, cluster.spec
    if loaded.chosen.offline:
        return SANDBOX, {}
    if loaded.chosen.sandbox or loaded.chosen.context:
        named = "--sandbox" if loaded.chosen.sandbox else "--context"
        raise Misconfigured(f"{route}: a kubeConfig is not followed while {named} names the only cluster")
    if isinstance(brought, SecretKey):
        return SECRET, {"namespace": brought.namespace, "name": brought.name, "key": brought.key}
    return CONFIG, {"namespace": brought.namespace, "name": brought.name}


def issuing(engine: Callable[[], Engine], home: str, conceal: Callable[[bytes], None]) -> Issue:
    """Tokens of service accounts, from the cluster `home`, '' for the only one."""

    async def issue(namespace: str, account: str, audiences: Sequence[str]) -> AccountToken:
        target = await _home(engine(), home, namespace, account)
        token = await target.token(namespace, account, audiences)
        conceal(token.value.encode())
        return token

    return issue


def describing(
    engine: Callable[[], Engine], home: str, credentials: Credentials, conceal: Callable[[bytes], None]
) -> Describe:
    """What service accounts of the cluster `home` say of themselves. Their Secrets are looked for in the home first, as all others."""

    async def describe(namespace: str, name: str, *, secrets: bool = False) -> ServiceAccount:
        target = await _home(engine(), home, namespace, name)
        body = await _read(target, "ServiceAccount", namespace, name)
        annotations = body.get("metadata", {}).get("annotations") or {}
        named = body.get("imagePullSecrets") or [] if secrets else []
        return ServiceAccount(
            annotations={str(key): str(value) for key, value in annotations.items()},
            pull_secrets=tuple([await secret(target, namespace, str(one.get("name"))) for one in named]),
        )

    async def secret(target: Target, namespace: str, name: str) -> Mapping[str, bytes]:
        try:
            return await credentials.secret(namespace, name)
        except NotReady as absent:
            if absent.reason == UNREADABLE:
                raise
        data = (await _read(target, "Secret", namespace, name)).get("data") or {}
        found = {str(key): base64.b64decode(value) for key, value in data.items()}
        for value in found.values():
            conceal(value)
        return found

    return describe


async def _read(target: Target, kind: str, namespace: str, name: str) -> Mapping[str, Any]:
    id = ResourceId(group="", kind=kind, namespace=namespace, name=name)
    live = (await target.observe({(id, "v1")})).get(id)
    if live is None:
        raise NotReady(f"{id}: there is none in cluster {target.access.cluster}")
    return live.body


async def _home(engine: Engine, home: str, namespace: str, account: str) -> Target:
    """The cluster where Flux's objects would be: the one that the settings name, else the only one."""
    declared = sorted(engine.files.clusters)
    names = [home] if home in declared else declared
    if len(names) != 1:
        raise NotReady(
            f"ServiceAccount/{namespace}/{account}: which cluster knows it and issues its token? Name it in the Settings by "
            f"homeCluster (declared: {', '.join(declared) or 'none'})"
        )
    return await engine.clusters.target(names[0])


def _unfit(error: SpecError, route: Route, engine: Engine) -> Misconfigured:
    """A field of a way that does not fit, with its place."""
    cluster = engine.files.clusters.get(route.cluster)
    if cluster is None:
        return Misconfigured(f"cluster {route}: {error}")
    where = shown(("spec", cluster.access, *error.path))
    return Misconfigured(f"{cluster.place}: Cluster/{route.cluster}: {where}: {error}")


async def _held(target: Target, actor: Actor, engine: Engine, serve: Callable[[Target], Awaitable[None]]) -> None:
    """Be the one actor, know what is recorded, watch it, and only then let the apps at it."""
    async with AsyncExitStack() as held:
        if not actor.read_only:
            await held.enter_async_context(target.lease())
        await engine.loaded(target, await target.inventories())
        await _watched(target, engine, serve)


async def _watched(target: Target, engine: Engine, serve: Callable[[Target], Awaitable[None]]) -> None:
    watches, lookups = engine.parts.watches, engine.parts.lookups
    if watches is None or lookups is None:
        await serve(target)
        return
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watches.follow, target)
        tasks.start_soon(lookups.follow, target)
        await watches.caught_up(target.access.cluster, CATCH_UP)
        await serve(target)


def actor(settings: Settings, state: Path, *, write: bool) -> Actor:
    """Who this process is to a cluster: among those that use one state folder its lock decides, all others are others."""
    return Actor(
        instance=settings.instance,
        field_manager=settings.field_manager,
        namespace=settings.inventory_namespace,
        holder=f"{_machine()}/{settings.instance}/{digest.of_bytes(str(state.resolve()).encode())[-8:]}",
        read_only=settings.read_only or not write,
        concurrency=settings.limits.applies,
        stage_kinds=frozenset((group, kind) for group, _, kind in (s.rpartition("/") for s in settings.stage_kinds)),
    )


def _machine() -> str:
    """This machine's own name for itself: the same after a restart, another one elsewhere."""
    for file in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        try:
            if text := file.read_text("ascii").strip():
                return text
        except OSError:
            continue
    return socket.gethostname()
