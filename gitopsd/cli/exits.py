"""The one table of exit codes, and which error means which."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from gitopsd.model.errors import GitopsdError, HeldElsewhere, Misconfigured, UsageError
from gitopsd.runtime.shown.view import View


class Exit(IntEnum):
    """What the exit code says; the same for every verb."""

    READY = 0
    """All ready; for `diff` and `plan`: no change."""
    FAILED = 1
    """Something failed, stalled, or waits."""
    WRONG = 2
    """Wrong configuration or usage."""
    HELD = 3
    """Timed out, or another instance holds the cluster."""
    CHANGES = 4
    """`diff` and `plan`: there are changes."""


def of_error(error: GitopsdError) -> Exit:
    """The code for an error that ended a command."""
    match error:
        case UsageError() | Misconfigured():
            return Exit.WRONG
        case HeldElsewhere():
            return Exit.HELD
    return Exit.FAILED


def of_views(views: Iterable[View]) -> Exit:
    """The code for what objects came to; kinds that are not served, suspended and orphaned objects count in none."""
    counted = [v for v in views if v.counted and not v.suspended and v.phase not in {"orphaned", "deleted"}]
    if any(v.reason == "HeldElsewhere" for v in counted):
        return Exit.HELD
    return Exit.READY if all(v.ready for v in counted) else Exit.FAILED
