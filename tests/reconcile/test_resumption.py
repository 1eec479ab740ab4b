from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.model.declared import SourceIntent
from gitopsd.model.digest import Digest
from gitopsd.model.identity import ObjectRef
from gitopsd.model.tree import Artifact, Polled, Revision
from gitopsd.reconcile import resumption

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
REF = ObjectRef(kind="GitRepository", namespace="flux-system", name="app")
OTHER = ObjectRef(kind="GitRepository", namespace="flux-system", name="lib")
INTERVAL = timedelta(minutes=10)
INTENT = SourceIntent(ref=REF, spec=None, content=Digest("content"), interval=INTERVAL, timeout=timedelta(seconds=60))
ARTIFACT = Artifact(
    source=REF,
    revision=Revision(digest="sha1:1"),
    tree=Digest("tree"),
    size=1,
    files=1,
    stored=NOW - timedelta(days=3),
    spec=INTENT.content,
)


def ago(**time: float) -> Polled:
    return Polled(at=NOW - timedelta(**time), spec=Digest("spec"))


def left(
    polled: Polled | None,
    *,
    intent: SourceIntent = INTENT,
    upstream: tuple[datetime | None, ...] = (),
    sources: int = 1,
) -> timedelta | None:
    return resumption.left(intent, Digest("spec"), ARTIFACT, polled, upstream, sources=sources, now=NOW)


@given(st.floats(0, 599))
def test_who_was_asked_a_moment_ago_is_due_when_it_was_due_anyhow(seconds: float) -> None:
    assert left(ago(seconds=seconds), sources=1000) == INTERVAL - (NOW - ago(seconds=seconds).at)


@pytest.mark.parametrize(("sources", "within"), [(1, 0.1), (50, 5), (1000, 100), (1_000_000, 600)])
def test_after_a_longer_absence_few_are_asked_at_once_and_many_within_an_interval(sources: int, within: float) -> None:
    assert left(ago(days=1), sources=sources) == timedelta(seconds=within)


@pytest.mark.parametrize(
    "polled",
    [
        pytest.param(None, id="never asked"),
        pytest.param(replace(ago(seconds=1), spec=Digest("other")), id="declared otherwise"),
        pytest.param(replace(ago(seconds=1), failing=True), id="failed last"),
        pytest.param(ago(seconds=-5), id="by a clock that was ahead"),
    ],
)
def test_what_an_earlier_run_says_is_not_enough(polled: Polled | None) -> None:
    assert left(polled) is None


@pytest.mark.parametrize(
    "intent",
    [
        pytest.param(replace(INTENT, content=Digest("other")), id="another content"),
        pytest.param(replace(INTENT, unsupported=("spec.x",)), id="a field that is not served"),
        pytest.param(replace(INTENT, depends_on=(OTHER,)), id="waits for somebody"),
    ],
)
def test_what_is_stored_is_not_what_is_declared(intent: SourceIntent) -> None:
    assert left(ago(seconds=1), intent=intent) is None


def test_what_it_reads_has_to_be_as_it_was_when_it_looked() -> None:
    polled, before, after = ago(minutes=5), NOW - timedelta(minutes=6), NOW - timedelta(minutes=4)

    assert left(polled, upstream=(before, before)) == timedelta(minutes=5)
    assert left(polled, upstream=(before, after)) is None
    assert left(polled, upstream=(before, None)) is None
