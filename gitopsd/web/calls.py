"""The calls of the control socket: one struct per request body, so that both ends agree by construction."""

from __future__ import annotations

from datetime import datetime

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


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """An error of the gitopsd tree, by class name."""

    kind: str
    message: str
    reason: str = ""
