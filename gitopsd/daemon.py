"""The composition root: settings, plugins, store, worker processes, clusters and engine, put together in one task group.

`engaged` makes an engine and lends it to a body: the daemon's own, or a command's that runs the steps itself. `run` is the
daemon. Only here and in `cli/` is the environment read.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import anyio
import structlog
from anyio.abc import TaskGroup

from gitopsd import __version__
from gitopsd.config import chosen as choice
from gitopsd.config import places
from gitopsd.config.chosen import Loaded
from gitopsd.config.credentials import FileCredentials
from gitopsd.config.settings import Settings
from gitopsd.model.errors import GitopsdError, HeldElsewhere, Misconfigured
from gitopsd.model.outcome import Outcome
from gitopsd.plugin.context import Context, Work
from gitopsd.plugin.http import Http, Proxies
from gitopsd.plugin.roles import Actor, Target
from gitopsd.reconcile.world import Safety, Slots
from gitopsd.runtime import intake
from gitopsd.runtime.backoff import Backoff
from gitopsd.runtime.blind import Blind
from gitopsd.runtime.clusters import Connect
from gitopsd.runtime.due import Pace
from gitopsd.runtime.engine import Engine, Parts
from gitopsd.runtime.processes import Processes, WorkerPool
from gitopsd.store import Store

T = TypeVar("T")
SINK = "kubernetes"
LOCK = "gitopsd.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """What an engine is for.

    `write` False: no lease, no write verb, plans only. `watch` False: one look, no watches. `work` False: objects are known
    but nobody looks at them.
    """

    write: bool = True
    watch: bool = True
    work: bool = True
    actor: str = "gitopsd"


async def engaged(
    loaded: Loaded, mode: Mode, body: Callable[[Engine], Awaitable[T]], *, on_outcome: Callable[[Outcome], None]
) -> T:
    """Run `body` with an engine that has everything declared; all that was started has ended when this returns.

    Raises what the body raises of the gitopsd tree, and `HeldElsewhere` when another process uses the state folder.
    """
    choice.need_cluster(loaded)
    ended: list[T | GitopsdError] = []
    with Store.open(loaded.state) as store, _only_one(loaded, mode):
        for warning in store.warnings:
            structlog.get_logger().warning(warning)
        async with anyio.create_task_group() as tasks:
            pool = _processes(tasks, loaded)
            engine = _engine(tasks, loaded, mode, store, pool, on_outcome)
            engine.declare(loaded.declared, work=mode.work)
            try:
                ended.append(await body(engine))
            except GitopsdError as error:
                ended.append(error)
            finally:
                with anyio.CancelScope(shield=True):
                    await engine.stop()
                pool.close()
            tasks.cancel_scope.cancel()
    if isinstance(ended[0], GitopsdError):
        raise ended[0]
    return ended[0]


def _engine(
    tasks: TaskGroup,
    loaded: Loaded,
    mode: Mode,
    store: Store,
    pool: Work,
    on_outcome: Callable[[Outcome], None],
) -> Engine:
    settings = loaded.settings
    made: list[Engine] = []
    ctx = _context(loaded, store, pool, lambda: made[0])
    retry = settings.retry
    parts = Parts(
        registry=loaded.registry,
        store=store,
        ctx=ctx,
        safety=_safety(settings, mode),
        slots=Slots(
            fetch=anyio.CapacityLimiter(settings.limits.fetches), render=anyio.CapacityLimiter(settings.limits.renders)
        ),
        mirror=Blind(),
        connect=_connecting(loaded, mode, ctx, lambda: made[0]),
        pace=Pace(
            jitter=settings.interval_jitter_percent / 100,
            backoff=Backoff(first=retry.min.total_seconds(), most=retry.max.timedelta.total_seconds()),
        ),
        rng=random.Random(),
        actor=mode.actor,
        on_outcome=on_outcome,
    )
    made.append(Engine(tasks, parts))
    return made[0]


def _safety(settings: Settings, mode: Mode) -> Safety:
    return Safety(
        adopt=settings.adopt,
        mass_deletion=settings.safety.mass_deletion,
        collateral=settings.safety.namespace_deletion,
        volumes=settings.safety.volume_deletion,
        empty_render=settings.safety.empty_render,
        hold_timeout=settings.hold_timeout,
        read_only=settings.read_only or not mode.write,
    )


def _context(loaded: Loaded, store: Store, pool: Work, engine: Callable[[], Engine]) -> Context:
    environment = loaded.chosen.environment
    credentials = FileCredentials(
        lambda: engine().files,
        folder=places.secrets(loaded.settings, loaded.paths),
        systemd=places.credentials(environment),
    )
    return Context(
        http=Http(
            proxies=_proxies(environment),
            ca_file=environment.get("SSL_CERT_FILE", ""),
            user_agent=f"gitopsd/{__version__}",
        ),
        work=pool,
        credentials=credentials,
        intake=store,
        now=lambda: datetime.now(UTC),
        log=structlog.get_logger(),
        cache=lambda name: _folder(loaded.state / "plugins" / name),
    )


def _proxies(environment: Mapping[str, str]) -> Proxies:
    def value(name: str) -> str:
        return environment.get(name.lower()) or environment.get(name, "")

    exempt = tuple(rule.strip() for rule in value("NO_PROXY").split(",") if rule.strip())
    return Proxies(http=environment.get("http_proxy", ""), https=value("HTTPS_PROXY"), no_proxy=exempt)


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _processes(tasks: TaskGroup, loaded: Loaded) -> WorkerPool:
    limits = loaded.settings.limits
    packages = {"gitopsd", *(type(r).__module__.partition(".")[0] for r in loaded.registry.renderers.values())}
    packages |= {type(s).__module__.partition(".")[0] for s in loaded.registry.sources.values()}
    return WorkerPool(
        tasks,
        Processes(count=limits.renders, memory=int(limits.worker_memory)),
        packages=packages,
        log=structlog.get_logger(),
        opener=intake.OPENER,
        argument=str(loaded.state),
    )


def _connecting(loaded: Loaded, mode: Mode, ctx: Context, engine: Callable[[], Engine]) -> Connect:
    async def connect(name: str, serve: Callable[[Target], Awaitable[None]]) -> None:
        cluster = engine().files.clusters[name]
        access = loaded.registry.accesses.get(cluster.access)
        sink = loaded.registry.sinks.get(SINK)
        if access is None or sink is None:
            raise Misconfigured(f"cluster {name}: no plugin offers {cluster.access!r}{loaded.registry.failures()}")
        async with (
            access.open(name, cluster.spec, ctx) as line,
            sink.connect(line, _actor(loaded, mode), ctx) as target,
        ):
            await _held(target, mode, engine(), serve)

    return connect


async def _held(target: Target, mode: Mode, engine: Engine, serve: Callable[[Target], Awaitable[None]]) -> None:
    if not mode.write:
        engine.loaded(target, await target.inventories())
        await serve(target)
        return
    async with target.lease():
        engine.loaded(target, await target.inventories())
        await serve(target)


def _actor(loaded: Loaded, mode: Mode) -> Actor:
    settings = loaded.settings
    return Actor(
        instance=settings.instance,
        field_manager=settings.field_manager,
        namespace=settings.inventory_namespace,
        holder=f"{_machine()}/{settings.instance}",
        read_only=settings.read_only or not mode.write,
        concurrency=settings.limits.applies,
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


@contextmanager
def _only_one(loaded: Loaded, mode: Mode) -> Iterator[None]:
    """Settle who acts on this machine: the lease in the cluster knows the machine only."""
    if not mode.write:
        yield
        return
    file = loaded.state / LOCK
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise HeldElsewhere(f"another gitopsd works with {loaded.state}; talk to it, or stop it first") from error
    try:
        yield
    finally:
        os.close(descriptor)
