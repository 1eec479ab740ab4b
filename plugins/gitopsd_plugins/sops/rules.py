"""Which values of a file are encrypted: by the names on the way to them, or by the comments before them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitopsd_plugins.sops.document import SopsError

NAMES = (
    "unencrypted_suffix",
    "encrypted_suffix",
    "unencrypted_regex",
    "encrypted_regex",
    "unencrypted_comment_regex",
    "encrypted_comment_regex",
)
_DEFAULT = "_unencrypted"
Comments = Sequence[Sequence[str]]
"""The comments before a value and before each of what holds it, from the top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """At most one of SOPS's six ways to say it."""

    name: str
    pattern: re.Pattern[str]

    def holds(self, path: Sequence[str], comments: Comments, *, comment: bool) -> bool:
        """Whether the value at this path is encrypted; `comment`: it is one itself, the last of `comments`."""
        if "comment" in self.name:
            before = [text for texts in comments for text in texts]
            if comment and self.name == "encrypted_comment_regex":
                before = before[:-1]  # the comment that says so stays readable
            met = any(self.pattern.search(text) for text in before)
        else:
            met = any(self.pattern.search(step) for step in path)
        return met != self.name.startswith("unencrypted")


def rule(metadata: Mapping[str, Any]) -> Rule:
    """The rule that a file's metadata states. Raises `SopsError` for several, and for an expression that is none."""
    stated = {name: text for name in NAMES if isinstance(text := metadata.get(name), str) and text}
    if len(stated) > 1:
        raise SopsError(f"its metadata has more than one of {', '.join(stated)}")
    name, text = next(iter(stated.items()), ("unencrypted_suffix", _DEFAULT))
    try:
        return Rule(name=name, pattern=re.compile(f"{re.escape(text)}\\Z" if name.endswith("suffix") else text))
    except re.error as error:
        raise SopsError(f"{name} in its metadata is no regular expression: {error}") from error
