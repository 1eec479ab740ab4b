"""What stands in a file, as SOPS sees it: branches of items in their order, comments among them, and Go's scalars.

A file is a list of branches, one per document. SOPS keeps its own metadata in the file, under `sops` at the top.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gitopsd.plugin import Rejected

KEY = "sops"


class SopsError(Rejected):
    """A file that cannot be opened; the message names the file and, where one is concerned, the key. Never a value."""

    default_reason = "DecryptionFailed"


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment without its sign; `inline` behind a value."""

    text: str
    inline: bool = False


class Moment(str):
    """A date or time, as RFC 3339."""

    __slots__ = ()


class Branch(list[tuple["str | Comment", Any]]):
    """A map in its order; a comment stands as a key without a value."""

    __slots__ = ()

    def named(self) -> Iterator[tuple[str, Any]]:
        """The items that are no comments."""
        return ((key, value) for key, value in self if isinstance(key, str))

    def get(self, name: str, default: Any = None) -> Any:
        """The value of this name."""
        return next((value for key, value in self.named() if key == name), default)

    def without(self, name: str) -> Branch:
        """The same without the items of this name."""
        return Branch((key, value) for key, value in self if key != name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One document of a file: what is in it, without and with the metadata, and these; None where it is not encrypted."""

    branch: Branch
    whole: Branch
    metadata: dict[str, Any] | None

    @classmethod
    def of(cls, whole: Branch) -> Part:
        """The part whose metadata stands under the name of SOPS."""
        found = whole.get(KEY)
        return cls(branch=whole.without(KEY), whole=whole, metadata=plain(found) if isinstance(found, Branch) else None)


def plain(value: Any) -> Any:
    """The value as plain maps and lists, comments left out."""
    if isinstance(value, Branch):
        return {key: plain(item) for key, item in value.named()}
    if isinstance(value, list):
        return [plain(item) for item in value if not isinstance(item, Comment)]
    return value
