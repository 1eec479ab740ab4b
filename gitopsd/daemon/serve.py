"""The daemon: one engine, served on the control socket, reloaded when its files change, until it is told to stop."""

from __future__ import annotations

from pathlib import Path

import anyio
import anyio.to_thread
from structlog.typing import FilteringBoundLogger

from gitopsd.config import chosen as choice
from gitopsd.config import places, reload, watch
from gitopsd.config.chosen import Loaded
from gitopsd.daemon import compose
from gitopsd.daemon.compose import Mode
from gitopsd.model.errors import GitopsdError
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.runtime import garbage, supervise
from gitopsd.runtime.asked.local_control import LocalControl
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.service_manager import ServiceManager
from gitopsd.web.socket import ControlSocket


async def run(loaded: Loaded, mode: Mode, manager: ServiceManager, watchdog: float | None) -> None:
    """The daemon: until SIGTERM or SIGINT. Reloads on SIGHUP and on settled changes of the files.

    `watchdog`: the service manager's period in seconds, None where it does not watch us.
    """
    log, before = mode.log, watch.fingerprint(loaded.paths, _secrets(loaded))

    async def serve(engine: Engine) -> None:
        reloading = _Reloading(engine, loaded, manager, log)
        control = ControlSocket(LocalControl(engine, mode.lines), loaded.socket)
        await control.start()
        try:
            async with anyio.create_task_group() as tasks:
                if watchdog:
                    tasks.start_soon(supervise.feed_watchdog, manager, watchdog)
                tasks.start_soon(engine.check_all, loaded.settings.full_check_interval.total_seconds())
                tasks.start_soon(_reload_when_changed, loaded, before, reloading)
                tasks.start_soon(_collect_garbage, loaded, engine, log)
                tasks.start_soon(garbage.sweep)
                manager.ready(_follows(engine))
                log.info("running", objects=len(loaded.declared.objects), socket=str(loaded.socket))
                stopped = await supervise.until_stopped(manager, reloading.now)
                log.info("stopping", signal=stopped.name)
                tasks.cancel_scope.cancel()
        finally:
            engine.happenings.close()
            with anyio.CancelScope(shield=True):
                await control.stop()

    await compose.engaged(loaded, mode, serve, on_outcome=lambda outcome: _logged(outcome, log))


class _Reloading:
    """Loads the files again; a broken or suddenly shrunken set keeps the last good one running, and says so loudly."""

    def __init__(self, engine: Engine, loaded: Loaded, manager: ServiceManager, log: FilteringBoundLogger) -> None:
        self._engine = engine
        self._loaded = loaded
        self._manager = manager
        self._log = log

    async def because_they_changed(self) -> None:
        """The files are other ones."""
        self._manager.status(await self.now())

    async def now(self) -> str:
        """Load and put in force. Errors are logged. Answers with what the service manager shows."""
        try:
            new = await anyio.to_thread.run_sync(lambda: choice.load(self._loaded.chosen, known=self._loaded.registry))
            reload.check(self._engine.files, new.declared)
            changes = reload.compare(self._engine.files, new.declared)
            self._engine.declare(new.declared)
        except GitopsdError as error:
            self._log.error("the new configuration is not taken; the last good one stays in force", problem=str(error))
            return f"{_follows(self._engine)}; the new configuration is not taken: {error}"
        self._log.info("reloaded", added=len(changes.added), changed=len(changes.changed), removed=len(changes.removed))
        if changes.settings:
            self._log.warning("these settings take effect at the next start", settings=list(changes.settings))
        return _follows(self._engine)


def _follows(engine: Engine) -> str:
    return f"follows {len(engine.files.objects)} declared objects"


async def _reload_when_changed(loaded: Loaded, before: watch.Fingerprint, reloading: _Reloading) -> None:
    async for _ in watch.settled(loaded.paths, before, secrets=_secrets(loaded)):
        await reloading.because_they_changed()


def _secrets(loaded: Loaded) -> Path | None:
    return places.secrets(loaded.settings, loaded.paths)


async def _collect_garbage(loaded: Loaded, engine: Engine, log: FilteringBoundLogger) -> None:
    gc = loaded.settings.gc
    while True:
        await anyio.sleep(gc.interval.total_seconds())
        engine.forget_unread()
        try:
            report = await anyio.to_thread.run_sync(engine.world.store.gc, gc.grace, engine.world.ctx.now())
        except GitopsdError as error:
            log.error("garbage collection failed", problem=str(error))
        else:
            log.info("garbage collected", removed=report.removed, freed_bytes=report.freed)


_LEVELS = {
    Phase.READY: "info",
    Phase.PROGRESSING: "debug",
    Phase.WAITING: "info",
    Phase.SUSPENDED: "info",
    Phase.UNSERVED: "info",
    Phase.DELETED: "info",
}


def _logged(outcome: Outcome, log: FilteringBoundLogger) -> None:
    """One line per outcome, at the level that it deserves."""
    write = getattr(log, _LEVELS.get(outcome.phase, "error"))
    counts = {str(action): number for action, number in outcome.changed.items()}
    revision = outcome.applied or outcome.attempted
    write(
        outcome.message,
        object=str(outcome.ref),
        phase=str(outcome.phase),
        **({"revision": str(revision)} if revision else {}),
        **({"changed": counts} if counts else {}),
        **({"trace": outcome.trace} if outcome.trace else {}),
    )
