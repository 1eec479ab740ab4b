"""The suites for plugin authors: a stranger's plugin passes them, and what breaks a promise does not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
import pytest_asyncio
from fakes import sink_context
from fakes.stranger import gitopsd_literal as stranger

from gitopsd.plugin import Body, Declared, Health, HealthRule, Kind, Outcome, SourceIntent, Verdict, digest
from gitopsd.plugin.conformance.access import AccessSuite, Way
from gitopsd.plugin.conformance.health import HealthSuite
from gitopsd.plugin.conformance.kind import KindSuite
from gitopsd_plugins.sandbox.server import serve

WIDGET = {"apiVersion": "literal.example.org/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": {}}


class TestKind(KindSuite):
    kind: ClassVar[Kind] = stranger.LiteralKind("literal.example.org", "Literal")
    document: ClassVar[Mapping[str, Any]] = {
        "apiVersion": "literal.example.org/v1",
        "kind": "Literal",
        "metadata": {"name": "words", "namespace": "flux-system"},
        "spec": {"files": {"a.yaml": "a: b"}},
    }


class TestHealth(HealthSuite):
    rule: ClassVar[HealthRule] = stranger.WidgetHealth()
    bodies: ClassVar[Mapping[Health, Sequence[Body]]] = {
        Health.CURRENT: [{**WIDGET, "status": {"ready": True}}],
        Health.IN_PROGRESS: [WIDGET, {**WIDGET, "status": {"ready": False}}],
    }


class TestAccess(AccessSuite):
    @pytest_asyncio.fixture
    async def way(self, tmp_path: Path) -> AsyncIterator[Way]:
        async with serve() as running:
            spec = {"server": running.url, "token": running.token}
            ctx = sink_context.make(tmp_path)
            yield Way(access=stranger.LiteralAccess(), spec=spec, ctx=ctx, secrets=[running.token], broken=[{}])


# --- what the suites are for ---------------------------------------------------------------------------------------


class CarelessKind(stranger.LiteralKind):
    """Takes anything, keeps it, and is always ready."""

    def read(self, declared: Declared) -> SourceIntent:
        files = declared.document["spec"]["files"]
        hour = timedelta(hours=1)
        return SourceIntent(
            ref=declared.ref, spec=files, content=digest.of_value(len(files)), interval=hour, timeout=hour
        )

    def status(self, declared: Declared, outcome: Outcome, previous: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"conditions": [{"type": "Ready", "status": "True", "message": ""}]}


class CarelessHealth:
    group, kind = "literal.example.org", "Widget"

    def assess(self, body: Body) -> Verdict:
        ready = body.get("status", {}).get("ready")
        return Verdict(health=Health.CURRENT if ready else Health.IN_PROGRESS)


def failing(suite: Any) -> set[str]:
    """The promises that do not hold."""
    names = [name for name in dir(suite) if name.startswith("test_")]
    return {name for name in names if not _holds(getattr(suite(), name))}


def _holds(promise: Any) -> bool:
    try:
        promise()
    except (AssertionError, AttributeError, KeyError, TypeError, pytest.fail.Exception):
        return False
    return True


def test_a_careless_kind_is_found_out() -> None:
    suite = type("Suite", (TestKind,), {"kind": CarelessKind("literal.example.org", "Literal")})
    assert failing(suite) == {
        "test_an_unknown_field_is_an_error_that_names_it",
        "test_ready_is_true_when_it_is_ready_and_never_else",
        "test_what_failed_is_told_in_the_words_of_the_outcome",
        "test_whatever_is_written_it_is_read_or_refused",
    }


def test_a_careless_health_rule_is_found_out() -> None:
    suite = type("Suite", (TestHealth,), {"rule": CarelessHealth()})
    assert failing(suite) == {
        "test_a_status_of_an_older_generation_is_not_current",
        "test_what_is_being_deleted_is_terminating_whatever_else_it_says",
        "test_what_is_not_current_says_why",
        "test_whatever_an_object_holds_there_is_a_verdict",
    }
