"""The history in a Kustomization's status: the last five results, equal ones counted together, newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitopsd.plugin import Outcome
from gitopsd_plugins.kustomize.app import times

LONGEST = 5
Entry = Mapping[str, Any]


def after(outcome: Outcome, reason: str, previous: Sequence[Entry]) -> list[Entry]:
    """The history with this attempt in front; an earlier entry of equal digest and status is continued."""
    same = next(
        (e for e in previous if e.get("digest") == outcome.rendered and e.get("lastReconciledStatus") == reason), None
    )
    at = times.moment(outcome.finished)
    entry: dict[str, Any] = {
        "digest": outcome.rendered,
        "firstReconciled": same["firstReconciled"] if same else at,
        "lastReconciled": at,
        "lastReconciledDuration": times.duration(outcome.duration),
        "lastReconciledStatus": reason,
        "totalReconciliations": (same["totalReconciliations"] if same else 0) + 1,
    }
    if outcome.attempted is not None:
        entry["metadata"] = {"revision": str(outcome.attempted)}
    return [entry, *(e for e in previous if e is not same)][:LONGEST]
