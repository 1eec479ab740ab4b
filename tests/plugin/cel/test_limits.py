"""Expressions are hostile: what cannot be read is the author's error, and what overruns ends with its worker process."""

from __future__ import annotations

import sys

import pytest
from fakes.expressions import pool

from gitopsd.model.errors import Misconfigured, Rejected
from gitopsd.plugin import cel
from gitopsd.plugin.cel import Answer, Question, job

pytest.importorskip("cel_expr_python", reason="the extra [cel] is not installed")
GROWING = "['aaaaaaaaaa']" + ".map(a, a + a + a + a + a + a + a + a + a + a)" * 9 + ".all(a, a.size() > 0)"


def question(*expressions: str, strict: bool = False, parse_only: bool = False) -> Question:
    return Question(
        expressions=expressions, variables={"self": {"a": 1}, "dep": {}}, strict=strict, parse_only=parse_only
    )


@pytest.mark.asyncio
async def test_many_questions_are_answered_in_order() -> None:
    asked = [question(f"self.a == {number % 2}") for number in range(450)]
    async with pool() as work:
        assert await cel.answers(work, asked) == tuple(Answer(first=number % 2 - 1) for number in range(450))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (question("self.", parse_only=True), r"failed to parse the CEL expression 'self\.': .*Syntax error"),
        (question("other == 1", strict=True, parse_only=True), "undeclared reference to 'other'"),
        (question("self == 'a'", strict=True, parse_only=True), "found no matching overload"),
        (question("self.a", strict=True, parse_only=True), "'self.a' must be a bool, not dyn; compare it with a value"),
        (question("(" * 4000 + "1" + ")" * 4000, parse_only=True), "recursion limit exceeded"),
    ],
)
async def test_what_cannot_be_read_is_the_authors_error(asked: Question, words: str) -> None:
    async with pool() as work:
        with pytest.raises(Misconfigured, match=words) as caught:
            await cel.answer(work, asked)
    assert caught.value.reason == "InvalidCELExpression"


@pytest.mark.asyncio
async def test_one_that_eats_memory_ends_with_its_process_and_the_next_is_answered() -> None:
    async with pool() as work:
        with pytest.raises(
            Rejected, match=r"the CEL expression '\['aaaaaaaaaa'\].* could not be evaluated; simplify it"
        ):
            await cel.answer(work, question(GROWING))
        assert await cel.answer(work, question("true")) == Answer(first=0)


def test_one_that_is_too_long_is_not_even_sent() -> None:
    with pytest.raises(Misconfigured, match="is longer than 8 KiB; shorten it"):
        question("true || " * 1025 + "true")


@pytest.mark.asyncio
async def test_an_object_that_is_too_large_is_not_sent() -> None:
    async with pool() as work:
        with pytest.raises(Misconfigured, match="an object of over 4 MiB is too large"):
            await cel.answer(work, Question(expressions=("true",), variables={"data": "x" * (4 << 20)}))


def test_without_the_extra_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    job._environment.cache_clear()
    job._compiled.cache_clear()
    with pytest.raises(Misconfigured, match=r"install gitopsd\[cel\]"):
        job._compiled("true", (), False)
