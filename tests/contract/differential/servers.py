"""Two servers that are asked the same: the sandbox in this process, without HTTP, and a real API server."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from fakes.control_plane import ControlPlane

from gitopsd_plugins.sandbox import routes, startup
from gitopsd_plugins.sandbox.cluster import Cluster, Settings
from gitopsd_plugins.sandbox.controllers import definitions
from gitopsd_plugins.sandbox.definitions import crd
from gitopsd_plugins.sandbox.requests.user import ADMIN
from gitopsd_plugins.sandbox.routes import Asked

AGENT = "differential"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` is JSON where it can be read as such."""

    status: int
    body: Any
    warnings: tuple[str, ...] = ()


class Server(Protocol):
    """Answers requests, one after the other."""

    def ask(self, method: str, url: str, body: bytes = b"", content_type: str = "", accept: str = "") -> Answer: ...

    def watched(self, url: str, last: str) -> list[Json]: ...


def _decoded(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.decode(errors="replace")


def _fresh() -> Cluster:
    made = Cluster(settings=Settings(settling=0, history=100_000))
    startup.furnish(made)
    return made


@dataclass(slots=True)
class Sandbox:
    """A cluster without HTTP and without controllers, but for definitions, which it establishes at once."""

    cluster: Cluster = field(default_factory=_fresh)

    def ask(self, method: str, url: str, body: bytes = b"", content_type: str = "", accept: str = "") -> Answer:
        answer = self._answer(method, url, body, content_type, accept)
        if "customresourcedefinitions" in url:
            for _ in range(2):
                for stored in list(self.cluster.store.all(crd.COLLECTION)):
                    definitions.look(self.cluster, stored, 0.0)
        return Answer(answer.code, _decoded(answer.body), answer.warnings)

    def _answer(self, method: str, url: str, body: bytes, content_type: str, accept: str) -> routes.Answer:
        split = urlsplit(url)
        headers = {"content-type": content_type, "user-agent": AGENT, "accept": accept}
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        asked = Asked(method=method, path=split.path, query=query, headers=headers, body=body, user=ADMIN)
        return routes.answer(self.cluster, asked)

    def watched(self, url: str, last: str) -> list[Json]:
        """The events of a watch up to the one of the object `last`."""
        watcher = self._answer("GET", url, b"", "", "").watcher
        assert watcher is not None
        events = [json.loads(line) for line in watcher.take().splitlines()]
        self.cluster.watchers.remove(watcher)
        return _until(events, last)


def _until(events: list[Json], last: str) -> list[Json]:
    names = [event["object"]["metadata"].get("name") for event in events]
    return events[: names.index(last)]


@dataclass(slots=True)
class Real:
    """A kube-apiserver that runs without controllers, by its administrator."""

    plane: ControlPlane
    _connection: http.client.HTTPSConnection = field(init=False)

    def __post_init__(self) -> None:
        context = ssl.create_default_context(cafile=str(self.plane.folder / "ca.crt"))
        context.load_cert_chain(self.plane.folder / "admin.crt", self.plane.folder / "admin.key")
        self._connection = http.client.HTTPSConnection("127.0.0.1", self.plane.port, context=context, timeout=30)

    def ask(self, method: str, url: str, body: bytes = b"", content_type: str = "", accept: str = "") -> Answer:
        response = self._send(method, url, body, content_type, accept)
        warnings = tuple(_warning(line) for line in response.headers.get_all("Warning") or ())
        return Answer(response.status, _decoded(response.read()), warnings)

    def _send(self, method: str, url: str, body: bytes, content_type: str, accept: str) -> http.client.HTTPResponse:
        headers = {"User-Agent": AGENT}
        headers |= {name: value for name, value in (("Content-Type", content_type), ("Accept", accept)) if value}
        self._connection.request(method, url, body or None, headers)
        return self._connection.getresponse()

    def watched(self, url: str, last: str) -> list[Json]:
        """The events of a watch up to the one of the object `last`."""
        response = self._send("GET", url, b"", "", "")
        events: list[Json] = []
        while not events or events[-1]["object"]["metadata"].get("name") != last:
            events.append(json.loads(response.readline()))
        self._connection.close()
        return events[:-1]


def _warning(line: str) -> str:
    """The text of a Warning header."""
    text = line.partition('"')[2].rpartition('"')[0]
    return text.replace('\\"', '"').replace("\\\\", "\\")
