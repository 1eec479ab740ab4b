"""Health of objects against the conformance cases of kstatus and of Flux's own Job reader."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gitopsd.plugin import Health, yaml
from gitopsd_plugins.kubernetes.health import rules

_DATA = json.loads((Path(__file__).parents[3] / "data" / "kubernetes" / "kstatus.json").read_text())
_RULES = {(rule.group, rule.kind): rule for rule in rules.ALL}

_DIFFERENT_BY_FLUX = {
    "fluxcd-cli-utils/TestJobStatus/jobInProgress": "Flux's own reader has a started Job in progress until it is complete"
}


def _case(case: dict[str, Any]) -> Any:
    return pytest.param(case, id=case["name"])


def _health(manifest: str) -> str:
    body = _body(manifest)
    group = body["apiVersion"].rpartition("/")[0]
    rule = _RULES.get((group, body["kind"])) or _RULES["", ""]
    return str(rule.assess(body).health)


def _body(manifest: str) -> Any:
    def moment(found: re.Match[str]) -> str:
        return (datetime.now(UTC) + timedelta(seconds=int(found[1]))).strftime("%Y-%m-%dT%H:%M:%SZ")

    return yaml.read(re.sub(r"@NOW([-+]\d+)s@", moment, manifest), unique_keys=False)


@pytest.mark.parametrize("case", [_case(c) for c in _DATA["cases"] if c["name"] not in _DIFFERENT_BY_FLUX])
def test_kstatus(case: dict[str, Any]) -> None:
    assert _health(case["manifest"]) == case["status"]


@pytest.mark.parametrize("case", [_case(c) for c in _DATA["flux_job_reader"]])
def test_a_job_is_current_only_when_it_is_done(case: dict[str, Any]) -> None:
    assert _health(case["manifest"]) == case["status"]


def test_a_started_job_is_in_progress() -> None:
    [case] = [c for c in _DATA["cases"] if c["name"] in _DIFFERENT_BY_FLUX]
    assert _health(case["manifest"]) == "InProgress"


def test_an_object_under_deletion_is_terminating_whatever_its_kind() -> None:
    for rule in rules.ALL:
        body = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {"phase": "Bound"}}
        assert rule.assess(body).health is Health.TERMINATING


def test_a_stalled_object_has_failed_and_says_why() -> None:
    body = {"status": {"conditions": [{"type": "Stalled", "status": "True", "message": "bad chart"}]}}
    verdict = _RULES["", ""].assess(body)
    assert (verdict.health, verdict.message) == (Health.FAILED, "bad chart")


def test_a_deployment_past_its_deadline_has_failed() -> None:
    body = {
        "spec": {"replicas": 1, "progressDeadlineSeconds": 600},
        "status": {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]},
    }
    assert _RULES["apps", "Deployment"].assess(body).health is Health.FAILED


def test_a_deployment_with_pods_of_the_old_template_is_in_progress() -> None:
    body = {
        "spec": {"replicas": 1},
        "status": {"replicas": 2, "updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1},
    }
    verdict = _RULES["apps", "Deployment"].assess(body)
    assert (verdict.health, verdict.message) == (Health.IN_PROGRESS, "1 pods of the old template are left")


@pytest.mark.parametrize("status", ["nonsense", [], None, {"conditions": "nonsense"}, {"conditions": ["x", 7]}])
def test_a_status_of_an_unexpected_shape_is_no_crash(status: Any) -> None:
    for rule in rules.ALL:
        assert rule.assess({"spec": 7, "status": status, "metadata": None}).health in Health
