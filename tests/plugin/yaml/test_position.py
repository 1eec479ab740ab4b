"""Where a node stands."""

from collections.abc import Sequence

import pytest

from gitopsd.plugin import yaml

TEXT = """\
# settings
---
---
apiVersion: v1
spec: &spec
  yes: 1
  'off': 2
  containers:
  - name: a
    ports: [80, {containerPort: 81}]
  - # the second
    name: b
other: *spec
merged:
  <<: *spec
  !!str 7: x
  ? [complex]
  : 1
---
second: document
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ([], (4, 1)),
        (["apiVersion"], (4, 1)),
        (["spec"], (5, 1)),
        (["spec", "true"], (6, 3)),
        (["spec", "off"], (7, 3)),
        (["spec", "containers", 0], (9, 5)),
        (["spec", "containers", 0, "name"], (9, 5)),
        (["spec", "containers", 0, "ports", 1, "containerPort"], (10, 18)),
        (["spec", "containers", 1, "name"], (12, 5)),
        (["spec", "containers", 2], (8, 3)),
        (["spec", "containers", "name"], (8, 3)),
        (["spec", "missing", "deeper"], (5, 1)),
        (["spec", "containers", 0, "name", "inside"], (9, 5)),
        (["other", "containers", 0], (13, 1)),
        (["merged", "containers"], (14, 1)),
        (["merged", "7"], (16, 3)),
        (["merged", "after"], (14, 1)),
    ],
)
def test_a_path_leads_to_the_key_or_item_or_its_deepest_ancestor(
    path: Sequence[str | int], place: tuple[int, int]
) -> None:
    assert yaml.locate(TEXT, path) == place


def test_documents_are_counted_as_reading_counts_them() -> None:
    assert yaml.locate(TEXT, ["second"], document=1) == (20, 1)
    assert yaml.read_all(TEXT.replace("? [complex]\n  : 1", "a: 1"))[1].value == {"second": "document"}


def test_a_document_that_is_not_there_is_at_the_beginning() -> None:
    assert yaml.locate(TEXT, ["a"], document=7) == (1, 1)
    assert yaml.locate("", ["a"]) == (1, 1)


def test_a_broken_text_is_an_error_here_too() -> None:
    with pytest.raises(yaml.YamlError, match="line 2, column 1"):
        yaml.locate(b"a: [\n", ["b"])
