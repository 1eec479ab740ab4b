"""JSON files, and the JSON envelope in which SOPS keeps files of any other sort."""

from __future__ import annotations

import json
from typing import Any

from gitopsd_plugins.sops.cipher import decimal, raw
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
    return raw(_written(branches[0], "") + "\n")


def content(branches: list[Branch]) -> bytes:
    """The file in the envelope. Raises `SopsError` where there is none."""
    value = branches[0].get("data")
    if not isinstance(value, str):
        raise SopsError("holds no file: 'data' is missing")
    return raw(value)


def _written(value: Any, indent: str) -> str:
    inner = indent + _INDENT
    if isinstance(value, Branch):
        items = [f"{inner}{_scalar(key)}: {_written(item, inner)}" for key, item in value.named()]
        return _block("{", items, "}", indent)
    if isinstance(value, list):
        items = [f"{inner}{_written(item, inner)}" for item in value if not isinstance(item, Comment)]
        return _block("[", items, "]", indent)
    return _scalar(value)


def _block(begin: str, items: list[str], end: str, indent: str) -> str:
    lines = ",\n".join(items)
    return f"{begin}\n{lines}\n{indent}{end}" if items else f"{begin}{end}"


def _scalar(value: Any) -> str:
    if isinstance(value, float):
        return _number(value)
    text = json.dumps(str(value) if isinstance(value, Moment) else value, ensure_ascii=False)
    if isinstance(value, str):
        for character in "<>&\u2028\u2029":  # Go writes them so
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _number(value: float) -> str:
    """As Go writes a float into JSON: with an exponent only where it is very large or small, and then a short one."""
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        return decimal(value)
    mantissa, _, exponent = f"{value!r}".partition("e")
    power = int(exponent)
    return f"{mantissa.removesuffix('.0')}e{'+' if power > 0 else '-'}{abs(power)}"
