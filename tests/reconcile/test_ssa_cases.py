"""Flux's own cases of differences between two states of an object, and of what is masked in them."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import cases, json_patch
from fakes.things import APP, id_of

from gitopsd.model.change import Action, Change
from gitopsd.model.manifest import Manifest
from gitopsd.reconcile import diff, health, plan, secrecy

ACTIONS = {"create": Action.CREATE, "update": Action.UPDATE, "none": Action.UNCHANGED, "exclude": Action.SKIP}
OURS = {
    "Test_diffUnstructuredMetadata/label removed": {("metadata", "labels", "bar"): ("foo", None)},
    "Test_diffUnstructuredMetadata/annotation removed": {("metadata", "annotations", "bar"): ("foo", None)},
    "Test_diffUnstructuredMetadata/label and annotation changed with ignore path": {
        ("metadata", "annotations", "bar"): ("foo", "baz"),
        ("metadata", "labels", "foo"): ("bar", "baz"),
    },
}
"""Where we differ. What a dry run takes away was ours, so that it is told like any change. Ignored fields are seen to before the
dry run (yielding.py): what is told here is what would be written."""


@pytest.mark.parametrize("case", cases.flux("ssa_jsondiff", only="Test_diffUnstructured"))
def test_differences(case: dict[str, Any]) -> None:
    of_metadata = case["name"].startswith("Test_diffUnstructuredMetadata/")
    found = json_patch.of_changes(diff.compared(case["x"], case["y"]).fields)
    found = {path: values for path, values in found.items() if (path[0] == "metadata") is of_metadata}
    assert found == OURS.get(case["name"], json_patch.of_patch(case["patch"], case["x"]))


@pytest.mark.parametrize("case", cases.flux("ssa_jsondiff", only="TestMaskSecretPatchData/"))
def test_masks_of_changes(case: dict[str, Any]) -> None:
    before, after = json_patch.states(case["patch"], apiVersion="v1", kind="Secret")
    one, other = secrecy.masked(before, after)
    wanted = json_patch.of_patch(case["want"], {})
    assert json_patch.of_patch(_both(case["patch"], one, other), {}) == wanted
    if not any("stringData" in operation["Path"] for operation in case["patch"]):  # compared as data, where it ends up
        assert json_patch.of_changes(diff.compared(before, after).fields) == wanted


def _both(patch: list[dict[str, Any]], one: Any, other: Any) -> list[dict[str, Any]]:
    def at(state: Any, pointer: str) -> Any:
        for step in pointer.split("/")[1:]:
            state = state.get(step) if state else None
        return state

    return [{**o, "OldValue": at(one, o["Path"]), "Value": at(other, o["Path"])} for o in patch]


@pytest.mark.parametrize("case", cases.flux("ssa_misc", only="sanitize_test.go:"))
def test_masks_of_whole_objects(case: dict[str, Any]) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret"}
    states = [None if state is None else {**secret, **state} for state in (case["input"]["old"], case["input"]["new"])]
    wanted = [case["want"].get("old"), case["want"].get("new")]
    found = secrecy.masked(*states)
    assert list(found) == [None if state is None else {**secret, **state} for state in wanted]


@pytest.mark.parametrize("case", cases.flux("ssa_jsondiff", only="TestDiffSet_"))
def test_sets_of_changes(case: dict[str, Any]) -> None:
    changes = [Change(id=id_of(str(n)), action=ACTIONS[d["Type"]]) for n, d in enumerate(case["ds"])]
    count = plan.of(APP, "cluster", changes).count()
    if "t" in case:
        assert (ACTIONS[case["t"]] in count) is case["want"]
    else:
        assert any(action.writes for action in count) is case["want"]


@pytest.mark.parametrize("case", cases.flux("ssa_misc", only="utils/job_test.go:TestIsJob/"))
def test_jobs(case: dict[str, Any]) -> None:
    body = {"apiVersion": case["apiVersion"], "kind": case["kind"], "metadata": {"name": "a"}}
    assert health.ends(Manifest.of({**body, "spec": {"ttlSecondsAfterFinished": 0}})) is case["want"]


@pytest.mark.parametrize("case", cases.flux("ssa_misc", only="utils/job_test.go:TestExtractJobsWithTTL/"))
def test_jobs_that_are_removed_when_they_are_done(case: dict[str, Any]) -> None:
    assert sum(health.ends(Manifest.of(body)) for body in case["objects"]) == case["want"]
