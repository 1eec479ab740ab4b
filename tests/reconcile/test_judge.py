"""Health by expressions: Flux's own cases, and what is asked of which object."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import cases
from fakes.expressions import pool
from fakes.things import OTHER, id_of, intent, live

from gitopsd.model.declared import HealthExpression
from gitopsd.model.errors import Misconfigured
from gitopsd.model.health import Health, Verdict
from gitopsd.reconcile import health, judge
from gitopsd.reconcile.judge import Judge

pytestmark = pytest.mark.asyncio
pytest.importorskip("cel_expr_python", reason="the extra [cel] is not installed")
A = id_of("a", "Widget", group="example.org")


class Rule:
    group, kind = "", ""

    def assess(self, body: Mapping[str, Any]) -> Verdict:
        return Verdict(health=Health.CURRENT, message="by the rule")


def expression(current: str, *, kind: str = "Widget", in_progress: str = "", failed: str = "") -> HealthExpression:
    return HealthExpression(group="example.org", kind=kind, current=current, in_progress=in_progress, failed=failed)


async def verdict(body: dict[str, Any] | None, *expressions: HealthExpression) -> Verdict:
    async with pool() as work:
        by_kind = {(e.group, e.kind): e for e in expressions}
        it = Judge(rules={health.ANY: Rule()}, expressions=by_kind, work=work)
        return (await it.verdicts({A: None if body is None else live("a", **body)}))[A]


@pytest.mark.parametrize("case", cases.flux("health_exprs"))
async def test_flux(case: dict[str, Any]) -> None:
    texts = case["exprs"]
    wanted = expression(texts["Current"], in_progress=texts.get("InProgress", ""), failed=texts.get("Failed", ""))
    found = await verdict(case["object"], wanted)
    if case["error"]:
        assert found.health is Health.UNKNOWN
        assert found.message.startswith(case["error"].partition("': ")[0])
    else:
        assert str(found.health) == case["result"]["Status"]


@pytest.mark.parametrize("case", cases.flux("health_exprs", "construct"))
async def test_flux_construct(case: dict[str, Any]) -> None:
    texts = case["exprs"] or {}
    if "Current" not in texts:
        pytest.skip("an entry without `current` does not fit the schema; see the tests of its kind")
    wanted = expression(texts["Current"], in_progress=texts.get("InProgress", ""), failed=texts.get("Failed", ""))
    async with pool() as work:
        world: Any = SimpleNamespace(ctx=SimpleNamespace(quick=work))
        with pytest.raises(Misconfigured) if case["error"] else nullcontext():
            await judge.check(replace(intent(), health_expressions=(wanted,)), world)


@pytest.mark.parametrize("bad", ["self.", "other == 1", "dep.spec"])
async def test_an_expression_about_a_dependency_must_be_a_bool_of_self_and_dep(bad: str) -> None:
    async with pool() as work:
        world: Any = SimpleNamespace(ctx=SimpleNamespace(quick=work))
        await judge.check(
            replace(intent(after=(OTHER,)), ready_expressions={OTHER: "self.spec.a == dep.spec.a"}), world
        )
        with pytest.raises(Misconfigured):
            await judge.check(replace(intent(after=(OTHER,)), ready_expressions={OTHER: bad}), world)


async def test_the_entry_of_the_kind_goes_before_that_of_the_group() -> None:
    one, group = expression("true"), expression("false", kind="")
    assert (await verdict({}, one, group)).health is Health.CURRENT
    assert (await verdict({}, group)).health is Health.IN_PROGRESS
    assert (await verdict({}, expression("false", kind="Gadget"))).message == "by the rule"


async def test_what_is_not_there_is_not_asked_about() -> None:
    assert (await verdict(None, expression("true"))).health is Health.NOT_FOUND


async def test_the_message_is_what_the_object_says_about_itself() -> None:
    body = {"status": {"conditions": [{"type": "Ready", "status": "False", "message": "no disk"}]}}
    assert await verdict(body, expression("false")) == Verdict(health=Health.IN_PROGRESS, message="no disk")
    assert await verdict(body, expression("true", failed="true")) == Verdict(health=Health.FAILED, message="no disk")


async def test_what_no_watch_has_shown_yet_is_not_known_rather_than_not_there() -> None:
    async with pool() as work:
        found = Judge(rules={health.ANY: Rule()}, expressions={}, work=work).at_sight(A, None)
    assert (found.health, found.message) == (Health.UNKNOWN, "not looked at yet")
