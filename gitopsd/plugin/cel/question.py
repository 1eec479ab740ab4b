"""What is asked and answered, and how large it may be; both cross into the worker process and back."""

from __future__ import annotations

from typing import Any

import msgspec

from gitopsd.model.errors import Misconfigured

INVALID = "InvalidCELExpression"
"""Flux's word for an expression that cannot be used."""
MAX_EXPRESSION = 8 << 10
MAX_VARIABLES = 4 << 20
"""Bytes, as JSON."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Which of these expressions is the first that is true? `variables` by name, any JSON values.

    `strict` checks types before: the variables are mappings, all others are errors, and the result must be known to be a
    bool. `parse_only` asks no more than whether they can be read.
    """

    expressions: tuple[str, ...]
    variables: dict[str, Any] = {}
    strict: bool = False
    parse_only: bool = False

    def __post_init__(self) -> None:
        for expression in self.expressions:
            if len(expression.encode()) > MAX_EXPRESSION:
                raise Misconfigured(
                    f"the CEL expression {expression[:60]!r}... is longer than {MAX_EXPRESSION >> 10} KiB; shorten it",
                    reason=INVALID,
                )


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`first` is the index of the first that is true, -1 where none is. `error` is what evaluating met, '' for nothing."""

    first: int = -1
    error: str = ""
