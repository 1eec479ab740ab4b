"""Secret values that must never be read in a log line, an event or a status, in any of the forms that they are written in.

Masking is the last net, not the first: no message is built from a secret on purpose.
"""

from __future__ import annotations

import base64
import bisect
import json
from urllib.parse import quote, quote_plus

MASK = "***"
MIN_LENGTH = 6
"""Shorter values are words like `admin` or `true`: to mask them would hide the log, not the secret."""

_MIN_LINE = 16


class Secrets:
    """The values registered so far. Each `masked` costs one search per form of each value."""

    def __init__(self) -> None:
        self._values: set[bytes] = set()
        self._forms: list[str] = []

    def add(self, value: bytes | str) -> None:
        """Mask this value from now on, and its longer lines by themselves."""
        content = value.encode() if isinstance(value, str) else value
        content = content.strip()
        if len(content) < MIN_LENGTH or content in self._values:
            return
        self._values.add(content)
        for form in _forms(content) - set(self._forms):
            bisect.insort(self._forms, form, key=lambda known: -len(known))

    def masked(self, text: str) -> str:
        """The text with every form of every value replaced; longer forms first, so that no rest of one stays."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return text


def _forms(content: bytes) -> set[str]:
    text = content.decode("utf-8", "replace")
    lines = {line for line in text.splitlines() if len(line) >= _MIN_LINE}
    written = {text, *lines}
    written |= {json.dumps(form)[1:-1] for form in written} | {repr(form)[1:-1] for form in written}
    written |= {quote(text, safe=""), quote_plus(text)}
    return {form for form in written | _base64_forms(content) if len(form) >= MIN_LENGTH}


def _base64_forms(content: bytes) -> set[str]:
    """How it looks in base64, alone or behind other bytes (a user name and a colon): what does not depend on neighbours."""
    forms: set[str] = set()
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + content).decode()
        whole = (before + len(content)) // 3 * 4
        forms.add(encoded[-(-before * 4 // 3) : whole])
    forms.add(base64.b64encode(content).decode().rstrip("="))
    return forms | {form.replace("+", "-").replace("/", "_") for form in forms}
