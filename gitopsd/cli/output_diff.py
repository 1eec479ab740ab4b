"""Diffs of objects as YAML, unified or side by side: what is live against what our own change makes of it.

What the server makes of it beyond that stands below each object as comments, so that the diff itself is ours alone.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from rich.text import Text

from gitopsd.cli import output, tally
from gitopsd.plugin import yaml
from gitopsd.runtime.shown.view import ChangeView, FieldView, PlanView

CONTEXT = 3
_NARROW = 100
"""Columns of a side by side diff where nobody looks."""


def show(found: PlanView, *, side_by_side: bool) -> None:
    """Every changed object of every app."""
    console = output.console()
    width = console.width if console.is_terminal else _NARROW
    for report in found.apps:
        shown = [change for change in report.changes if has_diff(change)]
        if shown:
            console.print(Text(f"# {report.view.ref}", style="bold"))
        for change in shown:
            lines = beside(change, width) if side_by_side else map(_coloured, unified(change))
            for line in lines:
                console.print(line, soft_wrap=True)


def has_diff(change: ChangeView) -> bool:
    """False for an object that stays as it is, whatever is said about it."""
    return change.writes and (change.before is not None or change.after is not None)


def name(change: ChangeView) -> str:
    """The object, as summaries name it."""
    return "/".join(part for part in (change.kind, change.namespace, change.name) if part)


def unified(change: ChangeView) -> Iterator[str]:
    """A unified diff; comments below it say what the server makes of it."""
    before, after = _text(change.before), _text(change.ours)
    title = name(change)
    yield from difflib.unified_diff(
        before, after, f"{title} (live)", f"{title} ({tally.word_for(change)})", n=CONTEXT, lineterm=""
    )
    yield from comments(change)


def comments(change: ChangeView) -> Iterator[str]:
    """What the server changes beyond what we ask, a line for each field; and that it was not asked, where it was not."""
    if change.estimated:
        yield "# estimated: this identity may not ask for a dry run"
    for field in change.fields:
        if field.by == "server":
            yield f"# by the server: {output.clean(field.path)}: {_short(field)}"


def beside(change: ChangeView, width: int) -> Iterator[Text]:
    """Two columns: live on the left, planned on the right; equal parts are left out but for their edges."""
    column = max((width - 3) // 2, 20)
    title = name(change)
    yield Text(f"{_fit(f'{title} (live)', column)}   {title} ({tally.word_for(change)})", style="bold")
    before, after = _text(change.before), _text(change.ours)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for group in matcher.get_grouped_opcodes(CONTEXT):
        yield Text("…", style="dim")
        for tag, from_left, to_left, from_right, to_right in group:
            yield from _rows(tag, before[from_left:to_left], after[from_right:to_right], column)
    for line in comments(change):
        yield Text(line, style="dim")


def _rows(tag: str, left: Sequence[str], right: Sequence[str], column: int) -> Iterator[Text]:
    sign, style = _COLUMN[tag]
    for index in range(max(len(left), len(right))):
        one = left[index] if index < len(left) else ""
        other = right[index] if index < len(right) else ""
        yield Text(f"{_fit(one, column)} {sign} {_fit(other, column).rstrip()}", style=style)


_COLUMN = {"equal": (" ", "dim"), "replace": ("|", "yellow"), "delete": ("<", "red"), "insert": (">", "green")}


def _fit(text: str, column: int) -> str:
    return text.ljust(column) if len(text) <= column else text[: column - 1] + "…"


def _coloured(line: str) -> Text:
    colour = {"+": "green", "-": "red", "@": "cyan", "#": "dim"}.get(line[:1], "")
    return Text(line, style="bold" if line.startswith(("+++ ", "--- ")) else colour)


def _text(body: Mapping[str, Any] | None) -> list[str]:
    """The object as lines of YAML, keys sorted so that both sides are written alike."""
    if body is None:
        return []
    return [output.clean(line) for line in yaml.write(_sorted(body)).splitlines()]


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value, key=_order)}
    return [_sorted(item) for item in value] if isinstance(value, list | tuple) else value


def _order(key: str) -> tuple[int, str]:
    head = ("apiVersion", "kind", "metadata", "name", "namespace")
    return (head.index(key) if key in head else len(head), key)


def _short(field: FieldView) -> str:
    values = (
        msgspec.json.encode(value).decode() if value is not None else "(absent)"
        for value in (field.before, field.after)
    )
    return " -> ".join(text if len(text) <= 200 else text[:200] + "…" for text in values)
