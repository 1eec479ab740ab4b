"""Secret values that must never be read in a log line, an event or a status, in any of the forms that they are written in.

Masking is the last net, not the first: no message is built from a secret on purpose.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote, quote_plus

MASK = "***"
MIN_LENGTH = 6
"""Shorter values are words like `admin` or `true`: to mask them everywhere would hide the log, not the secret. See `quoted`."""

_MIN_LINE = 16


class Secrets:
    """The values registered so far. `masked` costs one look per character of the text, however many values there are."""

    def __init__(self, values: Iterable[bytes | str] = ()) -> None:
        self._values: set[bytes] = set()
        self._forms: dict[str, list[str]] = {}
        """Every form, the longest first, by the characters that it begins with."""
        for value in values:
            self.add(value)

    def add(self, value: bytes | str) -> None:
        """Mask this value from now on, and its longer lines by themselves."""
        content = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        content = content.strip()
        if len(content) < MIN_LENGTH or content in self._values:
            return
        self._values.add(content)
        for form in _forms(content):
            known = self._forms.setdefault(form[:MIN_LENGTH], [])
            if form not in known:
                known.append(form)
                known.sort(key=len, reverse=True)

    def masked(self, text: str) -> str:
        """The text with every form of every value replaced; where several begin at one place, the longest."""
        if not self._forms:
            return text
        shown: list[str] = []
        at = begun = 0
        while at <= len(text) - MIN_LENGTH:
            known = self._forms.get(text[at : at + MIN_LENGTH], ())
            found = next((form for form in known if text.startswith(form, at)), "")
            if found:
                shown += (text[begun:at], MASK)
                begun = at + len(found)
            at = begun if found else at + 1
        return "".join((*shown, text[begun:])) if shown else text


def quoted(values: Iterable[str]) -> Callable[[str], str]:
    """Masks short values where they stand alone: in quotes, or as the value that a server names. For messages about the very
    object that they are in, since elsewhere the same word is no secret.
    """
    forms = {form for value in values if value for form in (value, base64.b64encode(value.encode()).decode())}
    if not forms:
        return str
    one = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    pattern = re.compile(rf"""(?<=["'`])(?:{one})(?=\\?["'`])|(?<=value: )(?:{one})(?=[:,;]|$)""")
    return lambda text: pattern.sub(MASK, text)


def discreet(values: Iterable[str]) -> Callable[[str], str]:
    """Masks these in what is said of the object that they are in: long ones wherever they stand, short ones as `quoted` does."""
    known = tuple(values)
    everywhere, alone = Secrets(known).masked, quoted(value for value in known if len(value) < MIN_LENGTH)
    return lambda text: alone(everywhere(text))


def _forms(content: bytes) -> set[str]:
    text = content.decode("utf-8", "replace")
    lines = {line for line in text.splitlines() if len(line) >= _MIN_LINE}
    written = {text, *lines}
    written |= {json.dumps(form)[1:-1] for form in written} | {repr(form)[1:-1] for form in written}
    written |= {quote(text, safe=""), quote(text), quote_plus(text)}
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
