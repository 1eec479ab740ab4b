"""Values that the API server fills in: structs that are always there, defaults of schemas, and those of each kind.

Only what an applier meets is here: workloads with their pod templates, Services, Secrets, volumes, policies. `complete`
never changes its argument; parts that need nothing keep their identity, so that applying the same again costs little.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from gitopsd_plugins.sandbox.schema import Json, Schema


def fill(value: Any, schema: Schema) -> Any:
    """`value` with the defaults of its schema, everywhere below."""
    if isinstance(value, list):
        if schema.shape != "list" or schema.element is None or schema.element.shape in ("scalar", "any"):
            return value
        items = [fill(item, schema.element) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    if not isinstance(value, dict) or schema.shape != "map":
        return value
    result = value
    for name, default in schema.defaults.items():
        if name not in result:
            result = {**result, name: _copy(default)}
    for name, item in result.items():
        if isinstance(item, dict | list):
            below = schema.fields.get(name) or schema.element
            if below is not None and (new := fill(item, below)) is not item:
                result = {**result, name: new}
    return result


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copy(item) for name, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _with(value: Json, **defaults: Any) -> Json:
    """`value` with those of `defaults` that it lacks."""
    missing = {name: default for name, default in defaults.items() if name not in value}
    return {**value, **missing} if missing else value


def _change(value: Json, name: str, change: Callable[[Any], Any]) -> Json:
    """`value` with one field changed, where it has it."""
    if name not in value:
        return value
    new = change(value[name])
    return value if new is value[name] else {**value, name: new}


def _each(change: Callable[[Json], Json]) -> Callable[[list[Json]], list[Json]]:
    def changed(items: list[Json]) -> list[Json]:
        result = [change(item) for item in items]
        return items if all(new is old for new, old in zip(result, items, strict=True)) else result

    return changed


# Pods


def _pull_policy(image: str) -> str:
    name = image.rpartition("/")[2]
    tag = name.partition("@")[0].partition(":")[2]
    return "Always" if "@" not in image and tag in ("", "latest") else "IfNotPresent"


def _http_get(action: Json) -> Json:
    return _with(action, path="/", scheme="HTTP")


def _probe(probe: Json) -> Json:
    probe = _with(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    return _change(_change(probe, "httpGet", _http_get), "grpc", lambda grpc: _with(grpc, service=""))


def _handler(handler: Json) -> Json:
    return _change(handler, "httpGet", _http_get)


def _lifecycle(lifecycle: Json) -> Json:
    return _change(_change(lifecycle, "preStop", _handler), "postStart", _handler)


def _requests_from_limits(resources: Json) -> Json:
    limits = resources.get("limits", {})
    missing = {name: value for name, value in limits.items() if name not in resources.get("requests", {})}
    return {**resources, "requests": {**resources.get("requests", {}), **missing}} if missing else resources


def _env(entry: Json) -> Json:
    source = entry.get("valueFrom", {})
    if "fieldRef" not in source or "apiVersion" in source["fieldRef"]:
        return entry
    return {**entry, "valueFrom": {**source, "fieldRef": _with(source["fieldRef"], apiVersion="v1")}}


def _container(container: Json) -> Json:
    container = _with(
        container,
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy=_pull_policy(container.get("image", "")),
    )
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        container = _change(container, name, _probe)
    container = _change(container, "lifecycle", _lifecycle)
    return _change(container, "env", _each(_env))


_MODES = ("configMap", "secret", "downwardAPI", "projected")


def _volume(volume: Json) -> Json:
    if set(volume) == {"name"}:
        return {**volume, "emptyDir": {}}
    for name in _MODES:
        volume = _change(volume, name, lambda source: _with(source, defaultMode=420))
    volume = _change(volume, "hostPath", lambda source: _with(source, type=""))
    return _change(volume, "projected", lambda source: _change(source, "sources", _each(_projection)))


def _projection(source: Json) -> Json:
    return _change(source, "serviceAccountToken", lambda token: _with(token, expirationSeconds=3600))


def _pod_spec(spec: Json) -> Json:
    spec = _with(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        securityContext={},
        schedulerName="default-scheduler",
    )
    if "serviceAccountName" in spec:
        spec = _with(spec, serviceAccount=spec["serviceAccountName"])
    elif "serviceAccount" in spec:
        spec = _with(spec, serviceAccountName=spec["serviceAccount"])
    for name in ("containers", "initContainers", "ephemeralContainers"):
        spec = _change(spec, name, _each(_container))
    return _change(spec, "volumes", _each(_volume))


def _pod_only(spec: Json) -> Json:
    """What a Pod gets and a pod template does not."""
    spec = _with(
        spec,
        enableServiceLinks=True,
        preemptionPolicy="PreemptLowerPriority",
        priority=0,
        serviceAccountName="default",
        serviceAccount="default",
    )
    limited = _each(lambda container: _change(container, "resources", _requests_from_limits))
    return _change(_change(spec, "containers", limited), "initContainers", limited)


def _template(template: Json) -> Json:
    return _change(template, "spec", _pod_spec)


# Kinds


def _deployment(spec: Json) -> Json:
    spec = _with(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    spec = _change(spec, "strategy", _deployment_strategy)
    return _change(spec, "template", _template)


def _deployment_strategy(strategy: Json) -> Json:
    strategy = _with(strategy, type="RollingUpdate")
    if strategy["type"] != "RollingUpdate":
        return strategy
    strategy = _with(strategy, rollingUpdate={})
    return _change(strategy, "rollingUpdate", lambda value: _with(value, maxUnavailable="25%", maxSurge="25%"))


def _daemon_set(spec: Json) -> Json:
    spec = _change(_with(spec, revisionHistoryLimit=10), "updateStrategy", _daemon_strategy)
    return _change(spec, "template", _template)


def _daemon_strategy(strategy: Json) -> Json:
    strategy = _with(strategy, type="RollingUpdate")
    if strategy["type"] != "RollingUpdate":
        return strategy
    strategy = _with(strategy, rollingUpdate={})
    return _change(strategy, "rollingUpdate", lambda value: _with(value, maxUnavailable=1, maxSurge=0))


def _stateful_set(spec: Json) -> Json:
    spec = _with(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady", serviceName="")
    spec = _with(spec, persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain", "whenScaled": "Retain"})
    spec = _change(spec, "updateStrategy", _stateful_strategy)
    spec = _change(spec, "volumeClaimTemplates", _each(_claim_template))
    return _change(spec, "template", _template)


def _stateful_strategy(strategy: Json) -> Json:
    strategy = _with(strategy, type="RollingUpdate")
    if strategy["type"] != "RollingUpdate":
        return strategy
    return _change(_with(strategy, rollingUpdate={}), "rollingUpdate", lambda value: _with(value, partition=0))


def _claim_template(claim: Json) -> Json:
    claim = _with(claim, apiVersion="v1", kind="PersistentVolumeClaim", status={"phase": "Pending"})
    claim = _change(claim, "status", lambda status: _with(status, phase="Pending"))
    return _change(claim, "spec", lambda spec: _with(spec, volumeMode="Filesystem"))


def _replica_set(spec: Json) -> Json:
    return _change(_with(spec, replicas=1), "template", _template)


def _job(spec: Json) -> Json:
    both_absent = "completions" not in spec and "parallelism" not in spec
    spec = _with(spec, parallelism=1, backoffLimit=6, completionMode="NonIndexed", suspend=False, manualSelector=False)
    spec = _with(spec, podReplacementPolicy="TerminatingOrFailed")
    if both_absent:
        spec = _with(spec, completions=1)
    return _change(spec, "template", _template)


def _cron_job(spec: Json) -> Json:
    spec = _with(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    return _change(
        spec, "jobTemplate", lambda job: _change(job, "spec", lambda inner: _change(inner, "template", _template))
    )


def _service(spec: Json) -> Json:
    spec = _with(spec, type="ClusterIP", sessionAffinity="None")
    spec = _change(spec, "ports", _each(_service_port))
    if spec["type"] != "ExternalName":
        spec = _with(spec, internalTrafficPolicy="Cluster")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        spec = _with(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        spec = _with(spec, allocateLoadBalancerNodePorts=True)
    return spec


def _service_port(port: Json) -> Json:
    port = _with(port, protocol="TCP")
    return _with(port, targetPort=port["port"]) if "port" in port else port


def _claim(spec: Json) -> Json:
    return _with(spec, volumeMode="Filesystem")


def _volume_spec(spec: Json) -> Json:
    return _with(spec, persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem")


def _network_policy(spec: Json) -> Json:
    spec = _with(spec, policyTypes=["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    port = _each(lambda rule: _change(rule, "ports", _each(lambda entry: _with(entry, protocol="TCP"))))
    return _change(_change(spec, "ingress", port), "egress", port)


def _autoscaler(spec: Json) -> Json:
    return _with(spec, minReplicas=1)


_SPECS: dict[str, Callable[[Json], Json]] = {
    "v1/Pod": lambda spec: _pod_only(_pod_spec(spec)),
    "v1/PersistentVolume": _volume_spec,
    "v1/PersistentVolumeClaim": _claim,
    "v1/ReplicationController": _replica_set,
    "v1/Service": _service,
    "apps/v1/DaemonSet": _daemon_set,
    "apps/v1/Deployment": _deployment,
    "apps/v1/ReplicaSet": _replica_set,
    "apps/v1/StatefulSet": _stateful_set,
    "autoscaling/v1/HorizontalPodAutoscaler": _autoscaler,
    "autoscaling/v2/HorizontalPodAutoscaler": _autoscaler,
    "batch/v1/CronJob": _cron_job,
    "batch/v1/Job": _job,
    "networking.k8s.io/v1/NetworkPolicy": _network_policy,
}


def _secret(body: Json) -> Json:
    text = body.get("stringData")
    if text:
        data = {**body.get("data", {}), **{name: b64encode(value.encode()).decode() for name, value in text.items()}}
        body = {name: value for name, value in body.items() if name != "stringData"} | {"data": data}
    elif "stringData" in body:
        body = {name: value for name, value in body.items() if name != "stringData"}
    return _with(body, type="Opaque")


def _role_binding(body: Json) -> Json:
    body = _change(body, "roleRef", lambda ref: _with(ref, apiGroup="rbac.authorization.k8s.io"))
    return _change(body, "subjects", _each(_subject))


def _subject(subject: Json) -> Json:
    group = "" if subject.get("kind") == "ServiceAccount" else "rbac.authorization.k8s.io"
    return _with(subject, apiGroup=group) if group else subject


def _storage_class(body: Json) -> Json:
    return _with(body, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _webhooks(body: Json) -> Json:
    return _change(body, "webhooks", _each(_webhook))


def _webhook(hook: Json) -> Json:
    hook = _with(
        hook, failurePolicy="Fail", matchPolicy="Equivalent", timeoutSeconds=10, namespaceSelector={}, objectSelector={}
    )
    hook = _change(
        hook, "clientConfig", lambda config: _change(config, "service", lambda service: _with(service, port=443))
    )
    return _change(hook, "rules", _each(lambda rule: _with(rule, scope="*")))


def _mutating_webhooks(body: Json) -> Json:
    return _change(_webhooks(body), "webhooks", _each(lambda hook: _with(hook, reinvocationPolicy="Never")))


def _priority_class(body: Json) -> Json:
    return _with(body, preemptionPolicy="PreemptLowerPriority")


_BODIES: dict[str, Callable[[Json], Json]] = {
    "v1/Secret": _secret,
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
    filled: Json = fill(body, schema)
    if change := _BODIES.get(kind):
        filled = change(filled)
    if change := _SPECS.get(kind):
        filled = _change(filled, "spec", change)
    return filled


@lru_cache(maxsize=256)
def skeleton(schema: Schema) -> Json:
    """An object of this type with nothing in it but what Go always writes: plain structs and required lists.

    Fields are compared with it to see what a create adds. Not to be changed.
    """
    return _bare(schema)


def _bare(schema: Schema) -> Json:
    result: Json = {}
    for name, below in schema.fields.items():
        if schema.defaults.get(name) == {}:
            result[name] = _bare(below)
        elif name in schema.required and below.shape == "list" and below.keys:
            result[name] = []
    return result
