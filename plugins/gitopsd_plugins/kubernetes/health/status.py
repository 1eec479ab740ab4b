"""Reading an object's status: conditions, numbers and the verdict's words. Knows no kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitopsd.plugin import Body, Health, Verdict

CURRENT = Verdict(health=Health.CURRENT)


def current(message: str = "") -> Verdict:
    """As wanted."""
    return Verdict(health=Health.CURRENT, message=message)


def progressing(message: str) -> Verdict:
    """On its way, or waiting for something."""
    return Verdict(health=Health.IN_PROGRESS, message=message)


def failed(message: str) -> Verdict:
    """Will not become healthy by waiting."""
    return Verdict(health=Health.FAILED, message=message)


def section(body: Body, name: str) -> Mapping[str, Any]:
    """`spec`, `status`, `metadata`; {} where it is missing or no mapping."""
    value = body.get(name)
    return value if isinstance(value, Mapping) else {}


def number(mapping: Mapping[str, Any], name: str, default: int = 0) -> int:
    """A count; `default` where it is missing or no number."""
    value = mapping.get(name)
    return value if isinstance(value, int) else default


def condition(body: Body, kind: str) -> Mapping[str, Any]:
    """The condition of this type; {} where there is none."""
    conditions = section(body, "status").get("conditions")
    found = (c for c in conditions if isinstance(c, Mapping)) if isinstance(conditions, list) else ()
    return next((c for c in found if c.get("type") == kind), {})


def is_true(body: Body, kind: str) -> bool:
    """True where the condition is there and true."""
    return condition(body, kind).get("status") == "True"


def words(condition: Mapping[str, Any], otherwise: str) -> str:
    """The condition's own message, or its reason, or `otherwise`."""
    return str(condition.get("message") or condition.get("reason") or otherwise)
