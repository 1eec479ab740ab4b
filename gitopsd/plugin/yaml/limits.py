"""How much a YAML text may cost. The text comes from outside, so each kind of growth has its bound."""

from __future__ import annotations

from dataclasses import dataclass

DEEPEST = 300
"""No larger `max_depth` is taken: the builder uses up to two Python frames a level, and Python allows 1,000 in all."""
FEW, MOST_COPIES = 1_000, 99
"""Copies by aliases that are always allowed, and those for each node that is written, as Go's reader counts. A node takes a byte
of text at least, so that a short text is refused before much was copied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one stream, over all its documents; passing one is a `YamlError` that names it.

    `max_bytes` is the text's length in UTF-8. `max_depth` counts lists and maps inside one another. `max_nodes`
    counts what the text says (keys, values, lists, maps), checked as each list or map ends. `max_aliased` counts
    the nodes that aliases and merge keys copy, so that a small text cannot become a huge value; a text that is not large may
    copy less (`MOST_COPIES`).
    """

    max_bytes: int = 64 * 1024 * 1024
    max_documents: int = 100_000
    max_depth: int = 200
    max_nodes: int = 5_000_000
    max_aliased: int = 400_000

    def __post_init__(self) -> None:
        if self.max_depth > DEEPEST:
            raise ValueError(f"max_depth is {self.max_depth}; the most is {DEEPEST}")


DEFAULT = Limits()
