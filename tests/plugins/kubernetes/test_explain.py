"""Why a pod does not do well."""

from __future__ import annotations

from typing import Any

import pytest

from gitopsd_plugins.kubernetes import explain


def _pod(state: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    containers = [{"name": "main", "state": state, **status.pop("container", {})}] if state is not None else []
    return {"metadata": {"name": "a", "namespace": "web"}, "status": {"containerStatuses": containers, **status}}


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        (_pod({"running": {}}, phase="Running"), ""),
        (_pod({"waiting": {"reason": "ContainerCreating"}}), ""),
        (
            _pod({"waiting": {"reason": "ImagePullBackOff", "message": "no such tag"}}),
            "container main: ImagePullBackOff: no such tag",
        ),
        (
            _pod(
                {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                container={"lastState": {"terminated": {"exitCode": 3, "reason": "Error", "message": "no config"}}},
            ),
            "container main: CrashLoopBackOff: back-off 10s (it last ended: Error with exit code 3: no config)",
        ),
        (
            _pod({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
            "container main: OOMKilled with exit code 137",
        ),
        (_pod({"terminated": {"exitCode": 0, "reason": "Completed"}}), ""),
        (
            _pod(
                conditions=[
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
                ]
            ),
            "Unschedulable: 0/3 nodes",
        ),
        (_pod(phase="Failed", reason="Evicted", message="disk pressure"), "Evicted: disk pressure"),
        ({"metadata": {}}, ""),
    ],
)
def test_the_reason_is_one_sentence(pod: Any, words: str) -> None:
    assert explain.of_pod(pod) == words


def test_endless_messages_are_cut() -> None:
    assert len(explain.of_pod(_pod({"waiting": {"reason": "X", "message": "y" * 10_000}}))) < 500
