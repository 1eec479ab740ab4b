"""Each built-in health rule keeps what every rule promises; one suite for each, from one table of objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitopsd.plugin import Body, Health
from gitopsd.plugin.conformance.health import HealthSuite
from gitopsd_plugins.kubernetes.health import rules

_RULES = {(rule.group, rule.kind): rule for rule in rules.ALL}


def _object(api_version: str, kind: str, spec: Any = None, status: Any = None) -> Body:
    parts = {"spec": spec, "status": status}
    body = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "namespace": "b"}}
    return body | {name: value for name, value in parts.items() if value is not None}


def _condition(kind: str, status: str, **more: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, **more}]}


ONE = {"replicas": 1}
DONE = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1, "currentReplicas": 1}
DEADLINE = _condition("Progressing", "False", reason="ProgressDeadlineExceeded")

BODIES: Mapping[tuple[str, str], Mapping[Health, Sequence[Body]]] = {
    ("", ""): {
        Health.CURRENT: [_object("a/v1", "B"), _object("a/v1", "B", status=_condition("Ready", "True"))],
        Health.IN_PROGRESS: [_object("a/v1", "B", status=_condition("Ready", "False", message="not yet"))],
        Health.FAILED: [_object("a/v1", "B", status=_condition("Stalled", "True", message="no more"))],
    },
    ("bitnami.com", "SealedSecret"): {
        Health.CURRENT: [_object("bitnami.com/v1alpha1", "SealedSecret", status=_condition("Synced", "True"))],
        Health.IN_PROGRESS: [_object("bitnami.com/v1alpha1", "SealedSecret")],
        Health.FAILED: [
            _object("bitnami.com/v1alpha1", "SealedSecret", status=_condition("Synced", "False", message="no key could decrypt"))
        ],
    },
    **{
        ("external-secrets.io", kind): {
            Health.CURRENT: [_object("external-secrets.io/v1", kind, status=_condition("Ready", "True"))],
            Health.IN_PROGRESS: [
                _object("external-secrets.io/v1", kind),
                _object("external-secrets.io/v1", kind, status=_condition("Ready", "False", message="no such store")),
            ],
        }
        for kind in ("ExternalSecret", "ClusterExternalSecret", "PushSecret", "SecretStore", "ClusterSecretStore")
    },
    ("apps", "Deployment"): {
        Health.CURRENT: [_object("apps/v1", "Deployment", ONE, DONE | _condition("Available", "True"))],
        Health.IN_PROGRESS: [_object("apps/v1", "Deployment", ONE, {})],
        Health.FAILED: [_object("apps/v1", "Deployment", {**ONE, "progressDeadlineSeconds": 600}, DEADLINE)],
    },
    ("apps", "StatefulSet"): {
        Health.CURRENT: [_object("apps/v1", "StatefulSet", ONE, {**DONE, "currentRevision": "a", "updateRevision": "a"})],
        Health.IN_PROGRESS: [_object("apps/v1", "StatefulSet", ONE, {})],
    },
    ("apps", "DaemonSet"): {
        Health.CURRENT: [
            _object(
                "apps/v1", "DaemonSet", {},
                dict.fromkeys(
                    ("desiredNumberScheduled", "currentNumberScheduled", "updatedNumberScheduled", "numberAvailable",
                     "numberReady"), 1,
                ) | {"observedGeneration": 1},
            ) | {"metadata": {"name": "a", "namespace": "b", "generation": 1}}
        ],
        Health.IN_PROGRESS: [_object("apps/v1", "DaemonSet", {}, {"desiredNumberScheduled": 1})],
    },
    ("apps", "ReplicaSet"): {
        Health.CURRENT: [_object("apps/v1", "ReplicaSet", ONE, {**DONE, "fullyLabeledReplicas": 1})],
        Health.IN_PROGRESS: [_object("apps/v1", "ReplicaSet", ONE, {})],
    },
    ("", "Pod"): {
        Health.CURRENT: [_object("v1", "Pod", {}, {"phase": phase}) for phase in ("Succeeded", "Failed")],
        Health.IN_PROGRESS: [_object("v1", "Pod", {}, {"phase": "Pending"})],
    },
    ("batch", "Job"): {
        Health.CURRENT: [_object("batch/v1", "Job", {}, _condition("Complete", "True"))],
        Health.IN_PROGRESS: [_object("batch/v1", "Job", {}, {})],
        Health.FAILED: [_object("batch/v1", "Job", {}, _condition("Failed", "True", message="too often"))],
    },
    ("batch", "CronJob"): {Health.CURRENT: [_object("batch/v1", "CronJob", {}, {})]},
    ("", "Service"): {
        Health.CURRENT: [_object("v1", "Service", {"type": "ClusterIP", "clusterIP": "10.0.0.1"}, {})],
        Health.IN_PROGRESS: [_object("v1", "Service", {"type": "LoadBalancer"}, {})],
    },
    ("", "PersistentVolumeClaim"): {
        Health.CURRENT: [_object("v1", "PersistentVolumeClaim", {}, {"phase": "Bound"})],
        Health.IN_PROGRESS: [_object("v1", "PersistentVolumeClaim", {}, {"phase": "Pending"})],
    },
    ("", "ConfigMap"): {Health.CURRENT: [_object("v1", "ConfigMap")]},
    ("", "Secret"): {Health.CURRENT: [_object("v1", "Secret")]},
    ("policy", "PodDisruptionBudget"): {Health.CURRENT: [_object("policy/v1", "PodDisruptionBudget", {}, {})]},
    ("apiextensions.k8s.io", "CustomResourceDefinition"): {
        Health.CURRENT: [
            _object("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}, _condition("Established", "True"))
        ],
        Health.IN_PROGRESS: [_object("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}, {})],
        Health.FAILED: [
            _object(
                "apiextensions.k8s.io/v1", "CustomResourceDefinition", {},
                _condition("NamesAccepted", "False", message="taken"),
            )
        ],
    },
}  # fmt: skip


def test_every_rule_has_its_objects() -> None:
    assert BODIES.keys() == _RULES.keys()


def _suite(key: tuple[str, str]) -> type[HealthSuite]:
    return type(f"Test{key[1] or 'AnyOther'}", (HealthSuite,), {"rule": _RULES[key], "bodies": BODIES[key]})


globals().update((suite.__name__, suite) for suite in map(_suite, BODIES))
