"""The fields that all source kinds share, and what their values mean. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

import msgspec

from gitopsd.plugin.spec import Spec, SpecError, duration

Duration = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"})]
Timeout = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m))+$"})]


class Local(Spec, frozen=True, kw_only=True):
    """An object of the same namespace, by name."""

    name: str


def interval(text: str) -> timedelta:
    """`spec.interval`. Raises `SpecError` for what is no time to wait."""
    return _positive(text, "interval")


def timeout(text: str) -> timedelta:
    """`spec.timeout`. Raises `SpecError` for what is no time, and for hours, which Flux does not take here."""
    found = _positive(text, "timeout")
    if "h" in text:
        raise SpecError("a timeout has no hours; write it in minutes", path=("spec", "timeout"))
    return found


def outranked(path: str, ordered: Mapping[str, str]) -> tuple[str, ...]:
    """Warnings about those alternatives below `path` that the first one which is set comes before."""
    first, *others = [name for name, value in ordered.items() if value] or [""]
    return tuple(f"{path}.{name} has no effect beside {path}.{first}" for name in others)


def _positive(text: str, field: str) -> timedelta:
    found = duration(text, path=("spec", field))
    if not found:
        raise SpecError("must be more than zero", path=("spec", field))
    return found
