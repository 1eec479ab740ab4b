"""`gitopsd sandbox up`, `down` and `reset`; a kubeconfig is for its owner only; the access of `Cluster` objects opens and closes a server."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import http.client
import itertools
import json
import os
import queue
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from click.testing import CliRunner, Result

from gitopsd.plugin import Context, Misconfigured
from gitopsd.plugin.spec import SpecError
from gitopsd_plugins.sandbox import command
from gitopsd_plugins.sandbox.cluster_access import SandboxAccess


def context() -> Context:
    """What the access uses of a context: the clock."""
    return cast("Context", SimpleNamespace(now=lambda: datetime.now(UTC)))


def test_the_kubeconfig_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("old")
    path.chmod(0o644)
    command.write_private(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)


def test_help_has_examples() -> None:
    result = CliRunner().invoke(command.sandbox, ["up", "--help"])
    assert result.exit_code == 0
    assert "gitopsd sandbox up" in result.output


@pytest.mark.parametrize("words", [("--port", "99999"), ("--port", "-1"), ("--settling", "-1")])
def test_a_number_that_is_none_is_refused_by_its_option(tmp_path: Path, words: tuple[str, str]) -> None:
    result = CliRunner().invoke(command.sandbox, ["up", "--kubeconfig", str(tmp_path / "config"), *words])
    assert result.exit_code == 2
    assert f"Invalid value for '{words[0]}': {words[1]}" in result.output
    assert list(tmp_path.iterdir()) == []


def up(folder: Path, *more: str) -> subprocess.Popen[str]:
    """`gitopsd sandbox up` in a folder, as soon as it answers."""
    words = [sys.executable, "-m", "gitopsd", "sandbox", "up", "--kubeconfig", str(folder / "config"), *more]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert process.stdout is not None
    while "Ctrl-C" not in process.stdout.readline():
        assert process.poll() is None
    return process


def gitopsd(*words: str) -> Result:
    return CliRunner().invoke(command.sandbox, [*words])


@pytest.mark.slow
def test_a_sandbox_is_reset_and_ended_by_its_kubeconfig(tmp_path: Path) -> None:
    config, kept = str(tmp_path / "config"), tmp_path / "kept"
    process = up(tmp_path, "--persist", str(kept))
    try:
        again = gitopsd("up", "--kubeconfig", config)
        assert (again.exit_code, "runs for" in again.output) == (1, True)
        assert gitopsd("reset", "--kubeconfig", config).output == "sandbox: as new\n"
        busy = gitopsd("reset", "--kubeconfig", str(tmp_path / "other"), "--persist", str(kept))
        assert (busy.exit_code, "another sandbox runs" in busy.output) == (1, True)
        ended = gitopsd("down", "--kubeconfig", config)
        assert (ended.exit_code, ended.output) == (0, f"sandbox: ended ({config})\n")
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()
    assert (kept / "cluster.json").exists()
    assert gitopsd("reset", "--kubeconfig", config, "--persist", str(kept)).exit_code == 0
    assert not (kept / "cluster.json").exists()


def made(config: Path) -> Iterator[str]:
    """The uids of namespaces that are made one after the other, each as soon as it is told."""
    content = json.loads(config.read_text())
    path = f"{content['clusters'][0]['cluster']['server']}/api/v1/namespaces"
    authority = base64.b64decode(content["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
    trust = ssl.create_default_context(cadata=authority)
    headers = {"Authorization": f"Bearer {content['users'][0]['user']['token']}", "Content-Type": "application/json"}
    for number in itertools.count():
        body = json.dumps({"metadata": {"name": f"shop-{number}"}}).encode()
        with urllib.request.urlopen(urllib.request.Request(path, body, headers), context=trust) as answer:
            yield json.load(answer)["metadata"]["uid"]


@pytest.mark.slow
def test_a_busy_sandbox_is_reset_and_ended(tmp_path: Path) -> None:
    config, kept, told = tmp_path / "config", tmp_path / "kept", queue.SimpleQueue[str]()
    process = up(tmp_path, "--persist", str(kept))

    def keep_busy() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):  # it ends in the midst of it
            for uid in made(config):
                told.put(uid)

    try:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            busy = pool.submit(keep_busy)
            before = [told.get(timeout=20) for _ in range(5)]
            assert gitopsd("reset", "--kubeconfig", str(config)).exit_code == 0
            assert not busy.done()
            while not told.empty():
                told.get()
            after = [told.get(timeout=20) for _ in range(5)][1:]  # the first may have been on its way
            assert gitopsd("down", "--kubeconfig", str(config)).exit_code == 0
            busy.result(20)
    finally:
        process.kill()
        process.communicate()
    left = (kept / "cluster.json").read_text()
    assert [uid for uid in before if uid in left] == []
    assert [uid for uid in after if uid not in left] == []


@pytest.mark.slow
def test_a_killed_sandbox_comes_back_as_it_was(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    process = up(tmp_path, "--persist", str(kept))
    try:
        uids = itertools.islice(made(tmp_path / "config"), 30)
        told = list(uids)
        process.kill()
        assert process.wait(10) == -signal.SIGKILL
    finally:
        process.kill()
        process.communicate()
    assert "no sandbox runs" in gitopsd("down", "--kubeconfig", str(tmp_path / "config")).output
    process = up(tmp_path, "--persist", str(kept))
    try:
        after = (kept / "cluster.json").read_text()
        assert [uid for uid in told if uid not in after] == []
    finally:
        process.terminate()
        process.communicate()
    assert process.returncode == 0


@pytest.mark.parametrize("verb", ["down", "reset"])
def test_a_sandbox_that_does_not_run_is_said_so(tmp_path: Path, verb: str) -> None:
    result = gitopsd(verb, "--kubeconfig", str(tmp_path / "none"))
    assert (result.exit_code, "no sandbox runs for" in result.output) == (1, True)


@pytest.mark.asyncio
async def test_the_access_reaches_a_server_for_as_long_as_it_is_open(tmp_path: Path) -> None:
    spec: dict[str, Any] = {"persist": str(tmp_path), "settling": 0}
    async with SandboxAccess().open("here", spec, context()) as access, aiohttp.ClientSession() as session:
        assert access.headers is not None
        response = await session.get(f"{access.server}/version", headers=await access.headers())
        assert response.status == 200
        server = access.server
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"{server}/healthz")


@pytest.mark.asyncio
@pytest.mark.parametrize("spec", [{"settling": -1}, {"persist": 3}, {"other": 1}])
async def test_a_wrong_field_is_named(spec: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as raised:
        await SandboxAccess().open("here", spec, context()).__aenter__()
    assert next(iter(spec)) in (*raised.value.path, *str(raised.value).replace("`", " ").replace('"', " ").split())


@pytest.mark.asyncio
async def test_a_folder_in_use_is_named(tmp_path: Path) -> None:
    spec = {"persist": str(tmp_path)}
    async with SandboxAccess().open("here", spec, context()):
        with pytest.raises(Misconfigured, match="another sandbox runs"):
            await SandboxAccess().open("there", spec, context()).__aenter__()


@pytest.mark.asyncio
async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match=r"Cluster/here: .*file"):
        await SandboxAccess().open("here", {"persist": str(tmp_path / "file")}, context()).__aenter__()
