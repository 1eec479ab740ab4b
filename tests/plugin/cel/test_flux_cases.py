"""Flux's own cases for single expressions; those about strings and lists, which nothing here asks for, are left out."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from fakes import cases

from gitopsd.model.errors import Misconfigured
from gitopsd.plugin.cel import Answer, Question, job

pytest.importorskip("cel_expr_python", reason="the extra [cel] is not installed")
NOT_OURS = {
    "can't check output type without compiling": "here the result is always a bool, and checked with the variables only",
    "can't declare variables without compiling": "as above",
}
"""Ways to call Flux's library that have no counterpart."""


def answered(case: dict[str, Any], *, parse_only: bool) -> Answer:
    options = " ".join(case.get("opts", ()))
    strict = "WithCompile" in options
    named = re.search(r"WithStructVariables\((.*?)\)", options)
    declared: dict[str, Any] = {name.strip(): {} for name in named[1].split(",")} if named else {}
    question = Question(
        expressions=(case["expr"],), variables=case.get("data", declared), strict=strict, parse_only=parse_only
    )
    intake: Any = None
    [answer] = msgspec.json.decode(job.run(msgspec.json.encode([question]), intake), type=tuple[Answer, ...])
    return answer


@pytest.mark.parametrize("case", cases.flux("health_exprs", "expressions", "TestNewExpression"))
def test_new_expression(case: dict[str, Any]) -> None:
    if case["name"] in NOT_OURS:
        pytest.skip(NOT_OURS[case["name"]])
    if "err" not in case:
        assert answered(case, parse_only=True) == Answer()
        return
    with pytest.raises(Misconfigured):
        answered(case, parse_only=True)


@pytest.mark.parametrize("case", cases.flux("health_exprs", "expressions", "TestExpression_EvaluateBoolean"))
def test_evaluate_boolean(case: dict[str, Any]) -> None:
    if "WithCompile" in " ".join(case.get("opts", ())):
        case = {**case, "expr": f"{case['expr']} == true"}  # what is asked strictly must be known to be a bool
    answer = answered(case, parse_only=False)
    assert bool(answer.error) == ("err" in case)
    assert (answer.first == 0) == bool(case.get("result"))
