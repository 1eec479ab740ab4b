"""The job of the worker process: reads questions, evaluates, writes answers.

Like Flux, expressions know the extensions strings, sets, encoders and optional types. Without type checks a variable that is
not there is an error of the evaluation, not of the expression.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from gitopsd.model.errors import Misconfigured
from gitopsd.plugin.cel import library
from gitopsd.plugin.cel.question import INVALID, Answer, Question
from gitopsd.plugin.tree import Intake


def run(payload: bytes, intake: Intake) -> bytes:
    """The answers to JSON questions, as JSON. Raises `Misconfigured` for an expression that cannot be read."""
    del intake
    questions = msgspec.json.decode(payload, type=tuple[Question, ...])
    return msgspec.json.encode([_answered(question) for question in questions])


def _answered(question: Question) -> Answer:
    compiled = [_compiled(e, tuple(sorted(question.variables)), question.strict) for e in question.expressions]
    for index, (text, expression) in enumerate(zip(question.expressions, compiled, strict=True)):
        if question.parse_only:
            continue
        value, error = library.evaluated(expression, question.variables)
        if error or not isinstance(value, bool):
            what = error or "the result is not a bool"
            return Answer(error=f"failed to evaluate the CEL expression '{text}': {what}")
        if value:
            return Answer(first=index)
    return Answer()


@lru_cache(maxsize=1000)
def _compiled(text: str, variables: tuple[str, ...], strict: bool) -> Any:
    environment = _environment(variables if strict else ())
    try:
        expression = environment.compile(text, disable_check=not strict)
    except RuntimeError as error:
        raise Misconfigured(
            f"failed to parse the CEL expression '{text}': {library.plain(str(error))}", reason=INVALID
        ) from error
    kind = expression.return_type().name().lower() if strict else "bool"
    if kind != "bool":
        raise Misconfigured(
            f"the CEL expression '{text}' must be a bool, not {kind}; compare it with a value", reason=INVALID
        )
    return expression


@lru_cache(maxsize=100)
def _environment(variables: tuple[str, ...]) -> Any:
    cel = library.loaded()
    mapping = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    extensions = [*library.extensions(), library.encoders()]
    return cel.NewEnv(variables=dict.fromkeys(variables, mapping), extensions=extensions)
