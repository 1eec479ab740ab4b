"""Expressions in CEL, in the worker's own function: what is true first, and what is wrong with one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gitopsd.plugin.cel import Answer, Question, job

pytest.importorskip("cel_expr_python", reason="the extra [cel] is not installed")
OBJECT = {"metadata": {"generation": 2}, "status": {"phase": "Running", "ports": [1, 2], "name": "a-b"}}


def ask(*expressions: str, strict: bool = False, parse_only: bool = False, **variables: Any) -> Answer:
    question = Question(expressions=expressions, variables=variables or OBJECT, strict=strict, parse_only=parse_only)
    intake: Any = None
    [answer] = msgspec.json.decode(job.run(msgspec.json.encode([question]), intake), type=tuple[Answer, ...])
    return answer


def test_the_first_that_is_true_is_told() -> None:
    assert ask("status.phase == 'Gone'", "status.phase == 'Running'", "true") == Answer(first=1)
    assert ask("false") == Answer()


@pytest.mark.parametrize(
    "expression",
    [
        "status.name.split('-')[0] == 'a'",
        "sets.contains(status.ports, [2]) && !sets.contains([1], [2])",
        "sets.equivalent([1, 2, 2], [2, 1]) && !sets.equivalent([1], [1, 2])",
        "sets.intersects([1, 2], [2, 3]) && !sets.intersects([1], [2])",
        "base64.decode('YQ==') == b'a'",
        "status.?missing.orValue('none') == 'none'",
        "has(status.phase) && !has(status.missing)",
    ],
)
def test_the_extensions_that_flux_has_are_there(expression: str) -> None:
    assert ask(expression) == Answer(first=0)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("status.missing == 1", 'Key not found in map : "missing"'),
        ("nothing.here", "No value with name"),
        ("'text'", "the result is not a bool"),
        ("status", "the result is not a bool"),
        ("status.ports.all(a, range.all(b, range.all(c, a + b + c > 0)))", "Iteration budget exceeded"),
    ],
)
def test_an_evaluation_that_fails_names_expression_and_error(expression: str, words: str) -> None:
    answer = ask(expression, **OBJECT, range=list(range(1, 1000)))
    assert answer.error.startswith(f"failed to evaluate the CEL expression '{expression}': ")
    assert words in answer.error
    assert "\n" not in answer.error


def test_numbers_beyond_64_bits_are_an_error_of_the_evaluation() -> None:
    assert "out of range" in ask("big == 1", big=2**70).error
