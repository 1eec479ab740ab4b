"""Files that make the next fetch small: indexes, packed charts. Safe to delete at any time; the unused ones go by themselves."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

UNUSED = 14 * 86_400
"""Seconds after which a file that nobody used is removed, what a crash left behind included."""


def sweep(folder: Path) -> None:
    """Remove what nobody used for a while; another process may be doing the same."""
    for file in folder.iterdir():
        with suppress(FileNotFoundError):
            if file.is_file() and time.time() - file.stat().st_mtime > UNUSED:
                file.unlink()


def used(*files: Path) -> None:
    """Note that these are in use."""
    for file in files:
        with suppress(FileNotFoundError):
            os.utime(file)
