"""Which files of a chart's folder are no part of it: `.helmignore`, with Helm's rules. Pure.

They look like gitignore's and are simpler: the last pattern that matches does not decide, the first one does; `!` turns a
pattern round; a pattern without a slash is matched against the last name alone; `**` does not exist.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gitopsd.plugin import Rejected
from gitopsd_plugins.helm.chart import BUILD

FILE = ".helmignore"
MAX_PATTERNS = 2000
_DEFAULT = "templates/.?*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line."""

    matches: Callable[[str], bool] = field(repr=False)
    negated: bool = False
    folders: bool = False

    def excludes(self, path: str, *, folder: bool) -> bool:
        """True where this line leaves the path out."""
        if self.folders and not folder:
            return self.negated
        return self.matches(path) is not self.negated


def read(text: str) -> Sequence[Rule]:
    """The rules of a file, Helm's own one with them. Raises `Rejected` for a pattern that Helm refuses."""
    lines = [line.strip() for line in [*text.splitlines(), _DEFAULT]]
    kept = [line for line in lines if line and not line.startswith("#")]
    if len(kept) > MAX_PATTERNS:
        raise Rejected(f"{FILE}: more than {MAX_PATTERNS} patterns", reason=BUILD)
    return tuple(_rule(line) for line in kept)


def excludes(rules: Sequence[Rule], path: str) -> bool:
    """True where a file is left out, itself or one of the folders that it lies in."""
    parts = path.split("/")
    for depth in range(1, len(parts) + 1):
        part, folder = "/".join(parts[:depth]), depth < len(parts)
        if any(rule.excludes(part, folder=folder) for rule in rules):
            return True
    return False


def _rule(line: str) -> Rule:
    if "**" in line:
        raise Rejected(f"{FILE}: {line[:80]!r}: Helm knows no **", reason=BUILD)
    negated, pattern = line.startswith("!"), line.removeprefix("!")
    folders, pattern = pattern.endswith("/"), pattern.removesuffix("/")
    expression = _expression(pattern.removeprefix("/"))
    if "/" in pattern:  # a leading slash included: it ties the pattern to the root
        return Rule(matches=lambda path: expression.fullmatch(path) is not None, negated=negated, folders=folders)
    return Rule(
        matches=lambda path: expression.fullmatch(path.rpartition("/")[2]) is not None,
        negated=negated,
        folders=folders,
    )


def _expression(pattern: str) -> re.Pattern[str]:
    """Go's `filepath.Match`. What stands between stars is taken where it is found first, so that matching stays linear."""
    segments: list[list[str]] = [[]]
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            segments.append([])
        elif character == "?":
            segments[-1].append("[^/]")
        elif character == "[" and (end := pattern.find("]", at + 1)) > 0:
            segments[-1].append(f"(?!/){_class(pattern[at:end])}")
            at = end + 1
        elif character == "\\" and at < len(pattern):
            segments[-1].append(re.escape(pattern[at]))
            at += 1
        else:
            segments[-1].append(re.escape(character))
    first, *rest = ("".join(segment) for segment in segments)
    if not rest:
        text = first
    else:
        *middle, last = rest
        text = first + "".join(f"(?>[^/]*?{part})" for part in middle if part) + f"[^/]*{last}"
    try:
        return re.compile(text, re.DOTALL)
    except re.error as error:
        raise Rejected(f"{FILE}: {pattern[:80]!r} is no pattern", reason=BUILD) from error


def _class(inside: str) -> str:
    """A character class: single characters and ranges, turned round by a leading `^`."""
    negated, body = inside.startswith("^"), inside.removeprefix("^")
    parts: list[str] = []
    at = 0
    while at < len(body):
        low = body[at]
        if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
            parts.append(f"{re.escape(low)}-{re.escape(body[at + 2])}")
            at += 3
        else:
            parts.append(re.escape(low))
            at += 1
    return f"[{'^' if negated else ''}{''.join(parts)}]" if parts else r"[^\s\S]"
