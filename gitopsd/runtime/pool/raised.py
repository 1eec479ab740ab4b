"""An error of gitopsd's tree on its way from a worker process to the caller: the same class, message and plain attributes.

Classes are looked up in the packages that jobs come from; one that the daemon does not have becomes its nearest base class.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from gitopsd.model.errors import GitopsdError
from gitopsd.runtime.pool import jobs
from gitopsd.runtime.pool.protocol import Raised

MAX_MESSAGE = 10_000


def pack(error: GitopsdError) -> Raised:
    """The error as data; attributes that are not plain are left behind."""
    return Raised(
        tuple(f"{c.__module__}:{c.__qualname__}" for c in type(error).__mro__ if issubclass(c, GitopsdError)),
        str(error)[:MAX_MESSAGE],
        {name: _plain(value) for name, value in vars(error).items() if _is_plain(value)},
    )


def unpack(raised: Raised, packages: Collection[str]) -> GitopsdError:
    """The error again, ready to be raised."""
    kind = next((found for name in raised.classes if (found := _class(name, packages))), GitopsdError)
    # Subclasses may take other arguments; BaseException.__new__ keeps the message, the attributes are all that is left.
    error = kind.__new__(kind, raised.message)
    error.reason = kind.default_reason
    for name, value in raised.attributes.items():
        setattr(error, name, tuple(value) if isinstance(value, list) else value)
    return error


def _class(name: str, packages: Collection[str]) -> type[GitopsdError] | None:
    try:
        found = jobs.load(name, packages)
    except (ValueError, ImportError, AttributeError):
        return None
    return found if isinstance(found, type) and issubclass(found, GitopsdError) else None


def _is_plain(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return all(isinstance(item, (str, int)) for item in value)
    return value is None or isinstance(value, (str, int, float, bool))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (tuple, list)) else value
