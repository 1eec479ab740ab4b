"""What may be wrong with a field, in the API server's words."""

from __future__ import annotations

from typing import Any

import msgspec

from gitopsd_plugins.sandbox.requests.status import Cause
from gitopsd_plugins.sandbox.storage.store import encode


def required(field: str, why: str = "") -> Cause:
    """A missing value."""
    return Cause(field, "FieldValueRequired", f"Required value: {why}" if why else "Required value")


def wrong(field: str, value: Any, why: str) -> Cause:
    """A value that is not allowed."""
    return Cause(field, "FieldValueInvalid", f"Invalid value: {encode(value).decode()}: {why}")


def in_order(value: Any) -> str:
    """JSON whose keys stay in the order of Go's fields."""
    return msgspec.json.encode(value).decode()


def unsupported(field: str, value: Any, supported: tuple[str, ...], *, ordered: bool = False) -> Cause:
    """A value outside a fixed set; `ordered` keeps the keys of an object as they are."""
    listed = ", ".join(f'"{each}"' for each in supported)
    shown = msgspec.json.encode(value).decode() if ordered else encode(value).decode()
    return Cause(field, "FieldValueNotSupported", f"Unsupported value: {shown}: supported values: {listed}")
