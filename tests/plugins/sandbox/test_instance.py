"""Who serves a kubeconfig is told by the living process alone; what an earlier one left gets no signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitopsd_plugins.sandbox import instance

SERVER = """
import signal, sys
from pathlib import Path
from gitopsd_plugins.sandbox import instance
with instance.held(Path(sys.argv[1])) as held:
    if sys.argv[2] == "announced":
        held.announce()
    print("ready", flush=True)
    sys.stdin.read()
"""


@contextmanager
def server(kubeconfig: Path, state: str = "announced") -> Iterator[subprocess.Popen[str]]:
    """A process that serves a kubeconfig, as far as others can tell."""
    words = [sys.executable, "-c", SERVER, str(kubeconfig), state]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_server_is_found_while_it_lives(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    assert instance.running(kubeconfig) is None
    with server(kubeconfig) as process:
        assert instance.running(kubeconfig) == instance.Found(process.pid, 0)
        with pytest.raises(BlockingIOError, match="runs for"), instance.held(kubeconfig):
            pass
    assert instance.running(kubeconfig) is None


def test_what_a_killed_server_left_is_not_taken_for_its_successor(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    with server(kubeconfig):
        pass
    assert instance.record_of(kubeconfig).exists()
    with server(kubeconfig, "starting"):
        assert instance.running(kubeconfig) is None
    with server(kubeconfig) as process:
        assert instance.running(kubeconfig) == instance.Found(process.pid, 0)


def test_a_server_that_takes_no_signals_yet_gets_none(tmp_path: Path) -> None:
    with server(tmp_path / "config", "starting"):
        assert instance.running(tmp_path / "config") is None


def test_a_process_that_has_the_id_of_an_ended_server_gets_no_signal(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    with server(kubeconfig):
        pass
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with pytest.raises(ProcessLookupError):
            instance.stop(kubeconfig, instance.Found(other.pid, 0))
        assert other.poll() is None
    finally:
        other.kill()
        other.communicate()


def test_a_server_is_stopped(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    with server(kubeconfig) as process:
        found = instance.running(kubeconfig)
        assert found is not None
        instance.stop(kubeconfig, found)
        assert process.wait(10) == -signal.SIGTERM
        assert found.pid != os.getpid()
