"""The audit log of a real API server as the journal that a sandbox keeps: what gitopsd asked for, in order, and as whom."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from gitopsd_plugins.sandbox.journal import Request

_METHODS = {"list": "GET", "watch": "GET", "create": "POST", "update": "PUT", "deletecollection": "DELETE"}
"""Verbs that are no methods."""
_NOTED_WITHIN = 10.0


@dataclass(slots=True)
class Audit:
    """The part of the log that was written since this was made, or cleared."""

    log: Path
    agent: str = "gitopsd/"
    """What the user agent of a request begins with."""
    _read: int = field(init=False)
    _events: list[Mapping[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._read = self.log.stat().st_size

    def clear(self) -> None:
        """Start a new count."""
        self.requests()
        self._events.clear()

    def requests(self, method: str = "*", path: str = "") -> list[Request]:
        """Those with this method whose path starts with `path`, once the server noted what came of each.

        The server notes a request before it works on it, so that none is missed whose answer has come; as whom it was
        made stands in the note of its end (of its beginning, for a watch), which may come a moment after the answer.
        """
        deadline = time.monotonic() + _NOTED_WITHIN
        while True:
            self._events += self._news()
            ends = {event["auditID"]: event for event in self._events if event["stage"] != "RequestReceived"}
            begun = [event["auditID"] for event in self._events if event["stage"] == "RequestReceived"]
            if ends.keys() >= set(begun):
                break
            assert time.monotonic() < deadline, f"the server notes no end of {set(begun) - ends.keys()}"
            time.sleep(0.01)
        found = [_request(ends[id]) for id in begun]
        return [each for each in found if method in ("*", each.method) and each.path.startswith(path)]

    def _news(self) -> list[Mapping[str, Any]]:
        with self.log.open("rb") as log:
            log.seek(self._read)
            whole = log.read().rpartition(b"\n")[0]
        self._read += len(whole) + 1 if whole else 0
        events = map(json.loads, whole.splitlines())
        return [event for event in events if event.get("userAgent", "").startswith(self.agent)]


def _request(event: Mapping[str, Any]) -> Request:
    path, _, query = event["requestURI"].partition("?")
    return Request(
        method=_METHODS.get(event["verb"], event["verb"].upper()),
        path=unquote(path),
        query=dict(parse_qsl(query, keep_blank_values=True)),
        user=event.get("impersonatedUser", event["user"])["username"],
        agent=event["userAgent"],
    )
