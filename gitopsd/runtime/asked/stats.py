"""A running engine in numbers."""

from __future__ import annotations

import resource
import time
from collections import Counter
from pathlib import Path

from gitopsd import __version__
from gitopsd.model.declared import SourceIntent
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.shown.view import Stats

_PAGE = resource.getpagesize()


def of(engine: Engine) -> Stats:
    """The numbers of now."""
    board, views, clusters = engine.board, engine.views(), engine.cluster_views()
    return Stats(
        version=__version__,
        uptime=_uptime(),
        memory=_memory(),
        store=_size(engine.parts.store.path),
        clusters=len(clusters),
        connected=sum(cluster.connected for cluster in clusters),
        sources=sum(isinstance(intent, SourceIntent) for intent in board.intents.values()),
        apps=sum(1 for _ in board.apps()),
        children=sum(view.parent is not None for view in views),
        objects=sum(len(inventory.owned) for inventory in board.inventories.values()),
        phases=dict(sorted(Counter(str(view.phase or "unknown") for view in views).items())),
        suspended=sum(view.suspended for view in views),
        approvals=sum(bool(view.plan) for view in views),
    )


def _uptime() -> float:
    """Since this process began, by what the kernel says of it."""
    ticks = int(Path("/proc/self/stat").read_text("ascii").rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / 100


def _memory() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE


def _size(folder: Path) -> int:
    """Bytes on the disk; files that come and go while they are counted do not matter."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total
