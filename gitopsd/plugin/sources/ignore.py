"""Which files of a repository stay out of the artifact: `.sourceignore` files, `spec.ignore`, and Flux's default sets.

Pure. The rules look like gitignore's but are Flux's own (go-git's matcher): the last pattern that matches decides, a
pattern applies to everything below the directory that it names, a later `!pattern` brings back files below an excluded
directory, and character classes are negated by `^` only. As soon as one pattern is given, the default sets shrink to the
version control files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

FILE = ".sourceignore"
MAX_BYTES = 1 << 20

VCS = (".git/", ".gitignore", ".gitmodules", ".gitattributes")
EXTENSIONS = ("*.jpg", "*.jpeg", "*.gif", "*.png", "*.wmv", "*.flv", "*.tar.gz", "*.zip")
CI = (
    ".github/",
    ".circleci/",
    ".travis.yml",
    ".gitlab-ci.yml",
    "appveyor.yml",
    ".drone.yml",
    "cloudbuild.yaml",
    "codeship-services.yml",
    "codeship-steps.yml",
)
EXTRA = ("**/.goreleaser.yml", "**/.sops.yaml", "**/.flux.yaml")

_MAGIC = frozenset("*?[\\")

Path = Sequence[str]
"""A path from the root as its names."""


class Verdict(Enum):
    """What a list of patterns says about a path."""

    NONE = "none"
    EXCLUDE = "exclude"
    INCLUDE = "include"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One line of an ignore file; it applies below `domain` only."""

    parts: tuple[str, ...]
    domain: tuple[str, ...] = ()
    include: bool = False
    directories: bool = False
    matches: tuple[Callable[[str], bool], ...] = field(repr=False, compare=False)

    def verdict(self, path: Path, *, directory: bool) -> Verdict:
        """What this pattern says about the path."""
        if len(path) <= len(self.domain) or tuple(path[: len(self.domain)]) != self.domain:
            return Verdict.NONE
        below = path[len(self.domain) :]
        found = self._by_path(below, directory) if len(self.parts) > 1 else self._by_name(below, directory)
        if not found:
            return Verdict.NONE
        return Verdict.INCLUDE if self.include else Verdict.EXCLUDE

    def _by_name(self, path: Path, directory: bool) -> bool:
        """A pattern without a slash is looked for at any depth; one for directories never ends at a file."""
        match = self.matches[0]
        for depth, name in enumerate(path):
            if match(name):
                return directory or not self.directories or depth < len(path) - 1
        return False

    def _by_path(self, path: Path, directory: bool) -> bool:
        """A pattern with a slash is anchored; `**` skips any number of names, also none."""
        at, found, skip = 0, False, False
        for index, (part, match) in enumerate(zip(self.parts, self.matches, strict=True)):
            if part == "":
                skip = False
            elif part == "**":
                skip = index < len(self.parts) - 1
            elif "**" in part or at == len(path):
                return False
            else:
                end = _seek(path, at, match) if skip else at
                if end is None or not match(path[end]):
                    # A trailing name that is not found leaves nothing to match the rest of the pattern with.
                    return False
                at, found, skip = end + 1, True, False
        return found and not (self.directories and not directory and at == len(path))


def _seek(path: Path, at: int, match: Callable[[str], bool]) -> int | None:
    return next((index for index in range(at, len(path)) if match(path[index])), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Patterns in order; the last one that matches decides."""

    patterns: tuple[Pattern, ...]
    concerns: Callable[[str], bool] = field(repr=False, compare=False)
    """True of a name that some pattern mentions: a path without such a name needs no closer look, and most are so."""

    def verdict(self, path: Path, *, directory: bool = False) -> Verdict:
        """What the patterns say about the path."""
        if not any(map(self.concerns, path)):
            return Verdict.NONE
        for pattern in reversed(self.patterns):
            verdict = pattern.verdict(path, directory=directory)
            if verdict is not Verdict.NONE:
                return verdict
        return Verdict.NONE

    def excludes(self, path: Path, *, directory: bool = False) -> bool:
        """True where the path stays out of the artifact."""
        return self.verdict(path, directory=directory) is Verdict.EXCLUDE

    def excluded(self, paths: Iterable[str]) -> Iterator[str]:
        """Those of many paths of files that stay out."""
        return filter(self.sieve(), paths)

    def sieve(self) -> Callable[[str], bool]:
        """Whether a path of a file stays out, asked of many: each directory is looked at once."""
        calm: dict[str, bool] = {}

        def out(path: str) -> bool:
            parent, _, name = path.rpartition("/")
            if parent not in calm:
                calm[parent] = not any(map(self.concerns, parent.split("/")))
            return not (calm[parent] and not self.concerns(name)) and self.excludes(path.split("/"))

        return out


def rules(files: Mapping[str, str], spec: str | None, *, domain: Sequence[str] = (), elsewhere: bool = False) -> Rules:
    """The rules of a repository: `.sourceignore` texts by their directory ('' for the root), and `spec.ignore`.

    `elsewhere`: other directories have patterns, too, which only matter here in that the default sets shrink.
    """
    given = [p for at in sorted(files) for p in read(files[at], (*domain, *(at.split("/") if at else ())))]
    given += read(spec or "", domain)
    defaults = VCS if given or elsewhere else VCS + EXTENSIONS + CI + EXTRA
    return of_patterns([*(pattern(line, domain) for line in defaults), *given])


def of_patterns(patterns: Sequence[Pattern]) -> Rules:
    """Rules of these patterns alone."""
    # `**` and '' decide nothing beside other names; alone, `**` is a name pattern that matches everything.
    names = {part for found in patterns for part in found.parts if len(found.parts) == 1 or part not in {"", "**"}}
    literals = frozenset(name for name in names if not _MAGIC.intersection(name))
    suffixes = tuple(name[1:] for name in names if _is_suffix(name))
    others = tuple(_matcher(name) for name in names - literals if not _is_suffix(name))

    def concerns(name: str) -> bool:
        return name in literals or name.endswith(suffixes) or (bool(others) and any(match(name) for match in others))

    return Rules(patterns=tuple(patterns), concerns=concerns)


def read(text: str, domain: Sequence[str] = ()) -> list[Pattern]:
    """The patterns of one ignore file, comments and blank lines left out."""
    lines = (line.removesuffix("\r") for line in text.split("\n"))
    return [pattern(line, domain) for line in lines if line.strip() and not line.startswith("#")]


def pattern(line: str, domain: Sequence[str] = ()) -> Pattern:
    """One pattern."""
    include = line.startswith("!")
    line = line[1:] if include else line
    if not line.endswith("\\ "):
        line = line.rstrip(" ")
    directories = line.endswith("/")
    parts = tuple(line.removesuffix("/").split("/"))
    return Pattern(
        parts=parts,
        domain=tuple(domain),
        include=include,
        directories=directories,
        matches=tuple(_matcher(part) for part in parts),
    )


@lru_cache(maxsize=4096)
def _matcher(part: str) -> Callable[[str], bool]:
    """Match one name: `*`, `?`, `[a-z]`, `[^a-z]` and backslash; a malformed pattern matches nothing."""
    if not _MAGIC.intersection(part):
        return part.__eq__
    if _is_suffix(part):
        suffix = part[1:]
        return lambda name: name.endswith(suffix)
    expression = _expression(part)
    if expression is None:
        return lambda name: False
    compiled = re.compile(expression, re.DOTALL)
    return lambda name: compiled.fullmatch(name) is not None


def _is_suffix(part: str) -> bool:
    return part.startswith("*.") and not _MAGIC.intersection(part[1:])


def _expression(part: str) -> str | None:
    """The regular expression of a name pattern; None when it is malformed.

    What stands between two stars is matched where it is found first, atomically: no pattern can make it try for long.
    """
    segments: list[list[str]] = [[]]
    at = 0
    while at < len(part):
        character = part[at]
        at += 1
        match character:
            case "*":
                segments.append([])
            case "?":
                segments[-1].append(".")
            case "[":
                group, at = _group(part, at)
                if group is None:
                    return None
                segments[-1].append(group)
            case "\\":
                if at == len(part):
                    return None
                segments[-1].append(re.escape(part[at]))
                at += 1
            case _:
                segments[-1].append(re.escape(character))
    first, *rest = ("".join(segment) for segment in segments)
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>.*?{segment})" for segment in middle if segment) + f".*{last}"


def _group(part: str, at: int) -> tuple[str | None, int]:
    """A character class that starts after its `[`: its expression and where it ends."""
    negated = part[at : at + 1] == "^"
    at += negated
    ranges: list[str] = []
    while at < len(part) and (part[at] != "]" or not ranges):
        low, at = _class_character(part, at)
        high = low
        if part[at : at + 1] == "-":
            high, at = _class_character(part, at + 1)
        if low is None or high is None:
            return None, at
        if low <= high:
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            ranges.append("")
    if at >= len(part):
        return None, at
    inside = "".join(ranges)
    if not inside:
        return (r"." if negated else r"(?!)"), at + 1
    return f"[{'^' if negated else ''}{inside}]", at + 1


def _class_character(part: str, at: int) -> tuple[str | None, int]:
    if at < len(part) and part[at] == "\\":
        at += 1
    elif at < len(part) and part[at] in "-]":
        return None, at
    return (part[at], at + 1) if at < len(part) else (None, at)
