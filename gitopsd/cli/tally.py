"""What a plan comes to: counts, a sentence, the exit code."""

from __future__ import annotations

from collections.abc import Iterable

from gitopsd.cli.exits import Exit
from gitopsd.runtime.shown.view import ChangeView, PlanView, Report

_TO_DO = ("create", "update", "recreate", "adopt", "move", "delete")
_REST = {
    "approve": "to approve", "hold": "held", "refuse": "refused", "skip": "skipped", "unchanged": "unchanged",
}  # fmt: skip


def code(found: PlanView) -> Exit:
    """The exit code: what could not be planned goes before what would change."""
    if any(not planned(report) for report in found.apps) or any(s.instead and s.error for s in found.sources):
        return Exit.FAILED
    return Exit.CHANGES if any(map(changes, found.apps)) else Exit.READY


def planned(report: Report) -> bool:
    """False for an app that could not be planned; one that is suspended needed no plan."""
    return bool(report.view.ready) or report.view.phase == "suspended"


def changes(report: Report) -> bool:
    """True where something would change, or is only held back by an approval."""
    return any(change.writes or (change.action == "refuse" and change.deletion) for change in report.changes)


def approval(report: Report) -> str:
    """How the deletions of this plan that need it are approved in Git; '' where none does."""
    waits = any(word_for(change) == "approve" for change in report.changes)
    return f"to approve in Git: gitopsd.io/approve: {report.digest} on {report.view.ref}" if waits else ""


def counted(reports: Iterable[Report]) -> dict[str, int]:
    """How many objects come to what."""
    found: dict[str, int] = {}
    for report in reports:
        for change in report.changes:
            if change.moved_to:
                continue  # counted where it moves to
            word = word_for(change)
            found[word] = found.get(word, 0) + 1
        if report.unchanged:
            found["unchanged"] = found.get("unchanged", 0) + report.unchanged
    return found


def word_for(change: ChangeView) -> str:
    """What becomes of an object, in one word."""
    if change.moved_from or change.moved_to:
        return "move"
    return "approve" if change.action == "refuse" and change.deletion else change.action


def in_words(reports: Iterable[Report]) -> str:
    """`Plan: 2 to create, 1 to move; 3 unchanged`; what could not be planned is never called unchanged."""
    every = tuple(reports)
    counts, lost = counted(every), sum(not planned(report) for report in every)
    done = [f"{counts[word]} to {word}" for word in _TO_DO if word in counts]
    rest = [f"{counts[word]} {said}" for word, said in _REST.items() if word in counts]
    if lost:
        rest.insert(0, f"{lost} app{'s' * (lost != 1)} could not be planned")
    if not done and lost == len(every) > 0:
        return f"Plan: {rest[0]}"
    return f"Plan: {', '.join(done) or 'no change'}" + (f"; {', '.join(rest)}" if rest else "")
