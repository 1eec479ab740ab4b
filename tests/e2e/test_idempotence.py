"""What was applied needs nothing: the plan after an apply is empty, whatever was applied."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fakes.world import World, app_ref, kustomization
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gitopsd.model.change import Action
from gitopsd.model.manifest import Manifest
from gitopsd.model.outcome import Outcome
from gitopsd.model.outcome import Phase as AppPhase

names = st.from_regex(r"[a-z]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
texts = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=12)


def _metadata(name: str, labels: dict[str, str]) -> dict[str, Any]:
    return {"name": name, "namespace": "default", **({"labels": labels} if labels else {})}


labels = st.dictionaries(names, names, max_size=2)
config_maps = st.builds(
    lambda name, tags, data: {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(name, tags), "data": data},
    names,
    labels,
    st.dictionaries(names, texts, max_size=3),
)
ports = st.lists(st.integers(1, 65535), min_size=1, max_size=3, unique=True)
services = st.builds(
    lambda name, tags, numbers: {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(name, tags),
        "spec": {
            "selector": {"app": name},
            "ports": [{"name": f"p{n}", "port": n, "protocol": "TCP"} for n in numbers],
        },
    },
    names,
    labels,
    ports,
)
objects = st.lists(
    st.one_of(config_maps, services), min_size=1, max_size=5, unique_by=lambda body: str(Manifest.of(body).id)
)


@pytest.mark.asyncio
async def test_the_plan_after_an_apply_is_unchanged_for_random_sets(either: World) -> None:
    sets: list[list[dict[str, Any]]] = []

    @settings(max_examples=12, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(objects)
    def collect(found: list[dict[str, Any]]) -> None:
        sets.append(found)

    collect()
    files = {
        f"set{number}/{position}.json": json.dumps(_apart(body, number))
        for number, found in enumerate(sets)
        for position, body in enumerate(found)
    }
    either.repository.commit({path.replace(".json", ".yaml"): text for path, text in files.items()})
    either.declare(*(kustomization(f"set{number}") for number in range(len(sets))))
    first = await either.once()
    for number, found in enumerate(sets):
        outcome = first[app_ref(f"set{number}")]
        assert outcome.phase is AppPhase.READY, outcome.message
        assert _actions(outcome) == {Action.CREATE: len(found)}
    (either.folder / "state").rename(either.folder / "lost")  # no mark is known: all of it is rehearsed
    either.running.journal.clear()
    async with either.engine(write=False) as engine:
        planned = await engine.once()
        for number, found in enumerate(sets):
            assert _actions(planned[app_ref(f"set{number}")]) == {Action.UNCHANGED: len(found)}
    assert [r for r in either.asked() if r.method != "GET" and r.query.get("dryRun") != "All"] == []
    second = await either.once()
    for number, found in enumerate(sets):
        assert _actions(second[app_ref(f"set{number}")]) == {Action.UNCHANGED: len(found)}


def _apart(body: dict[str, Any], number: int) -> dict[str, Any]:
    """The sets share a namespace."""
    return {**body, "metadata": {**body["metadata"], "name": f"s{number}-{body['metadata']['name']}"}}


def _actions(outcome: Outcome) -> dict[Action, int]:
    assert outcome.plan is not None, outcome.message
    return dict(outcome.plan.count())
