"""The forms of values that az takes, read strictly: what the real command would misread is read as it was meant, or refused."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitopsd.plugin.imports import Note
from gitopsd_plugins.aks.az_options import KINDS
from gitopsd_plugins.aks.resource import InputError

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_TRUE, _FALSE = {"true", "yes", "y", "1", "t", "on"}, {"false", "no", "n", "0", "f", "off"}


@dataclass(slots=True)
class Forms:
    """Reads values; `folder` is where relative files lie. Notes are said once."""

    folder: Path
    notes: dict[str, Note] = field(default_factory=dict)

    def read(self, form: str, words: Sequence[str], name: str) -> Any:
        """The value of an option of this form. Raises `InputError` naming the option."""
        if form in _FORMS_OF_MANY:
            return _FORMS_OF_MANY[form](words, name)
        if form == "flag":
            return self.flag(words[0], name) if words else True
        if form == "inverted":
            return not (self.flag(words[0], name) if words else True)
        if len(words) != 1:
            raise InputError(f"{name}: takes one value, not {len(words)}; put quotes around one with blanks")
        if form in {"file", "stripped-file"}:
            return self._file(words[0], name, strip=form == "stripped-file")
        return _FORMS[form](words[0], name)

    def flag(self, text: str, name: str) -> bool:
        """A boolean as it was meant: az itself takes every text, `false` too, for true."""
        lower = text.lower()
        if lower not in _TRUE | _FALSE:
            raise InputError(f"{name}: {text!r} is not a boolean; write true or false")
        if lower in _FALSE and not name.startswith("--"):
            said = f"az would have read {name}={text} as true; it is false here"
            self.notes[said] = Note(text=said)
        return lower in _TRUE

    def _file(self, text: str, name: str, *, strip: bool) -> str:
        path = self.folder / Path(text).expanduser()
        try:
            content = path.read_bytes()
        except (OSError, ValueError) as error:  # a name with a null byte
            raise InputError(f"{name}: {path} cannot be read: {error}") from error
        return base64.b64encode(content.strip() if strip else content).decode()


def seconds(text: str, name: str) -> int:
    """A duration as az writes it, in seconds: `1h30m10s`, whole."""
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise InputError(f"{name}: {text!r} is not a duration; write it as 1h30m10s")
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + rest


def names(text: str, name: str) -> list[str]:
    """A list of names, in whatever way its brackets and quotes survived the shell."""
    parts = (part.strip(" \t\\\"'`^[]") for part in text.strip(" \\`^").split(","))
    return [part for part in parts if part]


def _kind(text: str, name: str) -> str:
    if text not in KINDS:
        raise InputError(f"{name}: {text!r} is no kind of source; use {', '.join(KINDS)}")
    return KINDS[text]


def _json(words: Sequence[str], name: str) -> list[Any]:
    try:
        return [json.loads(word) for word in words]
    except ValueError as error:
        raise InputError(f'{name}: is not JSON: {error}; write {{"issuer": ..., "subject": ...}}') from error


def _pairs(words: Sequence[str], name: str) -> Mapping[str, str]:
    pairs = [word.partition("=") for word in words]
    if wrong := [key for key, sign, _ in pairs if not sign]:
        raise InputError(f"{name}: {wrong[0]!r} is not KEY=VALUE")
    return {key: value for key, _, value in pairs}


_FORMS: Mapping[str, Callable[[str, str], Any]] = {
    "text": lambda text, _: text,
    "seconds": seconds,
    "names": names,
    "kind": _kind,
    "encoded": lambda text, _: base64.b64encode(text.encode()).decode(),
}
_FORMS_OF_MANY: Mapping[str, Callable[[Sequence[str], str], Any]] = {
    "json": _json,
    "pairs": _pairs,
    "names": lambda words, name: names(",".join(words), name),
}
