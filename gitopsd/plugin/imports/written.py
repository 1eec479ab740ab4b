"""Objects as YAML with comments that say where each value came from, or as JSON. Pure.

Comments need ruamel.yaml, which has ideas of its own about plain scalars; so what it wrote is read back by our own reader,
and anything but the same objects is an error instead of a file.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from gitopsd.model.errors import GitopsdError
from gitopsd.plugin import yaml
from gitopsd.plugin.imports.imported import Imported, Path

_WIDTH = 4096
_COLUMN = 60
"""Where comments begin, if the line is not longer."""


def as_yaml(objects: Sequence[Imported]) -> str:
    """A document for each object, with its comments."""
    from ruamel.yaml import YAML  # takes 50 ms, for what hardly any command needs

    writer = YAML(typ="rt", pure=True)
    writer.width = _WIDTH
    writer.explicit_start = True
    stream = io.StringIO()
    for it in objects:
        writer.dump(_commented(it), stream)
    text = stream.getvalue()
    _check(text, objects)
    return text


def as_json(objects: Iterable[Imported]) -> str:
    """One `List` of all objects."""
    items = [it.body for it in objects]
    found = {"apiVersion": "v1", "kind": "List", "items": items}
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"


def _check(text: str, objects: Sequence[Imported]) -> None:
    back = [document.value for document in yaml.read_all(text.encode())]
    if back != [it.body for it in objects]:
        raise GitopsdError("the objects cannot be written as YAML without change; print them with -o json")


def _commented(it: Imported) -> Any:
    root = _styled(it.body, it.origins, ())
    if it.heading:
        root.yaml_set_start_comment(it.heading)
    return root


def _styled(value: Any, origins: Mapping[Path, str], path: Path) -> Any:
    from ruamel.yaml.comments import CommentedMap, CommentedSeq  # as above

    match value:
        case Mapping() if value:
            mapping = CommentedMap()
            for key, below in value.items():
                mapping[_text(key)] = _styled(below, origins, (*path, key))
                _remark(mapping, _text(key), below, origins.get((*path, key)))
            return mapping
        case list() | tuple() if value:
            sequence = CommentedSeq(_styled(below, origins, (*path, index)) for index, below in enumerate(value))
            for index, below in enumerate(value):
                _remark(sequence, index, below, origins.get((*path, index)))
            return sequence
        case str():
            return _text(value)
    return value


def _remark(parent: Any, key: Any, value: Any, origin: str | None) -> None:
    """Beside a scalar; on the line of its key for what has lines of its own."""
    if not origin:
        return
    if isinstance(value, str) and "\n" in value:
        parent.yaml_set_comment_before_after_key(key, before=origin)
    else:
        parent.yaml_add_eol_comment(origin, key, column=_COLUMN)


def _text(value: str) -> Any:
    """Quoted where Kubernetes' YAML would read something else than this text."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString  # as above

    if "\n" in value and value.endswith("\n") and not value.endswith("\n\n") and "\t" not in value:
        return LiteralScalarString(value)
    try:
        plain = yaml.read(value)
    except yaml.YamlError:
        return DoubleQuotedScalarString(value)
    return value if plain == value else DoubleQuotedScalarString(value)
