"""Failures that a test asks for: the next requests that match are refused, delayed, dropped, or their watches cut.

Faults are given in Python on the running server and never over HTTP. It decides which fault a request meets; the server
carries it out.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

Effect = Literal["answer", "pass", "drop", "hang", "cut"]


class Fault(Struct, kw_only=True):
    """One kind of failure. `times` counts down; -1 never ends.

    `answer` sends `status` with `retry_after` seconds, `pass` lets the request through (after `delay`), `drop` closes the
    connection without an answer, `hang` never answers, `cut` answers a watch and ends it after the lines that wait. Each comes
    after `delay` seconds.
    """

    effect: Effect = "answer"
    method: str = "*"
    path: str = ""
    """Prefix of the path; '' matches all."""
    resource: str = "*"
    """The kind that requests are about, as `kubectl api-resources` names it: `configmaps`, `deployments.apps`."""
    times: int = 1
    status: int = 500
    retry_after: float | None = None
    delay: float = 0.0

    def matches(self, method: str, path: str) -> bool:
        """Whether a request meets this fault."""
        return (
            self.times != 0
            and self.method in ("*", method)
            and path.startswith(self.path)
            and self.resource in ("*", resource_of(path))
        )


def resource_of(path: str) -> str:
    """The resource that a path is about, `plural` or `plural.group`; '' for none."""
    parts = path.strip("/").split("/")
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1] if len(parts) > 1 else "", parts[3:])
    if parts[0] not in ("api", "apis") or not rest:
        return ""
    inside = rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize")
    plural = rest[2] if inside else rest[0]
    return f"{plural}.{group}" if group else plural


class Faults(Struct):
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
