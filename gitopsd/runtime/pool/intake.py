"""How a worker process opens the store that its jobs read from and write to: the usual `opener` of the worker pool."""

from __future__ import annotations

from pathlib import Path

from gitopsd.plugin.tree import Intake
from gitopsd.store.store import Store

OPENER = f"{__name__}:open_store"


def open_store(folder: str) -> Intake:
    """The store in this folder, opened for as long as the process lives."""
    return Store.open(Path(folder))
