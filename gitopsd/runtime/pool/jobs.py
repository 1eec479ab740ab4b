"""Which functions may run in a worker process, and how they are found. Job names come from code, never from content."""

from __future__ import annotations

import importlib
import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Any

_NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)


def check(name: str, packages: Collection[str]) -> None:
    """Raises ValueError unless `name` is "module:function" in one of these packages."""
    module = name.partition(":")[0]
    if not _NAME.fullmatch(name) or not any(module == p or module.startswith(f"{p}.") for p in packages):
        raise ValueError(f"{name!r} is no job; it must be module:function in {', '.join(sorted(packages))}")


def load(name: str, packages: Collection[str]) -> Any:
    """The function, class or other thing of this name. Raises ValueError as `check`, ImportError, AttributeError."""
    check(name, packages)
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def preload(modules: Iterable[str], packages: Collection[str]) -> None:
    """Import what jobs are going to need. One that cannot be imported is left to the job that needs it, which says why."""
    for module in modules:
        with suppress(Exception):
            load(f"{module}:__name__", packages)
