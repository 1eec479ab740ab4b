"""Printing: tables and trees for people, JSON, YAML and names for machines. No colour outside a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from gitopsd.model.identity import ObjectRef
from gitopsd.plugin import yaml
from gitopsd.runtime.shown.view import Branch, ChangeView, ClusterView, Leaf, Report, View

WIDE = 1000
"""Columns where nobody looks: rows are not folded for a pipe."""
_COLOURS = {"create": "green", "adopt": "green", "update": "yellow", "recreate": "magenta", "delete": "red"}
_SIGNS = {
    "create": "+",
    "adopt": "+",
    "update": "~",
    "recreate": "±",
    "delete": "-",
    "hold": "…",
    "refuse": "!",
    "skip": "·",
}


def console(*, stderr: bool = False) -> Console:
    """Where to print; as wide as needed where nobody looks."""
    plain = Console(stderr=stderr, highlight=False)
    return plain if plain.is_terminal else Console(stderr=stderr, highlight=False, width=WIDE)


def machine(values: Any, output: str) -> None:
    """Plain values as JSON or YAML."""
    plain = msgspec.to_builtins(values)
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(plain), indent=2).decode())
    else:
        click.echo(yaml.write_all(plain) if isinstance(plain, list) else yaml.write(plain), nl=False)


def names(found: Iterable[object]) -> None:
    """One name per line, for xargs and friends."""
    for name in found:
        click.echo(str(name))


def views(found: Sequence[View], output: str) -> None:
    """Objects, as `-o` asks: machines get the documents with their status."""
    match output:
        case "name":
            names(v.ref for v in found)
        case "json" | "yaml":
            machine([v.document for v in found], output)
        case _:
            _table(found)


def _table(found: Sequence[View]) -> None:
    """What only some objects have, a parent, is a column only where there is one."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    parents = ["PARENT"] if any(view.parent for view in found) else []
    for column in ("NAMESPACE", "NAME", *parents, "REVISION", "SUSPENDED", "READY", "MESSAGE"):
        table.add_column(column, no_wrap=column != "MESSAGE", overflow="fold")
    for view in found:
        table.add_row(
            view.ref.namespace,
            _name(view.ref),
            *([_name(view.parent) if view.parent else ""] if parents else ()),
            short(view.revision),
            str(view.suspended),
            _ready(view),
            view.message.removeprefix(f"{view.ref}: "),
        )
    console().print(table)
    for view in found:
        for text in view.warnings:
            console().print(Text(f"! {view.ref}: {text.removeprefix(f'{view.ref}: ')}", style="yellow"))


def _name(ref: ObjectRef) -> str:
    return f"{ref.kind.lower()}/{ref.name}"


def _ready(view: View) -> Text:
    if not view.counted:
        return Text("-", style="dim")
    word = "Unknown" if view.ready is None else str(view.ready)
    return Text(word, style={"True": "green", "False": "red"}.get(word, "yellow"))


def line(value: Any) -> str:
    """Plain values as JSON on one line."""
    return msgspec.json.encode(value).decode()


def short(revision: str) -> str:
    """A revision with its digest cut to what people read: main@sha1:1a2b3c4d."""
    head, colon, digest = revision.rpartition(":")
    return f"{head}{colon}{digest[:8]}" if colon and len(digest) > 12 else revision


def cluster_line(cluster: ClusterView) -> str:
    """The first line of every summary."""
    context = f" context {cluster.context}" if cluster.context else ""
    where = f" {cluster.server}" if cluster.server else " not reached"
    return f"cluster {cluster.name}{where}{context}"


def clusters(found: Iterable[ClusterView]) -> None:
    """The head of a summary: every cluster with server and context."""
    for cluster in found:
        console().print(Text(cluster_line(cluster), style="bold"))


def tree(branches: Iterable[Branch]) -> None:
    """Objects, what they declared, and what they applied, with health."""
    for branch in branches:
        root = Tree(_label(branch.view))
        _grow(root, branch)
        console().print(root)


def _grow(node: Tree, branch: Branch) -> None:
    for child in branch.branches:
        _grow(node.add(_label(child.view)), child)
    for leaf in branch.leaves:
        node.add(_leaf(leaf))


def _label(view: View) -> Text:
    told = "" if view.ready else view.message.removeprefix(f"{view.ref}: ")
    words: list[str | Text] = [Text(str(view.ref), style="bold"), _ready(view)]
    words.extend(
        Text(word, style="dim") for word in (short(view.revision), "suspended" if view.suspended else "") if word
    )
    if view.warnings:
        words.append(Text(f"! {'; '.join(view.warnings)}", style="yellow"))
    return Text(" ").join([Text(word) if isinstance(word, str) else word for word in (*words, told) if word])


def _leaf(leaf: Leaf) -> Text:
    where = f"{leaf.namespace}/" if leaf.namespace else ""
    colour = {"Current": "green", "Failed": "red"}.get(leaf.health, "yellow")
    message = f" {leaf.message}" if leaf.message and leaf.health != "Current" else ""
    return Text.assemble(f"{leaf.kind}/{where}{leaf.name} ", (leaf.health, colour), message)


def report(found: Report) -> None:
    """What was done, or would be: one line per change."""
    console().print(Text(str(found.view.ref), style="bold"))
    for change in found.changes:
        console().print(change_line(change))
    console().print(Text(f"  {summary(found.changes)}"))


def change_line(change: ChangeView) -> Text:
    """One change: sign, action, object, reason."""
    where = f"{change.namespace}/" if change.namespace else ""
    why = change.error or change.reason
    moves = bool(change.moved_from or change.moved_to)
    sign, word = ("→", "move") if moves else (_SIGNS.get(change.action, " "), change.action)
    text = f"  {sign} {word} {change.kind}/{where}{change.name}" + (f": {clean(why)}" if why else "")
    return Text(text, style=_COLOURS.get(change.action, "dim" if change.action in {"skip", "hold"} else "red"))


def clean(text: str) -> str:
    """On one line, without anything that moves a terminal's cursor."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def summary(changes: Iterable[ChangeView]) -> str:
    """`2 create, 1 delete`, or that nothing changes."""
    counts: dict[str, int] = {}
    for change in changes:
        counts[change.action] = counts.get(change.action, 0) + 1
    return ", ".join(f"{number} {action}" for action, number in counts.items()) or "no change"
