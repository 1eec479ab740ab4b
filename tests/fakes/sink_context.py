"""The `Context` of a sink's tests: HTTP, the time, the log and a folder; whatever else it would reach for is an error."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from gitopsd.plugin import Context, Http


class _Unused:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the sink has no business with {name}")


def make(folder: Path) -> Context:
    """A context whose caches lie in `folder`."""
    return Context(
        http=Http(),
        work=_Unused(),
        quick=_Unused(),
        credentials=_Unused(),
        intake=_Unused(),
        now=lambda: datetime.now(UTC),
        log=structlog.get_logger(),
        cache=lambda _: folder,
    )
