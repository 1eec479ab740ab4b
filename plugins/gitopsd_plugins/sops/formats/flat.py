"""Metadata in formats that have no nesting: the way to each value stands in its name, as `age__list_0__map_enc`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_STEP = re.compile(r"__(map|list)_")


def nested(found: Mapping[str, str]) -> dict[str, Any]:
    """The maps and lists that these names describe; what does not fit is left out."""
    top: dict[Any, Any] = {}
    for name, value in found.items():
        steps = _steps(name)
        at = top
        for step in steps[:-1]:
            below = at.setdefault(step, {})
            at = below if isinstance(below, dict) else {}
        at[steps[-1]] = value
    return {str(key): _settled(value) for key, value in top.items()}


def _steps(name: str) -> list[str | int]:
    first, *rest = _STEP.split(name)
    steps: list[str | int] = [first]
    for sort, text in zip(rest[::2], rest[1::2], strict=True):
        steps.append(int(text) if sort == "list" and text.isdecimal() else text)
    return steps


def _settled(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(isinstance(key, int) for key in value):
        return [_settled(value[key]) for key in sorted(value)]
    return {str(key): _settled(item) for key, item in value.items()}
