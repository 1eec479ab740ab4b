from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import pytest

from gitopsd.config import documents, home, schema
from gitopsd.config.settings import Settings
from gitopsd.plugin import yaml

FILE = Path(__file__).parents[2] / "config" / "gitopsd.yaml"


def structs(struct=Settings):
    yield struct
    for field in msgspec.structs.fields(struct):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from structs(field.type)


def names(struct=Settings):
    """The tree of setting names, as users write them."""
    return {
        field.encode_name: names(field.type)
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)
        else None
        for field in msgspec.structs.fields(struct)
    }


def keys(value):
    return {key: keys(below) if isinstance(below, dict) else None for key, below in value.items()}


def test_the_file_shows_the_defaults():
    assert home.settings(documents.gather([FILE])) == Settings()


def test_the_file_shows_every_setting():
    assert keys(yaml.read(FILE.read_bytes())["spec"]) == names()


def test_the_file_explains_every_setting_in_the_line_above_it():
    lines = FILE.read_text().splitlines()
    groups = {"limits:", "retry:", "plugins:", "log:"}
    for above, line in itertools.pairwise(lines[lines.index("spec:") :]):
        words = line.split()
        if words and words[0].endswith(":") and words[0] not in groups:
            assert above.lstrip().startswith("# "), line


@pytest.mark.parametrize("struct", list(structs()), ids=lambda s: s.__name__)
def test_every_setting_is_documented_where_it_stands(struct):
    fields = {field.encode_name for field in msgspec.structs.fields(struct)}
    assert schema.explained(struct).keys() == fields


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("instance", "Prod"),
        ("instance", "x" * 64),
        ("instance", "a.b"),
        ("inventory_namespace", ""),
        ("field_manager", "a b"),
        ("state_dir", "relative"),
        ("interval_jitter_percent", 80),
    ],
)
def test_values_that_would_not_work_are_refused(setting, value):
    name = next(f.encode_name for f in msgspec.structs.fields(Settings) if f.name == setting)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({name: value}, Settings)
