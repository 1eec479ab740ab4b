"""A plan as the comment of a pull request: a table of all that changes, and the diffs folded away below it.

Everything that comes from a repository or a cluster stands in code, where it can form no link, mention or tag.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence

from gitopsd.cli import output, output_diff, tally
from gitopsd.runtime.shown.view import ChangeView, PlanView, Report

MOST = 60_000
"""Characters of a page: what the usual forges take as one comment."""
_TICKS = re.compile(r"`+")


def page(found: PlanView, *, head: Sequence[str]) -> str:
    """The whole comment; what does not fit any more is counted at its end."""
    top = [
        "### gitopsd plan",
        "",
        *(f"- {code(line)}" for line in head),
        "",
        f"**{tally.in_words(found.apps)}**",
        "",
    ]
    failed = [r for r in found.apps if not tally.planned(r)]
    top += [f"- ❌ {code(r.view.message)}" for r in failed] + ([""] if failed else [])
    approvals = [text for text in map(tally.approval, found.apps) if text]
    top += [f"- {code(text)}" for text in approvals] + ([""] if approvals else [])
    rows = [_row(report, change) for report in found.apps for change in report.changes]
    table = ["| app | action | object | |", "|---|---|---|---|", *rows, ""] if rows else []
    blocks = [
        "\n".join(_block(change)) for report in found.apps for change in report.changes if output_diff.has_diff(change)
    ]
    return _within("\n".join([*top, *table]), blocks)


def code(text: str) -> str:
    """Text as inline code."""
    plain = output.clean(text).replace("|", "\\|")
    ticks = "`" * (max((len(run) for run in _TICKS.findall(plain)), default=0) + 1)
    return f"{ticks} {plain} {ticks}" if "`" in plain else f"`{plain}`"


def _row(report: Report, change: ChangeView) -> str:
    why = change.error or change.reason
    notes = [code(why)] if why else []
    notes += ["estimated"] if change.estimated else []
    cells = (
        code(str(report.view.ref)),
        f"**{tally.word_for(change)}**",
        code(output_diff.name(change)),
        ", ".join(notes),
    )
    return f"| {' | '.join(cells)} |"


def _block(change: ChangeView) -> Iterator[str]:
    lines = list(output_diff.unified(change))
    longest = max((len(run) for line in lines for run in _TICKS.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"<details><summary>{tally.word_for(change)} <code>{html.escape(output_diff.name(change))}</code></summary>"
    yield ""
    yield f"{fence}diff"
    yield from lines
    yield fence
    yield "</details>"
    yield ""


def _within(top: str, blocks: Iterable[str]) -> str:
    left = MOST - len(top)
    shown, dropped = [top[:MOST]], 0
    for block in blocks:
        left -= len(block) + 1
        if left < 0:
            dropped += 1
        else:
            shown.append(block)
    if dropped:
        shown.append(f"_{dropped} more diffs do not fit here; `gitopsd plan -o unified` shows them._")
    return "\n".join(shown)
