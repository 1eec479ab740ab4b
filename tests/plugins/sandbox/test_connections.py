"""HTTP as it comes in from anywhere: what is well formed is answered, what is not is told so, and nothing is left behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
import pytest
from in_process import CM, config_map

from gitopsd_plugins.sandbox import connections
from gitopsd_plugins.sandbox.faults import Fault
from gitopsd_plugins.sandbox.server import Running, serve

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


class Line:
    """A connection on which a test says what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next answer."""
        status = int((await self._reader.readline()).split()[1])
        headers: dict[str, str] = {}
        while (line := (await self._reader.readline()).decode().strip()) != "":
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        return status, headers, await self._reader.readexactly(int(headers.get("content-length", 0)))

    async def rest(self) -> bytes:
        """All that comes until the server ends it."""
        return await self._reader.read()


@asynccontextmanager
async def line(to: Running) -> AsyncIterator[Line]:
    where = urlsplit(to.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()


def request(to: Running, method: str, path: str, *more: str, version: str = "1.1") -> bytes:
    lines = (f"{method} {path} HTTP/{version}", "Host: sandbox", f"Authorization: Bearer {to.token}", *more)
    return "".join(f"{each}\r\n" for each in (*lines, "")).encode()


async def told(to: Running, text: bytes) -> tuple[int, bytes]:
    """The answer to something, after which the connection ends."""
    async with line(to) as opened:
        opened.writer.write(text)
        status, _, _ = await opened.answer()
        return status, await opened.rest()


@pytest.mark.parametrize(
    "text",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ids=["TLS", "no path", "no colon", "no ASCII", "two lengths", "two framings", "CONNECT"],
)
async def test_what_is_no_request_is_refused(sandbox: Running, text: bytes) -> None:
    assert await told(sandbox, text) == (400, b"")


async def test_a_head_without_an_end_is_refused(sandbox: Running) -> None:
    async with line(sandbox) as opened:
        begun = request(sandbox, "GET", "/version")[:-2] + b"X-Long: "
        opened.writer.write(begun + b"x" * (connections.MAX_HEAD + 1 - len(begun)))
        status, _, _ = await opened.answer()
    assert status == 431


async def test_requests_on_one_connection_are_answered_in_their_order(sandbox: Running) -> None:
    async with line(sandbox) as opened:
        body = json.dumps(config_map("a")).encode()
        made = request(sandbox, "POST", CM, "Content-Type: application/json", f"Content-Length: {len(body)}")
        opened.writer.write(made + body + request(sandbox, "GET", f"{CM}/a") + request(sandbox, "DELETE", f"{CM}/a"))
        answers = [await opened.answer() for _ in range(3)]
    assert [status for status, _, _ in answers] == [201, 200, 200]
    assert all(headers["date"].endswith("GMT") for _, headers, _ in answers)


async def test_a_body_may_come_in_parts_and_be_waited_for(sandbox: Running) -> None:
    body = json.dumps(config_map("a")).encode()
    async with line(sandbox) as opened:
        head = ("Content-Type: application/json", "Transfer-Encoding: chunked", "Expect: 100-continue")
        opened.writer.write(request(sandbox, "POST", CM, *head))
        assert (await opened.answer())[0] == 100
        for part in (body[:10], body[10:]):
            opened.writer.write(b"%x\r\n%s\r\n" % (len(part), part))
        opened.writer.write(b"0\r\n\r\n")
        status, _, answer = await opened.answer()
    assert (status, json.loads(answer)["metadata"]["name"]) == (201, "a")


async def test_a_body_without_an_end_is_refused(sandbox: Running) -> None:
    async with line(sandbox) as opened:
        opened.writer.write(request(sandbox, "POST", CM, "Content-Type: application/json", "Content-Length: 99999999"))
        for _ in range(17):
            opened.writer.write(b"x" * (1 << 20))
        status, _, answer = await opened.answer()
    assert (status, json.loads(answer)["reason"]) == (413, "RequestEntityTooLarge")


async def test_an_old_client_is_answered_and_left(sandbox: Running) -> None:
    status, rest = await told(sandbox, request(sandbox, "GET", "/version", version="1.0"))
    assert (status, rest) == (200, b"")


async def test_a_head_is_answered_without_a_body(sandbox: Running) -> None:
    async with line(sandbox) as opened:
        opened.writer.write(request(sandbox, "HEAD", "/version", "Connection: close"))
        assert (await opened.rest()).endswith(b"\r\n\r\n")


async def test_another_protocol_is_not_begun(sandbox: Running) -> None:
    async with line(sandbox) as opened:
        opened.writer.write(request(sandbox, "GET", "/version", "Connection: Upgrade", "Upgrade: websocket"))
        status, headers, _ = await opened.answer()
    assert (status, "upgrade" in headers) == (200, False)


async def test_a_watch_ends_when_its_reader_leaves(sandbox: Running) -> None:
    async with line(sandbox) as opened:
        opened.writer.write(request(sandbox, "GET", f"{CM}?watch=1"))
        assert (await opened.answer())[1]["transfer-encoding"] == "chunked"
        assert sandbox.cluster.watchers.count() >= 1
        before = sandbox.cluster.watchers.count()
    while sandbox.cluster.watchers.count() == before:  # noqa: ASYNC110 - the time limit of the test is the law
        await asyncio.sleep(0.001)


async def test_a_client_that_leaves_is_not_waited_for(sandbox: Running) -> None:
    sandbox.faults.add(Fault(effect="pass", method="POST", delay=3600))
    body = json.dumps(config_map("a")).encode()
    async with line(sandbox) as opened:
        opened.writer.write(request(sandbox, "POST", CM, f"Content-Length: {len(body)}") + body)
        await asked(sandbox, 1)
    async with line(sandbox) as opened:
        opened.writer.write(request(sandbox, "GET", f"{CM}/a"))
        assert (await opened.answer())[0] == 404


async def test_headers_take_no_lines_from_requests(sandbox: Running, session: aiohttp.ClientSession) -> None:
    response = await session.post(CM, json={**config_map("a"), "extra\r\nSet-Cookie: a": 1})
    assert (response.status, response.headers.getall("Set-Cookie", [])) == (201, [])
    assert response.headers["Warning"] == '299 - "unknown field \\"extra  Set-Cookie: a\\""'


@pytest.mark.parametrize("fault", [None, Fault(effect="hang", path=CM)], ids=["watch", "hang"])
async def test_the_end_waits_for_nobody(fault: Fault | None) -> None:
    async with AsyncExitStack() as lines:
        async with serve() as running:
            if fault:
                running.faults.add(fault)
            opened, idle = [await lines.enter_async_context(line(running)) for _ in range(2)]
            opened.writer.write(request(running, "GET", f"{CM}?watch=1"))
            idle.writer.write(request(running, "GET", "/api"))
            assert (await idle.answer())[0] == 200
            await asked(running, 2)
        assert await idle.rest() == b""
        if fault is None:
            assert (await opened.rest()).endswith(b"\r\n0\r\n\r\n")


async def asked(running: Running, count: int) -> None:
    """Return when so many requests have come in."""
    while running.journal.total < count:  # noqa: ASYNC110 - the time limit of the test is the law
        await asyncio.sleep(0.001)
