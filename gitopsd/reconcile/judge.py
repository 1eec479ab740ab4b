"""How objects are doing: by the rule of their kind, or by the app's own expressions in CEL where it has some for the kind.

As in Flux expressions replace the rule, but for one thing that comes first: a generation that is not observed yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitopsd.model.change import Live, Sight
from gitopsd.model.declared import AppIntent, HealthExpression
from gitopsd.model.health import Health, Verdict
from gitopsd.model.identity import ResourceId
from gitopsd.plugin import cel
from gitopsd.plugin.cel import Answer, Question
from gitopsd.plugin.context import Work
from gitopsd.plugin.roles import HealthRule
from gitopsd.reconcile import health
from gitopsd.reconcile.world import World

_STATES = {"in_progress": Health.IN_PROGRESS, "failed": Health.FAILED, "current": Health.CURRENT}
"""In the order in which they are asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Judges objects of one app."""

    rules: Mapping[tuple[str, str], HealthRule]
    expressions: Mapping[tuple[str, str], HealthExpression]
    work: Work

    @classmethod
    def of(cls, intent: AppIntent, world: World) -> Judge:
        """The judge that an app asks for."""
        expressions = {(e.group, e.kind): e for e in intent.health_expressions}
        return cls(rules=world.registry.health, expressions=expressions, work=world.ctx.quick)

    def at_sight(self, id: ResourceId, sight: Sight | None) -> Verdict:
        """What a watch's bookkeeping tells: not enough for an expression, which is asked of the object itself."""
        if sight is None or self._expression(id) is not None:
            return Verdict(health=Health.UNKNOWN, message="not looked at yet")
        return sight.verdict

    async def verdicts(self, seen: Mapping[ResourceId, Live | None]) -> dict[ResourceId, Verdict]:
        """One verdict for each object. Raises as `cel.answers`, where expressions are asked."""
        found: dict[ResourceId, Verdict] = {}
        asked: dict[ResourceId, Question] = {}
        for id, live in seen.items():
            expression = self._expression(id)
            if live is None or expression is None:
                found[id] = health.assess(self.rules, live)
            elif late := _unobserved(live.body):
                found[id] = late
            else:
                asked[id] = Question(expressions=tuple(_texts(expression).values()), variables=dict(live.body))
        answers = await cel.answers(self.work, tuple(asked.values())) if asked else ()
        for id, answer in zip(asked, answers, strict=True):
            found[id] = _verdict(answer, self._expression(id), seen[id])
        return found

    def _expression(self, id: ResourceId) -> HealthExpression | None:
        return self.expressions.get((id.group, id.kind)) or self.expressions.get((id.group, ""))


async def check(intent: AppIntent, world: World) -> None:
    """Whether the app's expressions can be read at all. Raises `Misconfigured` (InvalidCELExpression) before anything else is done."""
    health_texts = tuple(text for e in intent.health_expressions for text in _texts(e).values())
    questions = [Question(expressions=health_texts, parse_only=True)] if health_texts else []
    if ready := tuple(intent.ready_expressions.values()):
        questions.append(Question(expressions=ready, variables={"self": {}, "dep": {}}, strict=True, parse_only=True))
    if questions:
        await cel.answers(world.ctx.quick, questions)


def _texts(expression: HealthExpression) -> Mapping[str, str]:
    return {name: text for name in _STATES if (text := getattr(expression, name))}


def _verdict(answer: Answer, expression: HealthExpression | None, live: Live | None) -> Verdict:
    assert expression is not None  # it was asked
    assert live is not None
    if answer.error:
        return Verdict(health=Health.UNKNOWN, message=answer.error)
    said = _ready_message(live.body)
    if answer.first < 0:
        return Verdict(health=Health.IN_PROGRESS, message=said or "no expression of healthCheckExprs is true yet")
    state = _STATES[list(_texts(expression))[answer.first]]
    return Verdict(health=state, message="" if state is Health.CURRENT else said)


def _unobserved(body: Mapping[str, Any]) -> Verdict | None:
    metadata, status = body.get("metadata"), body.get("status")
    wanted = metadata.get("generation") if isinstance(metadata, Mapping) else None
    observed = status.get("observedGeneration") if isinstance(status, Mapping) else None
    if not isinstance(wanted, int) or not isinstance(observed, int) or wanted == observed:
        return None
    return Verdict(
        health=Health.IN_PROGRESS, message=f"generation {wanted} is not observed yet, the last was {observed}"
    )


def _ready_message(body: Mapping[str, Any]) -> str:
    """What the object itself says about its readiness, for people."""
    status = body.get("status")
    conditions = status.get("conditions") if isinstance(status, Mapping) else None
    for condition in conditions if isinstance(conditions, list) else ():
        if isinstance(condition, Mapping) and condition.get("type") == "Ready":
            return str(condition.get("message") or condition.get("reason") or "")
    return ""
