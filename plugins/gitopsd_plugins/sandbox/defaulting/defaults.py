"""Values that the API server fills into objects of each built-in kind.

Only what an applier meets is here: workloads, Services, Secrets, volumes, policies. What schemas say themselves is filled
in by `filling.py`, pods by `pod_defaults.py`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

from gitopsd_plugins.sandbox.defaulting import filling, pod_defaults
from gitopsd_plugins.sandbox.facts.schema import Json, Schema


def _deployment(spec: Json) -> Json:
    spec = filling.with_missing(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    spec = filling.changed(spec, "strategy", _deployment_strategy)
    return filling.changed(spec, "template", pod_defaults.template)


def _deployment_strategy(strategy: Json) -> Json:
    strategy = filling.with_missing(strategy, type="RollingUpdate")
    if strategy["type"] != "RollingUpdate":
        return strategy
    strategy = filling.with_missing(strategy, rollingUpdate={})
    return filling.changed(
        strategy, "rollingUpdate", lambda value: filling.with_missing(value, maxUnavailable="25%", maxSurge="25%")
    )


def _daemon_set(spec: Json) -> Json:
    spec = filling.changed(filling.with_missing(spec, revisionHistoryLimit=10), "updateStrategy", _daemon_strategy)
    return filling.changed(spec, "template", pod_defaults.template)


def _daemon_strategy(strategy: Json) -> Json:
    strategy = filling.with_missing(strategy, type="RollingUpdate")
    rolls = strategy["type"] == "RollingUpdate"
    if rolls:
        strategy = filling.with_missing(strategy, rollingUpdate={})
    defaults = {"maxUnavailable": 1 if rolls else 0, "maxSurge": 0}
    return filling.changed(strategy, "rollingUpdate", lambda value: filling.with_missing(value, **defaults))


def _stateful_set(spec: Json) -> Json:
    spec = filling.with_missing(
        spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady", serviceName=""
    )
    spec = filling.with_missing(
        spec, persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain", "whenScaled": "Retain"}
    )
    spec = filling.changed(spec, "updateStrategy", _stateful_strategy)
    spec = filling.changed(spec, "volumeClaimTemplates", filling.each(_claim_template))
    return filling.changed(spec, "template", pod_defaults.template)


def _stateful_strategy(strategy: Json) -> Json:
    if "type" not in strategy:
        strategy = filling.with_missing(strategy, type="RollingUpdate", rollingUpdate={})
    if strategy["type"] != "RollingUpdate":
        return strategy
    return filling.changed(strategy, "rollingUpdate", lambda value: filling.with_missing(value, partition=0))


def _claim_template(claim: Json) -> Json:
    claim = filling.with_missing(claim, apiVersion="v1", kind="PersistentVolumeClaim", status={"phase": "Pending"})
    claim = filling.changed(claim, "status", lambda status: filling.with_missing(status, phase="Pending"))
    return filling.changed(claim, "spec", lambda spec: filling.with_missing(spec, volumeMode="Filesystem"))


def _replica_set(spec: Json) -> Json:
    return filling.changed(filling.with_missing(spec, replicas=1), "template", pod_defaults.template)


def _job(spec: Json) -> Json:
    both_absent = "completions" not in spec and "parallelism" not in spec
    spec = filling.with_missing(
        spec, parallelism=1, backoffLimit=6, completionMode="NonIndexed", suspend=False, manualSelector=False
    )
    spec = filling.with_missing(spec, podReplacementPolicy="TerminatingOrFailed")
    if both_absent:
        spec = filling.with_missing(spec, completions=1)
    return filling.changed(spec, "template", pod_defaults.template)


def _cron_job(spec: Json) -> Json:
    spec = filling.with_missing(
        spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1
    )
    return filling.changed(
        spec,
        "jobTemplate",
        lambda job: filling.changed(
            job, "spec", lambda inner: filling.changed(inner, "template", pod_defaults.template)
        ),
    )


def _service(spec: Json) -> Json:
    spec = filling.with_missing(spec, type="ClusterIP", sessionAffinity="None")
    spec = filling.changed(spec, "ports", filling.each(_service_port))
    if spec["type"] != "ExternalName":
        spec = filling.with_missing(spec, internalTrafficPolicy="Cluster")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        spec = filling.with_missing(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        spec = filling.with_missing(spec, allocateLoadBalancerNodePorts=True)
    if spec["sessionAffinity"] == "ClientIP":
        config = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        if config.get("timeoutSeconds") is None:
            spec = {**spec, "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}}
    elif spec["sessionAffinity"] == "None" and "sessionAffinityConfig" in spec:
        spec = {name: value for name, value in spec.items() if name != "sessionAffinityConfig"}
    return spec


def _service_status(status: Json) -> Json:
    def moded(ingress: Json) -> Json:
        return filling.with_missing(ingress, ipMode="VIP") if ingress.get("ip") else ingress

    change = filling.each(moded)
    return filling.changed(status, "loadBalancer", lambda balancer: filling.changed(balancer, "ingress", change))


def _service_port(port: Json) -> Json:
    port = filling.with_missing(port, protocol="TCP")
    return filling.with_missing(port, targetPort=port["port"]) if "port" in port else port


def _claim(spec: Json) -> Json:
    return filling.with_missing(spec, volumeMode="Filesystem")


def _volume_spec(spec: Json) -> Json:
    return filling.with_missing(spec, persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem")


def _network_policy(spec: Json) -> Json:
    spec = filling.with_missing(spec, policyTypes=["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    port = filling.each(
        lambda rule: filling.changed(
            rule, "ports", filling.each(lambda entry: filling.with_missing(entry, protocol="TCP"))
        )
    )
    return filling.changed(filling.changed(spec, "ingress", port), "egress", port)


def _autoscaler(spec: Json) -> Json:
    return filling.with_missing(spec, minReplicas=1)


CPU_AT_80: Json = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}
BY_PERCENT: Json = {"type": "Percent", "value": 100, "periodSeconds": 15}
UP: Json = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, BY_PERCENT],
}
DOWN: Json = {"selectPolicy": "Max", "policies": [BY_PERCENT]}


def _autoscaler_v2(spec: Json) -> Json:
    spec = filling.with_missing(spec, minReplicas=1)
    if not spec.get("metrics"):
        spec = {**spec, "metrics": [CPU_AT_80]}

    def rules(behavior: Json) -> Json:
        return {
            **behavior,
            "scaleUp": {**UP, **behavior.get("scaleUp", {})},
            "scaleDown": {**DOWN, **behavior.get("scaleDown", {})},
        }

    return filling.changed(spec, "behavior", rules)


def _limit_range(spec: Json) -> Json:
    return filling.changed(spec, "limits", filling.each(_limit))


def _limit(limit: Json) -> Json:
    if limit.get("type") != "Container":
        return limit
    default = {**limit.get("max", {}), **limit.get("default", {})}
    request = {**limit.get("min", {}), **default, **limit.get("defaultRequest", {})}
    found = {name: value for name, value in (("default", default), ("defaultRequest", request)) if value}
    return {**limit, **found}


def _secret(body: Json) -> Json:
    text = body.get("stringData")
    if text:
        data = {**body.get("data", {}), **{name: b64encode(value.encode()).decode() for name, value in text.items()}}
        body = {name: value for name, value in body.items() if name != "stringData"} | {"data": data}
    elif "stringData" in body:
        body = {name: value for name, value in body.items() if name != "stringData"}
    return filling.with_missing(body, type="Opaque")


def _role_binding(body: Json) -> Json:
    body = filling.changed(body, "roleRef", lambda ref: filling.with_missing(ref, apiGroup="rbac.authorization.k8s.io"))
    return filling.changed(body, "subjects", filling.each(_subject))


def _subject(subject: Json) -> Json:
    group = "" if subject.get("kind") == "ServiceAccount" else "rbac.authorization.k8s.io"
    return filling.with_missing(subject, apiGroup=group) if group else subject


def _storage_class(body: Json) -> Json:
    return filling.with_missing(body, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _webhooks(body: Json) -> Json:
    return filling.changed(body, "webhooks", filling.each(_webhook))


def _webhook(hook: Json) -> Json:
    hook = filling.with_missing(
        hook, failurePolicy="Fail", matchPolicy="Equivalent", timeoutSeconds=10, namespaceSelector={}, objectSelector={}
    )
    hook = filling.changed(
        hook,
        "clientConfig",
        lambda config: filling.changed(config, "service", lambda service: filling.with_missing(service, port=443)),
    )
    return filling.changed(hook, "rules", filling.each(lambda rule: filling.with_missing(rule, scope="*")))


def _mutating_webhooks(body: Json) -> Json:
    return filling.changed(
        _webhooks(body), "webhooks", filling.each(lambda hook: filling.with_missing(hook, reinvocationPolicy="Never"))
    )


def _namespace(body: Json) -> Json:
    metadata = body["metadata"]
    labels = {**metadata.get("labels", {}), "kubernetes.io/metadata.name": metadata.get("name", "")}
    return body if labels == metadata.get("labels") else {**body, "metadata": {**metadata, "labels": labels}}


def _job_body(body: Json) -> Json:
    labels = ((body["spec"].get("template") or {}).get("metadata") or {}).get("labels")
    if not labels or body["metadata"].get("labels"):
        return body
    return {**body, "metadata": {**body["metadata"], "labels": labels}}


def _pending(body: Json) -> Json:
    return filling.changed(body, "status", lambda status: filling.with_missing(status, phase="Pending"))


def _slice_body(body: Json) -> Json:
    port = filling.each(lambda entry: filling.with_missing(entry, name="", protocol="TCP"))
    return filling.changed(body, "ports", port) if body.get("ports") else body


def _daemon_set_body(body: Json) -> Json:
    metadata = body["metadata"]
    annotations = filling.with_missing(
        metadata.get("annotations", {}), **{"deprecated.daemonset.template.generation": "0"}
    )
    return (
        body
        if annotations is metadata.get("annotations")
        else {**body, "metadata": {**metadata, "annotations": annotations}}
    )


def _definition(spec: Json) -> Json:
    names = spec.get("names") or {}
    kind = names.get("kind", "")
    spec = {**spec, "names": filling.with_missing(names, singular=kind.lower(), listKind=f"{kind}List")}
    return filling.with_missing(spec, conversion={"strategy": "None"})


def _priority_class(body: Json) -> Json:
    return filling.with_missing(body, preemptionPolicy="PreemptLowerPriority")


_SPECS: dict[str, Callable[[Json], Json]] = {
    "v1/Pod": lambda spec: pod_defaults.pod(pod_defaults.pod_spec(spec)),
    "v1/PersistentVolume": _volume_spec,
    "v1/PersistentVolumeClaim": _claim,
    "v1/ReplicationController": _replica_set,
    "v1/LimitRange": _limit_range,
    "v1/Service": _service,
    "apiextensions.k8s.io/v1/CustomResourceDefinition": _definition,
    "apps/v1/DaemonSet": _daemon_set,
    "apps/v1/Deployment": _deployment,
    "apps/v1/ReplicaSet": _replica_set,
    "apps/v1/StatefulSet": _stateful_set,
    "autoscaling/v1/HorizontalPodAutoscaler": _autoscaler,
    "autoscaling/v2/HorizontalPodAutoscaler": _autoscaler_v2,
    "batch/v1/CronJob": _cron_job,
    "batch/v1/Job": _job,
    "networking.k8s.io/v1/NetworkPolicy": _network_policy,
}


def _service_body(body: Json) -> Json:
    return filling.changed(body, "status", _service_status)


_BODIES: dict[str, Callable[[Json], Json]] = {
    "v1/Namespace": _namespace,
    "v1/PersistentVolume": _pending,
    "v1/PersistentVolumeClaim": _pending,
    "v1/Secret": _secret,
    "v1/Service": _service_body,
    "apps/v1/DaemonSet": _daemon_set_body,
    "batch/v1/Job": _job_body,
    "discovery.k8s.io/v1/EndpointSlice": _slice_body,
    "admissionregistration.k8s.io/v1/MutatingWebhookConfiguration": _mutating_webhooks,
    "admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration": _webhooks,
    "rbac.authorization.k8s.io/v1/ClusterRoleBinding": _role_binding,
    "rbac.authorization.k8s.io/v1/RoleBinding": _role_binding,
    "scheduling.k8s.io/v1/PriorityClass": _priority_class,
    "storage.k8s.io/v1/StorageClass": _storage_class,
}


def complete(body: Json, schema: Schema) -> Json:
    """A built-in object with all its defaults."""
    kind = f"{body['apiVersion']}/{body['kind']}"
    filled: Json = filling.fill(body, schema)
    if change := _BODIES.get(kind):
        filled = change(filled)
    if change := _SPECS.get(kind):
        filled = filling.changed(filled, "spec", change)
    zeroed: Json = filling.zeroed(filled, schema)
    return zeroed
