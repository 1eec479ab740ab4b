"""Which rule says how an object is doing, and what many verdicts come to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakes.things import id_of, live

from gitopsd.model.health import Health, Verdict
from gitopsd.reconcile import health


class Rule:
    def __init__(self, kind: str, found: Health) -> None:
        self.group, self.kind, self._found = "", kind, found

    def assess(self, body: Mapping[str, Any]) -> Verdict:
        return Verdict(health=self._found)


RULES = {("", "Pod"): Rule("Pod", Health.FAILED), health.ANY: Rule("", Health.CURRENT)}


def test_a_kinds_own_rule_comes_before_the_one_for_all() -> None:
    assert health.assess(RULES, live("a", "Pod")).health is Health.FAILED
    assert health.assess(RULES, live("a")).health is Health.CURRENT
    assert health.assess({}, live("a")).health is Health.UNKNOWN
    assert health.assess(RULES, None).health is Health.NOT_FOUND


def test_all_but_current_is_pending_and_the_first_five_are_named() -> None:
    verdicts = {id_of(f"n{number}"): Verdict(health=Health.IN_PROGRESS, message="soon") for number in range(7)}
    verdicts[id_of("bad")] = Verdict(health=Health.FAILED)
    verdicts[id_of("good")] = Verdict(health=Health.CURRENT)
    assert health.failed(verdicts) == (id_of("bad"),)
    pending = health.pending(verdicts)
    assert len(pending) == 8
    text = health.listed(pending, verdicts)
    assert text.startswith("[ConfigMap/default/bad status: 'Failed', ConfigMap/default/n0 status: 'InProgress' (soon)")
    assert text.endswith(", and 3 more]")
