from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
import structlog
from structlog.testing import LogCapture

from gitopsd.model.errors import UsageError
from gitopsd.runtime import supervise
from gitopsd.runtime.service_manager import ServiceManager, watchdog_seconds

LOG = structlog.get_logger()


class Listener:
    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    it = Listener(str(tmp_path / "notify") if request.param == "path" else f"@gitopsd-test-{os.getpid()}")
    yield it
    it.close()


def test_the_service_manager_hears_how_the_process_is_doing(listener: Listener) -> None:
    manager = ServiceManager(listener.address, LOG)

    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager.ready("3 objects\nready")
    manager.reloading()
    manager.alive()
    manager.status("waiting")
    manager.stopping()

    ready, reloading, *rest = listener.heard()
    assert ready == "READY=1\nSTATUS=3 objects ready"
    kind, _, at = reloading.partition("\n")
    assert kind == "RELOADING=1"
    assert int(at.removeprefix("MONOTONIC_USEC=")) >= before
    assert rest == ["WATCHDOG=1", "STATUS=waiting", "STOPPING=1"]


def test_without_a_socket_nothing_is_told_and_a_deaf_one_is_only_logged(tmp_path: Path) -> None:
    seen = LogCapture()

    ServiceManager("", LOG).ready()
    ServiceManager(str(tmp_path / "nobody"), structlog.wrap_logger(None, processors=[seen])).ready()

    assert [entry["event"] for entry in seen.entries] == ["the service manager cannot be told"]


def test_an_address_of_another_form_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="NOTIFY_SOCKET"):
        ServiceManager("vsock:2:1234", LOG)


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_for_this_process_only(environment: dict[str, str], seconds: float | None) -> None:
    assert watchdog_seconds(environment, 7) == seconds


@pytest.mark.asyncio
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_to_stop_is_answered_even_while_a_reload_hangs(
    listener: Listener, number: signal.Signals
) -> None:
    reloading = anyio.Event()

    async def reload() -> str:
        reloading.set()
        await anyio.sleep_forever()
        return "never"

    async def press() -> None:
        await anyio.wait_all_tasks_blocked()
        os.kill(os.getpid(), signal.SIGHUP)
        await reloading.wait()
        os.kill(os.getpid(), number)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(press)
        assert await supervise.until_stopped(ServiceManager(listener.address, LOG), reload) == number

    assert [message.partition("\n")[0] for message in listener.heard()] == ["RELOADING=1", "STOPPING=1"]


@pytest.mark.asyncio
async def test_hangups_during_a_reload_are_one_more_reload(listener: Listener) -> None:
    reloads = 0
    may_end = anyio.Event()

    async def reload() -> str:
        nonlocal reloads
        reloads += 1
        if reloads == 1:
            for _ in range(5):
                os.kill(os.getpid(), signal.SIGHUP)
                await anyio.lowlevel.checkpoint()
            await anyio.wait_all_tasks_blocked()
        else:
            may_end.set()
        return f"reload {reloads}"

    async def press() -> None:
        await anyio.wait_all_tasks_blocked()
        os.kill(os.getpid(), signal.SIGHUP)
        await may_end.wait()
        await anyio.wait_all_tasks_blocked()
        os.kill(os.getpid(), signal.SIGTERM)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(press)
        await supervise.until_stopped(ServiceManager(listener.address, LOG), reload)

    assert reloads == 2
    told = [message for message in listener.heard() if not message.startswith("RELOADING=1")]
    assert told == ["READY=1\nSTATUS=reload 1", "READY=1\nSTATUS=reload 2", "STOPPING=1"]


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_the_watchdog_is_fed_twice_in_its_period(listener: Listener) -> None:
    with anyio.move_on_after(59):
        await supervise.feed_watchdog(ServiceManager(listener.address, LOG), 30)

    assert listener.heard() == ["WATCHDOG=1"] * 4
