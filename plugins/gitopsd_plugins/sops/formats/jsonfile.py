"""JSON files, and the JSON envelope in which SOPS keeps files of any other sort."""

from __future__ import annotations

import json
from typing import Any

from gitopsd_plugins.sops.cipher import decimal
from gitopsd_plugins.sops.document import Branch, Comment, Moment, Part, SopsError

_INDENT = "\t"


def load(data: bytes) -> list[Part]:
    """Read one. Raises `SopsError` with line and column."""
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=Branch)
    except UnicodeDecodeError:
        raise SopsError("is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise SopsError(f"is no JSON, at line {error.lineno}, column {error.colno}; was it cut off?") from None
    except RecursionError:
        raise SopsError("is nested too deeply") from None
    if not isinstance(found, Branch):
        raise SopsError("is no JSON object")
    return [Part.of(found)]


def dump(branches: list[Branch]) -> bytes:
    """Write it as `sops --decrypt` does."""
    return (_written(branches[0], "") + "\n").encode("utf-8", "surrogateescape")


def content(branches: list[Branch]) -> bytes:
    """The file in the envelope. Raises `SopsError` where there is none."""
    value = branches[0].get("data")
    if not isinstance(value, str):
        raise SopsError("holds no file: 'data' is missing")
    return value.encode("utf-8", "surrogateescape")


def _written(value: Any, indent: str) -> str:
    inner = indent + _INDENT
    if isinstance(value, Branch):
        items = [f"{inner}{_scalar(key)}: {_written(item, inner)}" for key, item in value.named()]
        return f"{{\n{','.join(f'{item}' for item in _lines(items))}\n{indent}}}" if items else "{}"
    if isinstance(value, list):
        items = [f"{inner}{_written(item, inner)}" for item in value if not isinstance(item, Comment)]
        return f"[\n{','.join(_lines(items))}\n{indent}]" if items else "[]"
    return _scalar(value)


def _lines(items: list[str]) -> list[str]:
    return [items[0], *(f"\n{item}" for item in items[1:])]


def _scalar(value: Any) -> str:
    if isinstance(value, float):
        return _number(value)
    text = json.dumps(str(value) if isinstance(value, Moment) else value, ensure_ascii=False)
    if isinstance(value, str):
        for character in "<>&\u2028\u2029":  # Go writes them so
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _number(value: float) -> str:
    """As Go writes a float into JSON."""
    if value == 0:
        return "-0" if str(value).startswith("-") else "0"
    if not 1e-6 <= abs(value) < 1e21:
        mantissa, _, exponent = repr(value).partition("e")
        if exponent:
            sign = exponent[0] if exponent[0] in "+-" else "+"
            return f"{mantissa.removesuffix('.0')}e{sign}{exponent.lstrip('+-').lstrip('0').rjust(2, '0')}".replace(
                "e-0", "e-"
            )
    return decimal(value)
