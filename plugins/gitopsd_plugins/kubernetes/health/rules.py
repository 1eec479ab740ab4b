"""The table of health rules. Each gives the whole verdict: what holds for every kind comes first, then the kind's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gitopsd.plugin import Body, HealthRule, Verdict
from gitopsd_plugins.kubernetes.health import definitions, generic, jobs, pods, secrets, services, workloads


@dataclass(slots=True)
class KindRule:
    """The rule of one kind; group and kind '' stand for all kinds that have none of their own."""

    group: str
    kind: str
    own: Callable[[Body], Verdict]

    def assess(self, body: Body) -> Verdict:
        """The object's health."""
        return generic.before(body) or self.own(body)


ALL: tuple[HealthRule, ...] = (
    KindRule("", "", generic.fallback),
    KindRule("apps", "Deployment", workloads.deployment),
    KindRule("apps", "StatefulSet", workloads.stateful_set),
    KindRule("apps", "DaemonSet", workloads.daemon_set),
    KindRule("apps", "ReplicaSet", workloads.replica_set),
    KindRule("", "Pod", pods.pod),
    KindRule("batch", "Job", jobs.job),
    KindRule("batch", "CronJob", jobs.cron_job),
    KindRule("", "Service", services.service),
    KindRule("", "PersistentVolumeClaim", services.volume_claim),
    KindRule("", "ConfigMap", services.always),
    KindRule("", "Secret", services.always),
    KindRule("policy", "PodDisruptionBudget", services.always),
    KindRule("apiextensions.k8s.io", "CustomResourceDefinition", definitions.custom_resource_definition),
    KindRule("bitnami.com", "SealedSecret", secrets.sealed_secret),
    *(
        KindRule("external-secrets.io", kind, secrets.external_secret)
        for kind in ("ExternalSecret", "ClusterExternalSecret", "PushSecret", "SecretStore", "ClusterSecretStore")
    ),
)
