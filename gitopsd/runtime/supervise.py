"""The process's place in its system: signals in, the service manager's watchdog fed.

The watchdog is fed by the event loop itself, so that a loop that is stuck is noticed and the process is started again.
After the first signal to stop, signals have their usual meaning again: a second one ends the process at once, which is safe
at any moment.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable

import anyio
from anyio.abc import ObjectReceiveStream

from gitopsd.runtime.service_manager import ServiceManager

Reload = Callable[[], Awaitable[str]]
"""Handles its own errors; answers with what the service manager shows."""


async def until_stopped(manager: ServiceManager, reload: Reload) -> signal.Signals:
    """Wait for SIGTERM or SIGINT and answer with it; each SIGHUP runs `reload`.

    Any number of SIGHUP during a reload are one more reload. A stop does not wait for a reload.
    """
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as received:
        async with anyio.create_task_group() as tasks:
            ask, asked = anyio.create_memory_object_stream[None](1)
            tasks.start_soon(_reload_when, asked, manager, reload)
            with ask:
                async for number in received:
                    if number != signal.SIGHUP:
                        break
                    if not ask.statistics().current_buffer_used:
                        ask.send_nowait(None)
            tasks.cancel_scope.cancel()
    manager.stopping()
    return signal.Signals(number)


async def feed_watchdog(manager: ServiceManager, period: float) -> None:
    """Tell the service manager, twice in its period of so many seconds, that the event loop turns. Never returns."""
    while True:
        manager.alive()
        await anyio.sleep(period / 2)


async def _reload_when(asked: ObjectReceiveStream[None], manager: ServiceManager, reload: Reload) -> None:
    async with asked:
        async for _ in asked:
            manager.reloading()
            manager.ready(await reload())
