"""Flux's own cases of plans: an object in the cluster, another state of it in Git, and what differs."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from fakes import cases, json_patch
from fakes.staged import Staged

from gitopsd.model.change import Action, Change
from gitopsd.plugin import Access, Context, SpecError
from gitopsd.plugin.conformance.scene import eventually, place
from gitopsd_plugins.kubernetes.sink import KubernetesSink

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

ACTIONS = {"create": Action.CREATE, "update": Action.UPDATE, "none": Action.UNCHANGED, "exclude": Action.SKIP}
IGNORE = "kustomize.toolkit.fluxcd.io/ssa"
CASES = {case.id: case.values[0] for case in cases.flux("ssa_jsondiff", only="TestUnstructured/") if not case.marks}
OURS: dict[str, tuple[Action, json_patch.Differences]] = {
    "Deployment with missing label and annotation": (
        Action.UPDATE,
        {("metadata", "annotations", "annotated"): ("yes", None), ("metadata", "labels", "labeled"): ("yes", None)},
    ),
    "Secret with added key and unmasked value": (Action.UPDATE, {("data", "foo"): (None, "***")}),
}
"""Where we differ: what left Git leaves the cluster and is told; a Secret's values are shown to nobody, whoever asks."""
REFUSED = "Deployment with ignored root path"
"""A rule that ignores whole objects is no rule: it is refused where it is read."""


@pytest.mark.skipif(not CASES, reason="the cases are not at hand")
async def test_plans_of_an_object_that_is_ours(access: Access, ctx: Context, subtests: pytest.Subtests) -> None:
    """All of them in one namespace: they have no state but their object, and each starts without it."""
    async with place(lambda who: KubernetesSink().connect(access, who, ctx)) as (target, namespace):
        for name, case in CASES.items():
            with subtests.test(name):
                await _holds(name.removeprefix("TestUnstructured/"), case, Staged(target), namespace)


async def _holds(name: str, case: dict[str, Any], app: Staged, namespace: str) -> None:
    cluster, desired = (_moved(case[part], namespace) for part in ("cluster", "desired"))
    ignore = [o for o in case["options"] if isinstance(o, list)]
    rules = {"ignore": [{"paths": paths} for paths in ignore]} if ignore else {}
    if name == REFUSED:
        with pytest.raises(SpecError, match="no JSON pointer to a field"):
            await app.plan(desired, **rules)
        return
    if cluster is not None:
        await app.make(cluster)
    if any(isinstance(option, dict) for option in case["options"]):
        _mark(desired)
    [change] = await app.plan(desired, **rules)
    action, differences = OURS.get(name) or _wanted(case)
    assert (change.action, _shown(change)) == (action, differences)
    await _clear(app, desired)


def _moved(body: Any, namespace: str) -> Any:
    if body is None:
        return None
    body = deepcopy(body)
    body["metadata"]["namespace"] = namespace
    if body["kind"] == "Deployment":  # so that its controller writes nothing while we look
        body["spec"]["paused"] = True
    return body


def _mark(body: Any) -> None:
    """Flux takes the marker as an argument; we know it by its name."""
    for part in ("labels", "annotations"):
        if body["metadata"].get(part, {}).pop("ignore", None):
            body["metadata"][part][IGNORE] = "Ignore"


def _wanted(case: dict[str, Any]) -> tuple[Action, json_patch.Differences]:
    patch = case["want"].get("Patch", [])
    return ACTIONS[case["want"]["Type"]], json_patch.of_patch(patch, case["cluster"] or {})


def _shown(change: Change) -> json_patch.Differences:
    """What is told of a change; of a new object Flux tells nothing."""
    return {} if change.action is Action.CREATE else json_patch.of_changes(change.fields)


async def _clear(app: Staged, body: Any) -> None:
    async def gone() -> bool:
        live = await app.look(body)
        if live is not None:  # its controller may have written meanwhile: then it is not deleted, but looked at again
            await app.target.delete(Change(id=live.id, action=Action.DELETE, live=live))
        return live is None

    await eventually(gone)
