"""The job of the worker process: reads questions, evaluates, writes answers. The only importer of the CEL library.

Like Flux, expressions know the extensions strings, sets, encoders and optional types. Without type checks a variable that is
not there is an error of the evaluation, not of the expression.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from gitopsd.model.errors import Misconfigured
from gitopsd.plugin.cel.question import INVALID, Answer, Question
from gitopsd.plugin.tree import Intake

MISSING = "a CEL expression needs the extra [cel]; install gitopsd[cel] (pip install 'gitopsd[cel]')"


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
        value, error = _evaluated(expression, question.variables)
        if error or not isinstance(value, bool):
            what = error or "the result is not a bool"
            return Answer(error=f"failed to evaluate the CEL expression '{text}': {what}")
        if value:
            return Answer(first=index)
    return Answer()


def _evaluated(expression: Any, variables: dict[str, Any]) -> tuple[Any, str]:
    """Value and error. The library tells most errors as values, limits by raising."""
    try:
        found = expression.eval(data=variables)
        if found.type().name() == "ERROR":
            return None, _plain(str(found.plain_value()))
        return found.plain_value(), ""
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        return None, _plain(str(error))


@lru_cache(maxsize=1000)
def _compiled(text: str, variables: tuple[str, ...], strict: bool) -> Any:
    environment = _environment(variables if strict else ())
    try:
        expression = environment.compile(text, disable_check=not strict)
    except RuntimeError as error:
        raise Misconfigured(
            f"failed to parse the CEL expression '{text}': {_plain(str(error))}", reason=INVALID
        ) from error
    kind = expression.return_type().name().lower() if strict else "bool"
    if kind != "bool":
        raise Misconfigured(
            f"the CEL expression '{text}' must be a bool, not {kind}; compare it with a value", reason=INVALID
        )
    return expression


@lru_cache(maxsize=100)
def _environment(variables: tuple[str, ...]) -> Any:
    try:
        from cel_expr_python import cel
        from cel_expr_python.ext import ext_encoders, ext_optional, ext_strings
    except ImportError as error:
        raise Misconfigured(MISSING, reason=INVALID) from error
    mapping = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    extensions = [ext_strings.ExtStrings(), ext_optional.ExtOptional(), ext_encoders.ExtEncoders(), _sets(cel)]
    return cel.NewEnv(variables=dict.fromkeys(variables, mapping), extensions=extensions)


def _sets(cel: Any) -> Any:
    """The extension `sets`, which the library lacks."""

    def function(name: str, body: Any) -> Any:
        values = cel.Type.List(cel.Type.DYN)
        overload = cel.Overload(
            id=name.replace(".", "_"),
            return_type=cel.Type.BOOL,
            parameters=[values, values],
            is_member=False,
            impl=body,
        )
        return cel.FunctionDecl(name, [overload])

    return cel.CelExtension(
        "sets",
        [
            function("sets.contains", _contains),
            function("sets.equivalent", lambda a, b: _contains(a, b) and _contains(b, a)),
            function("sets.intersects", lambda a, b: any(item in a for item in b)),
        ],
    )


def _contains(all_of: Sequence[Any], these: Sequence[Any]) -> bool:
    return all(item in all_of for item in these)


def _plain(text: str) -> str:
    """The library's message in one line, without the code that it repeats at both ends."""
    first, _, rest = text.partition(": ")
    line = " ".join((rest if first.isupper() else text).split())
    return line.removesuffix(f"[{first}]").strip()[:500]
