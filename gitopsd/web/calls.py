"""The calls of the control socket: one struct per request body, so that both ends agree by construction."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec


class Named(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Objects by name; none means all."""

    names: tuple[str, ...] = ()


class Ask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request about the objects of one name. `token` tells one request from another."""

    name: str
    token: str = ""
    actor: str = ""
    reason: str = ""
    plan: str = ""
    until: datetime | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question about what was or happens: objects by name (none means all), from which number on, how long to wait."""

    names: tuple[str, ...] = ()
    after: int = 0
    patience: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """An error of the gitopsd tree, by class name."""

    kind: str
    message: str
    reason: str = ""
