"""Settings, plugins, store, worker processes, clusters and engine, put together in one task group.

`engaged` makes an engine and lends it to a body: the daemon's own (`serve.py`), or a command's that runs the steps itself.
"""

from __future__ import annotations

import fcntl
import os
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup
from structlog.typing import FilteringBoundLogger

from gitopsd import __version__
from gitopsd.config import chosen as choice
from gitopsd.config import places
from gitopsd.config.chosen import Loaded
from gitopsd.config.credentials import FileCredentials
from gitopsd.config.documents import NAMESPACE
from gitopsd.config.settings import Settings
from gitopsd.daemon import connect
from gitopsd.daemon.masked import MaskedCredentials
from gitopsd.model.declared import ConfigName, Decryption, ValuesRef
from gitopsd.model.errors import GitopsdError, HeldElsewhere
from gitopsd.model.masking import Secrets
from gitopsd.model.outcome import Outcome
from gitopsd.plugin.cloud import environment as cloud
from gitopsd.plugin.context import Context, Work
from gitopsd.plugin.egress import Egress
from gitopsd.plugin.http import Http, Proxies
from gitopsd.plugin.reach import Reach
from gitopsd.plugin.roles import Closing
from gitopsd.reconcile import rendering
from gitopsd.reconcile.world import Limits, Safety, Slots, Trust
from gitopsd.runtime import garbage
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.live import contained
from gitopsd.runtime.live.blind import Blind
from gitopsd.runtime.parts import Parts
from gitopsd.runtime.pool import intake
from gitopsd.runtime.pool.processes import Processes, WorkerPool
from gitopsd.runtime.schedule.backoff import Backoff
from gitopsd.runtime.schedule.due import Pace
from gitopsd.runtime.shown.lines import Lines
from gitopsd.store import Store

T = TypeVar("T")
LOCK = "gitopsd.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """What an engine is for.

    `write` False: no lease, no write verb, plans only. `watch` False: one look, no watches. `work` False: objects are known
    but nobody looks at them, but for what is asked for by name.
    """

    write: bool = True
    watch: bool = True
    work: bool = True
    resume: bool = False
    """Go on where the last run ended: sources that it asked a moment ago are asked when they are due."""
    actor: str = "gitopsd"
    """Who is named in the ledger."""
    log: FilteringBoundLogger
    secrets: Secrets
    """Values that are masked in every line of the log; credentials join them when they are read."""
    lines: Lines | None = None
    """The latest lines of the log, where somebody may ask for them."""


async def engaged(
    loaded: Loaded, mode: Mode, body: Callable[[Engine], Awaitable[T]], *, on_outcome: Callable[[Outcome], None]
) -> T:
    """Run `body` with an engine that has everything declared; all that was started has ended when this returns.

    Raises what the body raises of the gitopsd tree, and `HeldElsewhere` when another process uses the state folder.
    """
    choice.need_cluster(loaded)
    ended: list[T | GitopsdError] = []
    with Store.open(loaded.state) as store, _only_one(loaded, mode), garbage.tamed():
        for warning in store.warnings:
            mode.log.warning(warning)
        async with anyio.create_task_group() as tasks:
            pool, quick = _processes(tasks, loaded, mode.log), _quick(tasks, mode.log)
            engine = _engine(tasks, loaded, mode, store, (pool, quick), on_outcome)
            tasks.start_soon(engine.keep_journal, name="journal")
            if mode.work:
                tasks.start_soon(pool.warm, name="first worker process")
            await to_thread.run_sync(engine.world.ctx.http.prepare)
            engine.declare(loaded.declared, work=mode.work)
            try:
                ended.append(await body(engine))
            except GitopsdError as error:
                error.args = (mode.secrets.masked(str(error)),)
                ended.append(error)
            finally:
                with anyio.CancelScope(shield=True):
                    await engine.stop()
                    for source in loaded.registry.sources.values():
                        if isinstance(source, Closing):
                            await source.close()
                pool.close()
                quick.close()
            tasks.cancel_scope.cancel()
    if isinstance(ended[0], GitopsdError):
        raise ended[0]
    return ended[0]


def _engine(
    tasks: TaskGroup,
    loaded: Loaded,
    mode: Mode,
    store: Store,
    pools: tuple[Work, Work],
    on_outcome: Callable[[Outcome], None],
) -> Engine:
    settings = loaded.settings
    made: list[Engine] = []
    watches = connect.watches(lambda: made[0], mode.log) if mode.watch else None
    ctx = _context(loaded, mode, store, pools, lambda: made[0])
    retry = settings.retry
    parts = Parts(
        registry=replace(loaded.registry, health=contained.rules(loaded.registry, mode.log)),
        store=store,
        ctx=ctx,
        safety=_safety(settings, mode),
        limits=Limits(render_timeout=settings.limits.render_timeout, keep=settings.gc.keep),
        slots=Slots(
            fetch=anyio.CapacityLimiter(settings.limits.fetches), render=anyio.CapacityLimiter(settings.limits.renders)
        ),
        additive_ready=settings.additive_ready_expr,
        decryption=_decryption(settings),
        trust=_trust(settings),
        mirror=watches or Blind(),
        watches=watches,
        lookups=connect.lookups(lambda: made[0], store.key(), mode.log) if mode.watch else None,
        connect=connect.connecting(
            loaded, connect.actor(settings, loaded.state, write=mode.write), ctx, lambda: made[0]
        ),
        pace=Pace(
            jitter=settings.interval_jitter_percent / 100,
            backoff=Backoff(first=retry.min.total_seconds(), most=retry.max.total_seconds()),
        ),
        rng=random.Random(),
        actor=mode.actor,
        on_outcome=on_outcome,
        resume=mode.resume,
        persist=mode.write,
    )
    made.append(Engine(tasks, parts))
    return made[0]


def _decryption(settings: Settings) -> Decryption:
    """How every app's files are opened that does not say so itself."""
    asked, keys = settings.decryption, None
    if asked.secret:
        namespace, name = _named(asked.secret)
        field = "Settings decryption.secret"
        keys = ValuesRef(kind="Secret", namespace=namespace, name=name, field=field, optional=True)
    return Decryption(provider=asked.provider, keys=keys, account=asked.service_account, verify=asked.verify_mac)


def _trust(settings: Settings) -> Trust:
    """What services that keep keys may be asked with."""
    asked, config = settings.decryption, None
    if asked.config_map:
        namespace, name = _named(asked.config_map)
        config = ConfigName(namespace=namespace, name=name)
    return Trust(own=asked.own_identity, settings=config)


def _named(text: str) -> tuple[str, str]:
    """Namespace and name of what settings name as [NAMESPACE/]NAME."""
    namespace, _, name = text.rpartition("/")
    return namespace or NAMESPACE, name


def _safety(settings: Settings, mode: Mode) -> Safety:
    return Safety(
        adopt=settings.adopt,
        mass_deletion=settings.safety.mass_deletion,
        collateral=settings.safety.namespace_deletion,
        volumes=settings.safety.volume_deletion,
        empty_render=settings.safety.empty_render,
        orphan_vanished=settings.safety.orphan_vanished,
        hold_timeout=settings.hold_timeout,
        read_only=settings.read_only or not mode.write,
    )


def _context(
    loaded: Loaded, mode: Mode, store: Store, pools: tuple[Work, Work], engine: Callable[[], Engine]
) -> Context:
    environment = loaded.chosen.environment
    files = FileCredentials(
        lambda: engine().files,
        folder=places.secrets(loaded.settings, loaded.paths),
        systemd=places.credentials(environment),
    )
    credentials = MaskedCredentials(files, mode.secrets)
    return Context(
        http=http(
            environment,
            Egress(private=loaded.settings.network.private_addresses, allowed=loaded.settings.network.allowed_networks),
        ),
        work=pools[0],
        quick=pools[1],
        credentials=credentials,
        intake=store,
        now=lambda: datetime.now(UTC),
        log=mode.log,
        cache=lambda name: private(loaded.state / "plugins" / name),
        reach=Reach(hosts=loaded.settings.remote_resources.hosts, plain=loaded.settings.remote_resources.http),
        platform=_platform(environment, mode.secrets),
        conceal=mode.secrets.add,
        issue=connect.issuing(engine, loaded.settings.home_cluster, mode.secrets.add),
        account=connect.describing(engine, loaded.settings.home_cluster, credentials, mode.secrets.add),
        masked=mode.secrets.masked,
    )


def _platform(environment: Mapping[str, str], secrets: Secrets) -> Mapping[str, str]:
    """By what clouds tell a process who it is; what of that is secret is masked at once."""
    found = {name: value for name, value in environment.items() if name in cloud.NAMES}
    for name in cloud.SECRET & found.keys():
        secrets.add(found[name].encode())
    return found


def http(environment: Mapping[str, str], egress: Egress | None = None) -> Http:
    """The way to the network that the environment describes; without an egress every address may be connected to."""
    return Http(
        proxies=_proxies(environment),
        ca_file=environment.get("SSL_CERT_FILE", ""),
        user_agent=f"gitopsd/{__version__}",
        egress=egress or Egress(),
    )


def _proxies(environment: Mapping[str, str]) -> Proxies:
    def value(name: str) -> str:
        return environment.get(name.lower()) or environment.get(name, "")

    exempt = tuple(rule.strip() for rule in value("NO_PROXY").split(",") if rule.strip())
    return Proxies(
        http=environment.get("http_proxy", ""), https=value("HTTPS_PROXY"), all=value("ALL_PROXY"), no_proxy=exempt
    )


def private(path: Path) -> Path:
    """The folder, made for its owner only where it is missing."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _processes(tasks: TaskGroup, loaded: Loaded, log: FilteringBoundLogger) -> WorkerPool:
    limits = loaded.settings.limits
    packages = {"gitopsd", *(type(r).__module__.partition(".")[0] for r in loaded.registry.renderers.values())}
    packages |= {type(s).__module__.partition(".")[0] for s in loaded.registry.sources.values()}
    packages |= {type(d).__module__.partition(".")[0] for d in loaded.registry.decryptors.values()}
    return WorkerPool(
        tasks,
        Processes(count=limits.renders, memory=int(limits.worker_memory)),
        packages=packages,
        log=log,
        opener=intake.OPENER,
        argument=str(loaded.state),
        preload=(
            rendering.__name__,
            intake.__name__,
            *(type(r).__module__ for r in loaded.registry.renderers.values()),
        ),
    )


def _quick(tasks: TaskGroup, log: FilteringBoundLogger) -> WorkerPool:
    """Two, so that one expression that is hostile delays no other; started when first asked."""
    return WorkerPool(tasks, Processes(count=2), packages={"gitopsd"}, log=log)


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
