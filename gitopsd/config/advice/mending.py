"""Safe edits of declared files: the value at a path is replaced or added, and every other byte stays, comments included.

ruamel.yaml tells where things stand; the text is cut there. What came out is read again, and anything but the document
with exactly this edit is given up.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gitopsd.config.advice.evidence import Edit
from gitopsd.config.documents import Written
from gitopsd.plugin import UsageError, yaml

_SCALAR = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'|[^\s#,}\]][^\s#,}\]]*")


def mend(edits: Iterable[tuple[Written, Edit]]) -> list[tuple[Written, Edit]]:
    """Make these edits in their files; answers with those that were made. Raises `UsageError` where a file cannot be written."""
    by_file: dict[str, list[tuple[Written, Edit]]] = {}
    for written, edit in edits:
        if not written.inside:  # an item of a list has no document of its own to cut in
            by_file.setdefault(written.place.file, []).append((written, edit))
    made: list[tuple[Written, Edit]] = []
    for file, wanted in by_file.items():
        made += _file(Path(file), wanted)
    return made


def _file(path: Path, wanted: list[tuple[Written, Edit]]) -> list[tuple[Written, Edit]]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be mended: {error}") from error
    made: list[tuple[Written, Edit]] = []
    # from the end, so that the lines of those above stay where they are
    for written, edit in sorted(wanted, key=lambda pair: -pair[0].place.line):
        changed = edited(text, written.place.line, edit)
        if changed is not None:
            text = changed
            made.append((written, edit))
    if made:
        try:
            path.write_text(text, "utf-8")
        except OSError as error:
            raise UsageError(f"{path}: cannot be mended: {error.strerror}") from error
    return made


def edited(text: str, line: int, edit: Edit) -> str | None:
    """The text with this edit in the document that begins on `line`; None where it cannot be made safely."""
    before = list(yaml.read_all(text.encode()))
    index = next((i for i, document in enumerate(before) if document.line == line), None)
    if index is None:
        return None
    changed = _cut(text, _nodes(text)[index], edit)
    if changed is None:
        return None
    wanted = [document.value for document in before]
    wanted[index] = _with(wanted[index], edit)
    try:
        after = [document.value for document in yaml.read_all(changed.encode())]
    except yaml.YamlError:
        return None
    return changed if after == wanted else None


def _nodes(text: str) -> list[Any]:
    """The documents with the places of their keys; empty ones are left out, as our own reader does."""
    from ruamel.yaml import YAML  # takes 50 ms, for what hardly any command needs

    loader = YAML(typ="rt", pure=True)
    return [document for document in loader.load_all(text) if document is not None]


def _cut(text: str, document: Any, edit: Edit) -> str | None:
    *above, key = edit.path
    parent: Any = document
    for step in above:
        parent = parent.get(step) if isinstance(parent, Mapping) else None
    if not isinstance(parent, Mapping) or not parent:
        return None
    table: Any = parent
    starts = _starts(text)
    value = "true" if edit.value is True else str(edit.value)
    if key in parent:
        row, column = table.lc.value(key)
        at = starts[row] + column
        found = _SCALAR.match(text, at)
        return text[:at] + value + text[found.end() :] if found else None
    row, column = table.lc.key(next(iter(parent)))
    at = starts[row] + column
    flow = table.fa.flow_style()
    return text[:at] + f"{key}: {value}" + (", " if flow else "\n" + " " * column) + text[at:]


def _starts(text: str) -> list[int]:
    """Where each line begins."""
    return [0, *(found.end() for found in re.finditer("\n", text))]


def _with(document: Any, edit: Edit) -> Any:
    changed = copy.deepcopy(document)
    inner = changed
    for step in edit.path[:-1]:
        inner = inner[step]
    inner[edit.path[-1]] = edit.value
    return changed
