"""The text of a manifest as a request carries it: JSON, which nearly all clients send, else one YAML document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from gitopsd_plugins.sandbox.facts.decoding import json_type

_NOT_SO_IN_JSON = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]|\xef\xbf[\xbe\xbf]")
"""In UTF-8: what YAML refuses or takes for an end of line, where JSON takes it as it is."""
STRATEGIC = "application/strategic-merge-patch+json"
"""The form of patches that know a kind's types."""


class YamlError(Exception):
    """The text is neither JSON nor YAML; the message says where it is wrong."""


def load_yaml(text: bytes) -> Any:
    """The document. Raises `YamlError`."""
    if _NOT_SO_IN_JSON.search(text):
        return _yaml(text)
    try:
        return load_json(text)
    except TooDeep as error:
        raise YamlError(str(error)) from error
    except msgspec.DecodeError:
        return _yaml(text)


class TooDeep(msgspec.DecodeError):
    """The text is JSON, and nested deeper than anybody means."""


def load_json(text: bytes) -> Any:
    """The value. Raises msgspec.DecodeError for whatever is wrong with it."""
    try:
        return msgspec.json.decode(text)
    except RecursionError as error:
        raise TooDeep("exceeded max depth") from error
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"invalid UTF-8: {error}") from error


def _yaml(text: bytes) -> Any:
    from gitopsd.plugin import yaml  # here, because most clients send JSON, and a sandbox should start soon

    try:
        return yaml.read(text)
    except yaml.YamlError as error:
        raise YamlError(f"error converting YAML to JSON: yaml: {error}") from error


_HEADER = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'


def syntax(error: Exception, text: bytes) -> str:
    """What is wrong with a text that cannot be read, in Go's words where there is one for it."""
    shown = text.lstrip().decode(errors="replace")[:1]
    if isinstance(error, YamlError):
        return str(error)
    if "truncated" in str(error) or not shown:
        return "unexpected end of JSON input"
    if shown not in '{["-0123456789tfn':
        return f"invalid character '{shown}' looking for beginning of value"
    return str(error)


def header(value: Any) -> str:
    """Why version and kind of a document cannot be read; empty where they can, or are not there."""
    wrong = ""
    if not isinstance(value, dict):
        wrong = f"json: cannot unmarshal {json_type(value)} into Go value of type {_HEADER}"
    else:
        for name in ("apiVersion", "kind"):
            if not isinstance(value.get(name), str | None):
                wrong = f"json: cannot unmarshal {json_type(value[name])} into Go struct field .{name} of type string"
                break
    return f"couldn't get version/kind; json parse error: {wrong}" if wrong else ""


def unregistered(kind: str, version: str) -> str:
    """What is said of a kind that there is not."""
    return f'no kind "{kind}" is registered for version "{version}" in scheme "pkg/runtime/scheme.go:111"'


def summary(text: bytes) -> str:
    """The beginning of a body, as messages show it: as it is where it begins like JSON, else in hexadecimal."""
    start, more = text[:30], " ..." if len(text) > 30 else ""
    if not text:
        return "<empty>"
    return (start.decode(errors="replace") if text.startswith(b"{") else start.hex()) + more


class _Pairs(list[Any]):
    """A JSON object as it is written: everything that it says, in order."""


def repeated(text: bytes) -> list[str]:
    """The paths of fields that JSON text says twice, for example `data.a`; none where it is no JSON."""
    twice = False

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        made = dict(items)
        twice = twice or len(made) < len(items)
        return made

    try:
        json.loads(text, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return []
    return list(_repeated(json.loads(text, object_pairs_hook=_Pairs), "")) if twice else []


def _repeated(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _Pairs):
        seen = set[str]()
        for name, item in value:
            where = f"{path}.{name}" if path else name
            yield from _repeated(item, where)
            if name in seen:
                yield where
            seen.add(name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _repeated(item, f"{path}[{index}]")
