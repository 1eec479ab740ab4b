"""A target that can only be looked at: what a plan inside a running daemon works with."""

from __future__ import annotations

from typing import Any, cast

from gitopsd.model.errors import Rejected
from gitopsd.plugin.roles import Target

_WRITES = frozenset({"apply", "delete", "remember", "discard", "lease", "acting_as", "token"})


def only(target: Target) -> Target:
    """The same target without its writes: whoever asks for one gets `Rejected`."""
    return cast("Target", _Looking(target))


class _Looking:
    def __init__(self, target: Target) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        if name in _WRITES:
            raise Rejected(f"cluster {self._target.access.cluster}: a plan asked for {name}", reason="ReadOnly")
        return getattr(self._target, name)
