"""The control socket: who may use it, what it takes, and how errors travel."""

from __future__ import annotations

import json
import os
import socket
import stat
from contextlib import asynccontextmanager

import aiohttp
import anyio
import pytest

from gitopsd.cli.client import SocketControl
from gitopsd.model.errors import HeldElsewhere, Misconfigured, Transient, UsageError
from gitopsd.model.identity import ObjectRef
from gitopsd.runtime.shown.view import ClusterView, View
from gitopsd.web.socket import MAX_BODY, ControlSocket

pytestmark = pytest.mark.asyncio
WEB = ObjectRef(kind="Kustomization", namespace="flux-system", name="web")


class Scripted:
    """A `Control` that knows one app, notes what it is asked, and raises what it is told to."""

    def __init__(self):
        self.asked = []
        self.error = None

    async def clusters(self):
        return [ClusterView(name="one", server="https://one", context="first", connected=True)]

    async def views(self, names=()):
        self.asked.append(("views", tuple(names)))
        if self.error:
            raise self.error
        return [View(ref=WEB, phase="ready", ready=True, message="Applied", document={"kind": "Kustomization"})]

    async def suspend(self, name, actor, reason, until):
        self.asked.append(("suspend", name, actor, reason, until))
        return await self.views([name])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "gitopsd.sock"


@asynccontextmanager
async def serving(path):
    control = Scripted()
    served = ControlSocket(control, path)
    await served.start()
    try:
        yield control
    finally:
        await served.stop()


async def post(path, verb, body, method="POST"):
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session,
        session.request(method, f"http://gitopsd/{verb}", data=body) as response,
    ):
        return response.status, await response.text()


async def test_only_its_user_may_open_it(path):
    async with serving(path):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(path.parent).st_mode) == 0o700


async def test_the_mask_of_the_process_is_as_before(path):
    before = os.umask(0o022)
    try:
        async with serving(path):
            assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


async def test_it_listens_on_no_network(path):
    def listening():
        with open("/proc/self/net/tcp") as v4, open("/proc/self/net/tcp6") as v6:
            return {line.split()[9] for line in (*v4, *v6) if line.split()[3] == "0A"}

    def ours():
        links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
        return {os.readlink(link)[8:-1] for link in links if os.path.islink(link) and "socket:" in os.readlink(link)}

    async with serving(path):
        assert listening() & ours() == set()


async def test_calls_arrive_as_they_were_meant(path):
    async with serving(path) as control:
        client = SocketControl(path)
        assert (await client.clusters())[0].context == "first"
        [view] = await client.views(["ks/web"])
        assert (view.ref, view.ready, view.document) == (WEB, True, {"kind": "Kustomization"})
        await client.suspend("ks/web", "ada", "incident 42", None)
    assert control.asked == [
        ("views", ("ks/web",)), ("suspend", "ks/web", "ada", "incident 42", None), ("views", ("ks/web",)),
    ]  # fmt: skip


@pytest.mark.parametrize("error", [UsageError, HeldElsewhere, Misconfigured, Transient])
async def test_errors_keep_their_class_message_and_reason(path, error):
    async with serving(path) as control:
        control.error = error("ks/web: what is wrong; what to do", reason="Because")
        with pytest.raises(error, match="ks/web: what is wrong; what to do") as caught:
            await SocketControl(path).views()
    assert caught.value.reason == "Because"


@pytest.mark.parametrize(
    "body", ['{"name": "a", "nmae": "b"}', '{"name": 1}', "{}", "", "[", '{"name": "a"} x'],
    ids=["unknown field", "wrong type", "missing field", "nothing", "broken", "trailing"],
)  # fmt: skip
async def test_what_does_not_decode_is_refused_before_anything_is_done(path, body):
    async with serving(path) as control:
        status, text = await post(path, "v1/suspend", body)
    assert (status, json.loads(text)["kind"], control.asked) == (400, "UsageError", [])


async def test_a_body_that_is_too_large_is_refused(path):
    async with serving(path) as control:
        status, _ = await post(path, "v1/suspend", json.dumps({"name": "a" * MAX_BODY}))
    assert (status, control.asked) == (413, [])


async def test_nothing_is_served_but_the_calls_and_health(path):
    async with serving(path):
        assert await post(path, "healthz", None, "GET") == (200, "ok")
        assert (await post(path, "v1/views", None, "GET"))[0] == 405
        assert (await post(path, "v1/shutdown", "{}"))[0] == 404
        assert (await post(path, "", None, "GET"))[0] == 404


async def test_a_socket_that_nobody_listens_on_is_replaced(path):
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with serving(path):
        assert await post(path, "healthz", None, "GET") == (200, "ok")
    assert not path.exists()


async def test_a_folder_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"the control socket .*/file/gitopsd\.sock cannot be made"):
        await ControlSocket(Scripted(), tmp_path / "file" / "gitopsd.sock").start()


async def test_a_daemon_that_is_gone_is_named(path):
    with pytest.raises(Transient, match=r"the daemon at .* does not answer"):
        await SocketControl(path).views()


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[", b"nothing of HTTP\r\n\r\n"])
async def test_a_daemon_that_ends_while_it_answers_is_named(path, said):
    async def answer(stream):
        async with stream:
            await stream.receive()
            await stream.send(said)

    path.parent.mkdir()
    async with await anyio.create_unix_listener(path) as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer)
        with pytest.raises(Transient, match=r"the daemon at .* does not answer: \S"):
            await SocketControl(path).views()
        tasks.cancel_scope.cancel()


async def test_calls_at_the_same_time_do_not_wait_for_one_another(path):
    async with serving(path), anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(SocketControl(path).views)
