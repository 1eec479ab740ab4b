"""Printing plans: the summary for people, and the choice of every other form. What is printed comes masked.

Our own changes are told apart from what the server makes of them: its defaults, what webhooks do, values that it writes in
another way.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

import click
import msgspec
from rich.text import Text

from gitopsd.cli import output, output_diff, output_markdown, tally
from gitopsd.runtime.shown.view import ChangeView, ClusterView, FieldView, PlanView, Report

SAID = frozenset({"apiVersion", "kind", "metadata"})
"""Of a new object, what its line says already."""
OFFLINE = "OFFLINE: an empty sandbox stands for this cluster; what is really there is not known"
_MOST = 200
"""Characters of a value on one line."""
_LINES = 40
"""Lines of a difference between two texts."""


def show(found: PlanView, shape: str) -> None:
    """Print the plan as `-o` asks."""
    match shape:
        case "json" | "yaml":
            output.machine({"summary": tally.counted(found.apps), **_plain(found)}, shape)
        case "name":
            output.names(report.view.ref for report in found.apps if tally.changes(report))
        case "markdown":
            click.echo(output_markdown.page(found, head=[*map(cluster_line, found.clusters), *source_lines(found)]))
        case _:
            _head(found)
            if shape == "table":
                apps(found)
            else:
                output_diff.show(found, side_by_side=shape == "side-by-side")
            _foot(found)


def apps(found: PlanView) -> None:
    """Every app that would change or could not be planned, with its changes; the others in one line."""
    quiet = [report for report in found.apps if tally.planned(report) and not report.changes]
    for report in found.apps:
        if report not in quiet:
            _app(report)
    for report in quiet:
        note = ": suspended, left alone" if report.view.phase == "suspended" else ""
        output.console().print(Text(f"{report.view.ref}: no change{note}", style="dim"))


def cluster_line(cluster: ClusterView) -> str:
    """The first line of every summary."""
    return output.cluster_line(cluster) + (f" {OFFLINE}" if cluster.offline else "")


def source_lines(found: PlanView) -> Iterator[str]:
    """What was planned, and what was asked for."""
    for source in found.sources:
        instead = f", {source.instead} in its place" if source.instead else ""
        problem = f": {output.clean(source.error)}" if source.error else ""
        yield f"{source.ref} {source.revision or 'not there'}{instead}{problem}"


def _head(found: PlanView) -> None:
    for cluster in found.clusters:
        output.console().print(Text(cluster_line(cluster), style="bold yellow" if cluster.offline else "bold"))
    for line in source_lines(found):
        output.console().print(Text(line))


def _foot(found: PlanView) -> None:
    for report in found.apps:
        if not tally.planned(report):
            output.console().print(Text(f"not planned: {output.clean(report.view.message)}", style="red"))
    output.console().print(Text(tally.in_words(found.apps), style="bold"))
    if found.untouched:
        output.console().print(Text(f"{found.untouched} further apps are not touched", style="dim"))


def _app(report: Report) -> None:
    note = " (suspended: this happens when it is resumed)" if report.view.suspended else ""
    output.console().print(Text(f"{report.view.ref}{note}", style="bold"))
    for change in report.changes:
        output.console().print(_line(change))
        for text in fields(change):
            output.console().print(text)
    if approval := tally.approval(report):
        output.console().print(Text(f"  {approval}", style="yellow"))


def _line(change: ChangeView) -> Text:
    text = output.change_line(change)
    if change.declared and change.action != "delete":
        text.append(" (declared here, not in the cluster)", style="dim")
    if change.estimated:
        text.append(" (estimated: this identity may not ask for a dry run)", style="yellow")
    return text


def fields(change: ChangeView) -> Iterator[Text]:
    """The changed fields of one object; of a new one, what the server fills in is only counted."""
    new = change.action == "create"
    servers = [field for field in change.fields if field.by == "server"]
    for field in change.fields:
        if field.by == "server" and new:
            continue
        if not (new and field.path in SAID):
            yield from _field(field, new=new)
    if new and servers:
        yield Text(f"      {len(servers)} more by the server's defaults", style="dim")


def _field(field: FieldView, *, new: bool) -> Iterator[Text]:
    by = " (by the server)" if field.by == "server" else ""
    style = "dim" if by else ""
    if isinstance(field.before, str) and isinstance(field.after, str) and "\n" in field.before + field.after:
        yield Text(f"      {output.clean(field.path)}:{by}", style=style)
        yield from _lines(field.before, field.after)
        return
    change = value(field.after) if new else f"{value(field.before)} -> {value(field.after)}"
    yield Text(f"      {output.clean(field.path)}: {change}{by}", style=style)


def _lines(before: str, after: str) -> Iterator[Text]:
    found = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=1, lineterm=""))[2:]
    for line in found[:_LINES]:
        colour = {"+": "green", "-": "red"}.get(line[:1], "dim")
        yield Text(f"        {output.clean(line)}", style=colour)
    if len(found) > _LINES:
        yield Text(f"        ... {len(found) - _LINES} more lines; see -o unified", style="dim")


def value(found: Any) -> str:
    """A value on one line."""
    if found is None:
        return "(absent)"
    text = output.clean(found) if isinstance(found, str) else msgspec.json.encode(found).decode()
    return text if len(text) <= _MOST else text[:_MOST] + "…"


def _plain(found: PlanView) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(found)
    return plain
