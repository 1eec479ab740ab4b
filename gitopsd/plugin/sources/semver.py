"""Versions and constraints on them, as Flux reads both: tags such as `v1.2.3`, constraints such as `>=1.2 <2 || ~3.1`.

Pure. The rules are those of Masterminds/semver, which Flux uses: a constraint without a pre-release never selects one,
`1.x` and `1` stand for every 1.y.z, and `a - b` is an inclusive range. Build metadata does not count in comparisons.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import total_ordering

MAX_LENGTH = 256

_WORDS = r"[0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*"
_SUFFIX = rf"(?:-({_WORDS}))?(?:\+({_WORDS}))?"
_VERSION = re.compile(r"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?" + _SUFFIX)
_TAG = re.compile(r"v?([0-9]+)\.([0-9]+)\.([0-9]+)" + _SUFFIX)
_STRICT = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)" + _SUFFIX)
_PARTIAL = rf"v?[0-9xX*]+(?:\.[0-9xX*]+)?(?:\.[0-9xX*]+)?(?:-{_WORDS})?(?:\+{_WORDS})?"
_PARTS = re.compile(r"v?([0-9xX*]+)(?:\.([0-9xX*]+))?(?:\.([0-9xX*]+))?" + _SUFFIX)
_OPERATOR = r"=>|>=|=<|<=|!=|~>|[=<>~^]"
_TERM = re.compile(rf"({_OPERATOR}|)({_PARTIAL})", re.ASCII)
_RANGE = re.compile(rf" ?({_PARTIAL}) - ({_PARTIAL}) ?", re.ASCII)
_BLANKS = re.compile(r"\s+", re.ASCII)
_AFTER_OPERATOR = re.compile(rf"({_OPERATOR}) (?=[v0-9xX*])")


class VersionError(ValueError):
    """Text that is no version or no constraint; the message says which."""


@total_ordering
@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A semantic version. Equality and order ignore `metadata`."""

    major: int
    minor: int = 0
    patch: int = 0
    pre: str = ""
    metadata: str = ""

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}.{self.patch}"
        return text + (f"-{self.pre}" if self.pre else "") + (f"+{self.metadata}" if self.metadata else "")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return self.major, self.minor, self.patch, not self.pre, tuple(_rank(part) for part in self.pre.split("."))


def _rank(identifier: str) -> tuple[int, int, str]:
    """Numbers come before words, and by value."""
    return (0, int(identifier), "") if identifier.isdigit() else (1, 0, identifier)


def version(text: str, *, strict: bool = False) -> Version:
    """Read a version; unless `strict`, a leading `v` and missing minor and patch are fine. Raises `VersionError`."""
    return _read(_STRICT if strict else _VERSION, text)


def of_tag(text: str) -> Version:
    """Read a version as Flux accepts it of a tag: three numbers, a leading `v` or none. Raises `VersionError`."""
    return _read(_TAG, text)


def _read(pattern: re.Pattern[str], text: str) -> Version:
    found = pattern.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if found is None or not _sound(found.group(4) or ""):
        raise VersionError(f"{text[:MAX_LENGTH]!r} is not a semantic version")
    major, minor, patch = (int(number or 0) for number in found.group(1, 2, 3))
    return Version(major=major, minor=minor, patch=patch, pre=found.group(4) or "", metadata=found.group(5) or "")


def _sound(pre: str) -> bool:
    """Numeric identifiers of a pre-release have no leading zero."""
    return not any(len(part) > 1 and part[0] == "0" and part.isdigit() for part in pre.split("."))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Term:
    """One comparison. `places` counts the numbers that were given before the first wildcard: 0 for `*`, 3 for `1.2.3`."""

    operator: str
    bound: Version
    places: int

    def holds(self, found: Version) -> bool:
        return _RULES[self.operator](found, self.bound, self.places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """Alternatives of conjunctions."""

    alternatives: tuple[tuple[_Term, ...], ...]

    def allows(self, found: Version, *, prereleases: bool = False) -> bool:
        """True when the version satisfies one alternative.

        A pre-release is selected only where a term of the alternative names one, or with `prereleases`.
        """
        return any(
            (prereleases or not found.pre or any(term.bound.pre for term in terms))
            and all(term.holds(found) for term in terms)
            for terms in self.alternatives
        )

    def newest(self, tags: Iterable[str]) -> str | None:
        """The tag with the highest allowed version, other tags left out; of equal versions the last by name."""
        best: tuple[Version, str] | None = None
        for tag in tags:
            try:
                found = of_tag(tag)
            except VersionError:
                continue
            if self.allows(found) and (best is None or (found, tag) > best):
                best = found, tag
        return best[1] if best else None


def constraint(text: str) -> Constraint:
    """Read a constraint. Raises `VersionError`."""
    if len(text) > MAX_LENGTH:
        raise VersionError(f"a constraint of more than {MAX_LENGTH} characters")
    # Blanks are made regular first, so that no pattern has two ways to read them: matching stays linear.
    text = _RANGE.sub(lambda found: f">={found.group(1)},<={found.group(2)} ", _BLANKS.sub(" ", text))
    return Constraint(alternatives=tuple(_terms(part) for part in text.split("||")))


def _terms(text: str) -> tuple[_Term, ...]:
    plain = _AFTER_OPERATOR.sub(r"\1", text.strip()).replace(" ,", ",").replace(", ", ",")
    found = [_TERM.fullmatch(term) for term in re.split("[ ,]", plain)]
    if not all(found):
        raise VersionError(f"{text.strip()!r} is not a version constraint; write it as '>=1.2 <2', '~1.2' or '1.x'")
    return tuple(_term(term.group(1), term.group(2)) for term in found if term)


def _term(operator: str, partial: str) -> _Term:
    found = _PARTS.fullmatch(partial)
    assert found is not None  # _TERM found it by the same grammar
    numbers: list[int] = []
    for number in found.group(1, 2, 3):
        if number is None or not number.isdigit():
            break
        numbers.append(int(number))
    places = len(numbers)
    pre = found.group(4) or ""
    if not _sound(pre):
        raise VersionError(f"{partial!r} is not a semantic version")
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return _Term(operator=operator, bound=Version(major=major, minor=minor, patch=patch, pre=pre), places=places)


def _differs(found: Version, bound: Version, places: int) -> bool:
    if found.major != bound.major:
        return True
    if places == 1:
        return False
    if found.minor != bound.minor:
        return True
    if places == 2:
        return bool(found.pre or bound.pre) and found.pre != bound.pre
    return found != bound


def _above(found: Version, bound: Version, places: int) -> bool:
    if places == 1:
        return found.major > bound.major
    if places == 2:
        return (found.major, found.minor) > (bound.major, bound.minor)
    return found > bound


def _at_most(found: Version, bound: Version, places: int) -> bool:
    if places == 3:
        return found <= bound
    if found.major != bound.major:
        return found.major < bound.major
    return places == 1 or found.minor <= bound.minor


def _near(found: Version, bound: Version, places: int) -> bool:
    if found < bound:
        return False
    if places in {0, 3} and (bound.major, bound.minor, bound.patch) == (0, 0, 0):
        return True
    return found.major == bound.major and (places == 1 or found.minor == bound.minor)


def _same(found: Version, bound: Version, places: int) -> bool:
    return found == bound if places == 3 else _near(found, bound, places)


def _compatible(found: Version, bound: Version, places: int) -> bool:
    if found < bound:
        return False
    if bound.major > 0 or places == 1:
        return found.major == bound.major
    if found.major > 0:
        return False
    if bound.minor > 0 or places == 2:
        return found.minor == bound.minor
    return found.minor == 0 and found.patch == bound.patch


_RULES: dict[str, Callable[[Version, Version, int], bool]] = {
    "": _same,
    "=": _same,
    "!=": _differs,
    ">": _above,
    "<": lambda found, bound, places: found < bound,
    ">=": lambda found, bound, places: found >= bound,
    "=>": lambda found, bound, places: found >= bound,
    "<=": _at_most,
    "=<": _at_most,
    "~": _near,
    "~>": _near,
    "^": _compatible,
}
