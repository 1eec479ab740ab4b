"""The daemon's latest log lines in memory, by the object that they are about; masked already, as the log has them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from structlog.typing import EventDict, WrappedLogger

from gitopsd.runtime.shown.view import LogLine

MOST = 5000


@dataclass(slots=True)
class _About(threading.local):
    """Which object the line at hand is about, between the two processors of one thread."""

    name: str = ""


class Lines:
    """Two processors of the log: `about` sees the object of a line, `keep` its text when it is finished."""

    def __init__(self) -> None:
        self._rows: deque[LogLine] = deque(maxlen=MOST)
        self._about = _About()
        self._lock = threading.Lock()
        self._number = 0

    def about(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Remember whose line this is."""
        self._about.name = str(event.get("object", ""))
        return event

    def keep(self, logger: WrappedLogger, method: str, line: str) -> str:
        """Keep the finished line, if it is about an object."""
        if self._about.name:
            with self._lock:
                self._number += 1
                self._rows.append(LogLine(number=self._number, object=self._about.name, text=line))
        return line

    def after(self, number: int, objects: Collection[str]) -> Sequence[LogLine]:
        """Lines after this number about these objects."""
        with self._lock:
            return [row for row in self._rows if row.number > number and row.object in objects]
