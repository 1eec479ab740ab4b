"""Safe edits: exactly the value at the path, and every other byte as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitopsd.config.advice import mending
from gitopsd.config.advice.evidence import Edit

WAIT = Edit(path=("spec", "wait"), value=True)
INTERVAL = Edit(path=("spec", "interval"), value="10m")


@pytest.mark.parametrize(
    ("text", "edit", "after"),
    [
        ("spec:\n  interval: 15m   # why\n  url: x\n", INTERVAL, "spec:\n  interval: 10m   # why\n  url: x\n"),
        ("spec: {interval: 15m, url: x} # why\n", INTERVAL, "spec: {interval: 10m, url: x} # why\n"),
        ("spec:\n    'interval': \"15m\"\n", INTERVAL, "spec:\n    'interval': 10m\n"),
        ("# head\nspec:\n  # why\n  path: a\n", WAIT, "# head\nspec:\n  # why\n  wait: true\n  path: a\n"),
        ("spec: {path: a}\n", WAIT, "spec: {wait: true, path: a}\n"),
        ("spec:\n  wait: false\n  path: a\n", WAIT, "spec:\n  wait: true\n  path: a\n"),
        ("a: ö\r\nspec:\r\n  wait: false\r\n", WAIT, "a: ö\r\nspec:\r\n  wait: true\r\n"),
    ],
)
def test_only_the_value_changes(text: str, edit: Edit, after: str) -> None:
    assert mending.edited(text, 1 if not text.startswith("#") else 2, edit) == after


def test_of_several_documents_the_right_one_is_changed() -> None:
    text = "---\nspec: {path: a}\n---\n# empty\n---\nspec: {path: b}\n"
    assert mending.edited(text, 6, WAIT) == "---\nspec: {path: a}\n---\n# empty\n---\nspec: {wait: true, path: b}\n"


@pytest.mark.parametrize("text", ["spec: &a {path: x}\nother: *a\n", "spec: {}\n", "spec: text\n", "other: 1\n"])
def test_what_cannot_be_edited_safely_is_left(text: str) -> None:
    assert mending.edited(text, 1, WAIT) is None


def test_a_line_that_no_document_begins_on_is_left(tmp_path: Path) -> None:
    assert mending.edited("spec: {path: x}\n", 7, WAIT) is None
