"""Rules in CEL that the sandbox cannot check are told, and never silently held to be kept; what they cost is bounded."""

from __future__ import annotations

import resource as resource_module
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from gitopsd_plugins.sandbox.definitions import crd_expression_rules, crd_expressions
from gitopsd_plugins.sandbox.definitions.crd import root
from gitopsd_plugins.sandbox.expressions import expression_process, expressions
from gitopsd_plugins.sandbox.facts import type_table
from gitopsd_plugins.sandbox.facts.resources import Resource

Json = dict[str, Any]


def resource(schema: Json) -> Resource:
    return Resource(
        group="demo.io",
        version="v1",
        plural="things",
        singular="thing",
        kind="Thing",
        namespaced=False,
        own_schema=root(schema),
        declared=schema,
        custom=True,
    )


def ruled(*rules: str, **schema: Any) -> Json:
    return {**schema, "x-kubernetes-validations": [{"rule": rule} for rule in rules]}


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    caches = (expressions.compiled, expressions._environment)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


def checked(schema: Json, body: Json) -> tuple[list[str], list[str]]:
    """Fields that are wrong, and warnings."""
    warnings: list[str] = []
    found = crd_expressions.of(resource(schema), body, None, warnings, [])
    return [cause.field for cause in found], warnings


def test_without_the_library_an_object_is_taken_with_a_warning(no_library: None) -> None:
    schema = {"type": "object", "properties": {"a": ruled("self > 1", "self > 1", type="integer")}}
    wrong, [warning] = checked(schema, {"a": 1})
    assert wrong == []
    assert warning.startswith('the sandbox did not check the rule "self > 1": a CEL expression needs the extra [cel]')


def test_without_the_library_a_definition_is_taken_with_a_warning(no_library: None) -> None:
    schema = {"type": "object", "properties": {"a": ruled("self > 1", type="integer")}}
    body = {"spec": {"versions": [{"schema": {"openAPIV3Schema": schema}}]}}
    assert list(crd_expression_rules.of_node(schema["properties"]["a"], "p", "")) == []
    [warning] = crd_expression_rules.unchecked(body)
    assert "pip install 'gitopsd[cel]'" in warning


@pytest.mark.parametrize("rule", ["!format.dns1123Label().validate(self).hasValue()", "[1].all(i, v, v > i)"])
def test_functions_that_only_a_real_server_has_are_told(rule: str) -> None:
    wrong, [warning] = checked({"type": "object", "properties": {"a": ruled(rule, type="string")}}, {"a": "x"})
    assert wrong == []
    assert "functions that the sandbox does not have" in warning


def test_an_object_is_not_checked_without_end() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": ruled("self > 0", type="integer")}}}
    wrong, _ = checked(schema, {"a": [1] * (crd_expressions.BUDGET + 10)})
    assert wrong == [f"a[{crd_expressions.BUDGET - 1}]"]


def test_a_rule_does_not_run_without_end() -> None:
    rule = "self.all(x, self.all(y, self.all(z, x + y + z >= 0)))"
    found = crd_expressions.of_value(list(range(100)), ruled(rule, type="array", items={"type": "integer"}), "a")
    assert [cause.message.partition(":")[2].strip() for cause in found] == [
        "\"array\": 'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to "
        f"call cost exceeds limit for rule: {rule}"
    ]


TENFOLD = "[" + ",".join(["x"] * 10) + "]"
HOSTILE = {
    "texts that double": "[self]" + ".map(x, x + x)" * 25 + ".size() > 0",
    "texts that grow by themselves": "[self]" + ".map(x, x.replace('a', x))" * 10 + ".size() > 0",
    "texts that are joined": "[self]" + f".map(x, {TENFOLD}.join(x))" * 12 + ".size() > 0",
    "lists that double": "[[self]]" + ".map(x, x + x)" * 25 + ".size() > 0",
    "a regular expression without end": "self.find('(a+)+$') == ''",
    "a list for each item of a list": "[0,1,2,3,4,5,6,7,8,9].all(a, [0,1,2,3,4,5,6,7,8,9].all(b, "
    "[0,1,2,3,4,5,6,7,8,9].all(c, [0,1,2,3,4,5,6,7,8,9].all(d, [0,1,2,3,4,5,6,7,8,9].all(e, a + b + c + d + e >= 0)))))",
}


@pytest.mark.parametrize("rule", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_rule_takes_no_more_than_its_own_process(rule: str) -> None:
    before = resource_module.getrusage(resource_module.RUSAGE_SELF).ru_maxrss
    [cause] = crd_expressions.of_value("a" * 40 + "!", ruled(rule, type="string"), "a")
    assert "cost" in cause.message
    assert resource_module.getrusage(resource_module.RUSAGE_SELF).ru_maxrss - before < 50_000
    assert [each.field for each in crd_expressions.of_value(1, ruled("self > 1", type="integer"), "b")] == ["b"]


@pytest.mark.parametrize("rule", ["(" * 3000 + "true" + ")" * 3000, "[" * 3000 + "]" * 3000 + ".size() > 0"])
def test_a_deep_rule_is_refused_with_its_definition(rule: str) -> None:
    [cause] = crd_expression_rules.of_node(ruled(rule, type="string"), "p", "")
    assert "compilation failed: Expression recursion limit exceeded" in cause.message


def test_a_deep_value_takes_no_more_than_that_process() -> None:
    schema = ruled("true", type="object", **{"x-kubernetes-preserve-unknown-fields": True})
    value: Any = 1
    for _ in range(900):
        value = {"a": value}
    assert len(crd_expressions.of_value(value, schema, "a")) <= 1


def test_a_process_that_was_killed_is_started_again() -> None:
    process = expression_process.process()
    process.start()
    process.end()
    assert [each.field for each in crd_expressions.of_value(1, ruled("self > 1", type="integer"), "b")] == ["b"]


def test_kinds_without_rules_are_not_walked() -> None:
    assert not root({"type": "object", "properties": {"a": {"type": "string"}}}).has_expressions
    assert not type_table.table().schema(type_table.OBJECT_META).has_expressions
