"""Content in another place than a render's own tree, by its address."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Remote:
    """An address that a render asks for. `sort` says what it takes it for, in the word of the source that serves it.

    `git` is a repository, `file` one file, whatever its name in the tree.
    """

    sort: str
    url: str
    revision: str = ""
    """What a person calls a revision; '' for what the other side offers by itself."""

    def __str__(self) -> str:
        return f"{self.url} at {self.revision}" if self.revision else self.url
