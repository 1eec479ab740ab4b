"""What an explicit tag does to a scalar: `!!str 1` is text, `!!int '7'` a number, `!mine x` the text x, as in Go.

Tags on lists and maps change nothing, so they are not known here.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from gitopsd.plugin.yaml import timestamps
from gitopsd.plugin.yaml.dialect import Dialect
from gitopsd.plugin.yaml.scalars import Scalar

_PREFIX: Final = "tag:yaml.org,2002:"
TEXT: Final = "!"
MERGE: Final = f"{_PREFIX}merge"


def value(tag: str, text: str, dialect: Dialect) -> Scalar:
    """Return what `text` is under the resolved `tag`; a ValueError says what the text should have been."""
    name = tag.removeprefix(_PREFIX) if tag.startswith(_PREFIX) else ""
    if name in ("bool", "int", "float", "null"):
        return _typed(name, dialect.resolve(text))
    if name == "binary":
        return _binary(text)
    if name == "timestamp" and timestamps.canonical(text) is None:
        raise ValueError("the value tagged !!timestamp is no date or time")
    return text


def _typed(name: str, found: Scalar) -> Scalar:
    """Insist on the tag's type for what the text would be without a tag."""
    if name == "float" and type(found) is int:
        return float(found)
    if type(found) is not {"bool": bool, "int": int, "float": float, "null": type(None)}[name]:
        raise ValueError(f"the value tagged !!{name} is none")
    return found


def _binary(text: str) -> str:
    """Decode base64; JSON has no bytes, so what is inside must be text."""
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True).decode()
    except binascii.Error as error:
        raise ValueError("the value tagged !!binary is not base64") from error
    except UnicodeDecodeError as error:
        raise ValueError("the value tagged !!binary is not UTF-8 text once decoded") from error
