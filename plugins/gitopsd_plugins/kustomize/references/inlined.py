"""JSON and YAML inside a text: a value is written into one of its fields, and the text is written again.

YAML keeps its quotes, its flow style and its comments; JSON is sorted, in lines where it was in lines.
"""

from __future__ import annotations

import copy
import io
import json
import math
from typing import Any

from gitopsd.plugin import Rejected, yaml
from gitopsd_plugins.kustomize.objects.identity import text
from gitopsd_plugins.kustomize.references import fieldpath

_WIDTH = 1_000_000  # lines are never folded


def changed(content: str, parts: list[str], value: Any, create: Any) -> str | None:
    """The text with the value at the path inside it; None where it holds no such place."""
    is_json = content.strip()[:1] in {"{", "["}
    inside = _read(content) if is_json else _read_with_style(content)
    if not _changed_inside(inside, parts, value, create):
        return None
    return _json(inside, content) if is_json else _yaml(inside)


def _changed_inside(inside: Any, parts: list[str], value: Any, create: Any) -> bool:
    try:
        found = fieldpath.places({"": inside}, "", parts, create) if inside is not None else []
    except Rejected:
        return False
    for holder, key in found:
        old = holder[key]
        holder[key] = copy.deepcopy(value) if isinstance(old, dict | list) else _styled(old, text(value))
    return bool(found)


def _styled(old: Any, value: str) -> Any:
    """The text as a scalar of the old one's type and quotes."""
    if isinstance(old, str):
        if type(old) is str and not isinstance(yaml.KUSTOMIZE.resolve(value), str):
            return _quoted(value)
        return type(old)(value)
    return scalar(old, value)


def scalar(old: Any, value: str) -> Any:
    """The text as a scalar of the old one's type. Raises `Rejected` where it cannot be one."""
    if isinstance(old, str):
        return value
    new = resolved(value)
    numbers = isinstance(old, float) and isinstance(new, int) and not isinstance(new, bool)
    same = isinstance(old, type(new)) and isinstance(old, bool) == isinstance(new, bool)
    if old is not None and not same and not numbers:
        raise Rejected(f"the replacement is not a {type(old).__name__}, as the field is")
    return new


def resolved(value: str) -> Any:
    """What the text is as a plain scalar. Raises `Rejected` for what JSON has no word for."""
    new = yaml.KUSTOMIZE.resolve(value)
    if isinstance(new, float) and not math.isfinite(new):
        raise Rejected(f"the replacement {value!r} is no number that JSON can say")
    return new


def _read(content: str) -> Any:
    try:
        return yaml.read(content, dialect=yaml.KUSTOMIZE)
    except yaml.YamlError:
        return None


def _read_with_style(content: str) -> Any:
    """Read by our own reader first, for its limits and errors."""
    if not isinstance(_read(content), dict | list):
        return None
    from ruamel.yaml.error import YAMLError  # as `_styler`

    try:
        return _styler().load(content)
    except YAMLError as error:
        problem = " ".join(str(error).split())
        raise Rejected(f"the YAML inside of the text cannot be written again as it is spelled: {problem}") from error


def _json(value: Any, before: str) -> str:
    if "\n" in before and "  " in before:
        return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _yaml(value: Any) -> str:
    stream = io.StringIO()
    _styler().dump(value, stream)
    return stream.getvalue().strip()


def _styler() -> Any:
    from ruamel.yaml import YAML  # takes 50 ms, for what hardly any build needs

    styler = YAML(typ="rt", pure=True)
    styler.preserve_quotes = True
    styler.width = _WIDTH
    return styler


def _quoted(value: str) -> Any:
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString  # as above

    return DoubleQuotedScalarString(value)
