"""What is wrong with the declared files: every problem with its place, all of them reported at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gitopsd.plugin import ObjectRef, Place, UsageError

Path = tuple[str | int, ...]

_PLAIN = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing to repair, or (in a list of warnings) to know: where, in which object, at which JSON path, what."""

    place: Place
    message: str
    subject: str = ""
    """The object as users name it, '' where the text is not an object yet."""
    path: Path = ()
    ref: ObjectRef | None = None

    @property
    def told(self) -> str:
        """Without the place, for who names it anyway."""
        return ": ".join(part for part in (self.subject, shown(self.path), self.message) if part)

    def __str__(self) -> str:
        return f"{self.place}: {self.told}"


class ConfigError(UsageError):
    """The declared files are wrong. `problems` holds all of them; the message has one line for each."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.place.file, p.place.line, p.message)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def shown(path: Path) -> str:
    """A JSON path as text: `$.spec.items[0]`, `$.metadata.labels["a/b"]`; '' for the whole document."""
    return "$" + "".join(_step(step) for step in path) if path else ""


def near(name: str, names: Iterable[str]) -> str:
    """The end of a message about an unknown name: `; did you mean 'x'?` where one of `names` is close, else ''."""
    found = difflib.get_close_matches(name, sorted(set(names)), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def _step(step: str | int) -> str:
    if isinstance(step, int) or step == "...":  # what msgspec says for a key of a table
        return f"[{step}]"
    return f".{step}" if _PLAIN.match(step) else f'["{step}"]'
