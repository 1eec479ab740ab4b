"""Failures that a test asks for: the next requests that match are refused, delayed, dropped, or their watches cut.

Faults are given in Python on the running server and never over HTTP. It decides which fault a request meets; the server
carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Effect = Literal["answer", "drop", "hang", "cut"]


@dataclass(slots=True, kw_only=True)
class Fault:
    """One kind of failure. `times` counts down; -1 never ends.

    `answer` sends `status` with `retry_after` seconds, `drop` closes the connection without an answer, `hang` never
    answers, `cut` answers a watch and ends it after the lines that wait.
    """

    effect: Effect = "answer"
    method: str = "*"
    path: str = ""
    """Prefix of the path; '' matches all."""
    times: int = 1
    status: int = 500
    retry_after: float | None = None

    def matches(self, method: str, path: str) -> bool:
        """Whether a request meets this fault."""
        return self.times != 0 and self.method in ("*", method) and path.startswith(self.path)


@dataclass(slots=True)
class Faults:
    """The faults that wait for their requests, in the order in which they were added."""

    pending: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> Fault:
        """Let the next matching requests fail."""
        self.pending.append(fault)
        return fault

    def clear(self) -> None:
        """Let nothing fail any more. Requests that hang go on hanging."""
        self.pending.clear()

    def met(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets, used up by one."""
        for fault in self.pending:
            if fault.matches(method, path):
                fault.times -= 1
                self.pending = [each for each in self.pending if each.times != 0]
                return fault
        return None
