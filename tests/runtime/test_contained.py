"""A plugin's health rule that fails costs the verdicts that it would have given, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from gitopsd.model.health import Health, Verdict
from gitopsd.plugin.registry import PluginInfo, Registry
from gitopsd.runtime.live import contained

BODY = {"kind": "Widget"}


class Rule:
    group, kind = "example.org", "Widget"

    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer

    def assess(self, body: object) -> Any:
        return self._answer()


def broken() -> Verdict:
    raise KeyError("status")


def shells(log: LogCapture, answer: Callable[[], Any]) -> Any:
    row = PluginInfo(
        name="widgets", distribution="d", version="1", state="loaded", offers={"health": ("example.org/Widget",)}
    )
    registry = Registry(plugins=(row,), health={("example.org", "Widget"): Rule(answer)})
    logger = structlog.wrap_logger(None, processors=[log])
    [(key, rule)] = contained.rules(registry, logger).items()
    assert key == (rule.group, rule.kind) == ("example.org", "Widget")
    return rule


def test_a_verdict_passes_as_it_is() -> None:
    log = LogCapture()
    verdict = Verdict(health=Health.FAILED, message="no")
    assert shells(log, lambda: verdict).assess(BODY) is verdict
    assert log.entries == []


@pytest.mark.parametrize(
    ("answer", "met"),
    [(broken, "KeyError: 'status'"), (lambda: True, "it answered with bool instead of a Verdict")],
    ids=["raises", "answers with something else"],
)
def test_what_a_rule_meets_is_said_of_each_object_and_logged_once(answer: Callable[[], Any], met: str) -> None:
    log = LogCapture()
    rule = shells(log, answer)
    for _ in range(3):
        verdict = rule.assess(BODY)
        assert verdict.health is Health.UNKNOWN
        assert verdict.message == f"the health rule of the plugin widgets failed: {met}"
    [line] = log.entries
    assert (line["plugin"], line["kind"], line["problem"]) == ("widgets", "example.org/Widget", met)
    assert ("Traceback" in line["trace"]) == (answer is broken)
