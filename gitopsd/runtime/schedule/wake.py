"""Why an object is looked at again. A wake carries no data: whoever is woken reads the world anew.

Which wakes count depends on how the object is: a stalled one would fail in the same way again, so that only a new spec or
revision, or a person, moves it. Drift moves it too: one refused object keeps no other from being put back. Pure.
"""

from __future__ import annotations

from enum import StrEnum

from gitopsd.model.outcome import Phase


class Reason(StrEnum):
    """What woke an object, as the log shows it."""

    START = "start"
    DUE = "due"
    SPEC = "spec changed"
    VALUES = "values changed"
    """A ConfigMap or Secret that its render, or the way to its cluster, asks for."""
    REVISION = "new revision"
    REQUEST = "requested"
    DEPENDENCY = "dependency moved"
    CAUSE = "dependency fails otherwise"
    """What it waits for is not ready for another reason than before; only what waits says why."""
    RELEASED = "released"
    """What it was refused before may be granted now: an approval was given, an object was let go by another app."""
    DRIFT = "drift"
    CHECK = "full check"
    """Look at everything in the target, whatever watches say."""


SUPERSEDES = frozenset({Reason.SPEC, Reason.VALUES, Reason.REVISION, Reason.REQUEST})
"""Reasons for which a health gate that is still open ends early: its answer is no longer asked for."""

_ANY = frozenset(Reason) - {Reason.CAUSE}
_RESTING = SUPERSEDES | {Reason.RELEASED}
_HEEDED = {
    Phase.READY: _ANY - {Reason.DEPENDENCY},
    Phase.WAITING: frozenset(Reason),
    Phase.STALLED: _RESTING | {Reason.DRIFT},
    Phase.SUSPENDED: _RESTING,
    Phase.ORPHANED: _RESTING,
    Phase.UNSERVED: _RESTING,
    Phase.DELETED: frozenset({Reason.SPEC, Reason.REQUEST}),
}


def heeded(reason: Reason, phase: Phase | None) -> bool:
    """True when an object in this phase (None: never attempted) acts on the wake. DUE is heeded always: it was asked for."""
    if phase is None or reason is Reason.DUE:
        return True
    return reason in _HEEDED.get(phase, _ANY)
