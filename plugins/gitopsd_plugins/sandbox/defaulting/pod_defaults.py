"""Defaults of pods, alone and in the templates of workloads: policies, probes, volumes, security."""

from __future__ import annotations

from gitopsd_plugins.sandbox.defaulting import filling
from gitopsd_plugins.sandbox.facts.schema import Json


def _pull_policy(image: str) -> str:
    name = image.rpartition("/")[2]
    tag = name.partition("@")[0].partition(":")[2]
    return "Always" if "@" not in image and tag in ("", "latest") else "IfNotPresent"


def _http_get(action: Json) -> Json:
    return filling.with_missing(action, path="/", scheme="HTTP")


def _probe(probe: Json) -> Json:
    probe = filling.with_missing(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    return filling.changed(
        filling.changed(probe, "httpGet", _http_get), "grpc", lambda grpc: filling.with_missing(grpc, service="")
    )


def _handler(handler: Json) -> Json:
    return filling.changed(handler, "httpGet", _http_get)


def _lifecycle(lifecycle: Json) -> Json:
    return filling.changed(filling.changed(lifecycle, "preStop", _handler), "postStart", _handler)


def _requests_from_limits(resources: Json) -> Json:
    limits = resources.get("limits", {})
    missing = {name: value for name, value in limits.items() if name not in resources.get("requests", {})}
    return {**resources, "requests": {**resources.get("requests", {}), **missing}} if missing else resources


def _env(entry: Json) -> Json:
    source = entry.get("valueFrom", {})
    if "fieldRef" not in source or "apiVersion" in source["fieldRef"]:
        return entry
    return {**entry, "valueFrom": {**source, "fieldRef": filling.with_missing(source["fieldRef"], apiVersion="v1")}}


def _container(container: Json) -> Json:
    container = filling.with_missing(
        container,
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy=_pull_policy(container.get("image", "")),
    )
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        container = filling.changed(container, name, _probe)
    container = filling.changed(container, "lifecycle", _lifecycle)
    return filling.changed(container, "env", filling.each(_env))


_MODES = ("configMap", "secret", "downwardAPI", "projected")


def _volume(volume: Json) -> Json:
    if set(volume) == {"name"}:
        return {**volume, "emptyDir": {}}
    for name in _MODES:
        volume = filling.changed(volume, name, lambda source: filling.with_missing(source, defaultMode=420))
    volume = filling.changed(volume, "hostPath", lambda source: filling.with_missing(source, type=""))
    return filling.changed(
        volume, "projected", lambda source: filling.changed(source, "sources", filling.each(_projection))
    )


def _projection(source: Json) -> Json:
    return filling.changed(
        source, "serviceAccountToken", lambda token: filling.with_missing(token, expirationSeconds=3600)
    )


def pod_spec(spec: Json) -> Json:
    """What every pod spec gets."""
    spec = filling.with_missing(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        securityContext={},
        schedulerName="default-scheduler",
    )
    if "serviceAccountName" in spec:
        spec = {**spec, "serviceAccount": spec["serviceAccountName"]}  # the old name follows the new one
    elif "serviceAccount" in spec:
        spec = filling.with_missing(spec, serviceAccountName=spec["serviceAccount"])
    for name in ("containers", "initContainers", "ephemeralContainers"):
        spec = filling.changed(spec, name, filling.each(_container))
    return filling.changed(spec, "volumes", filling.each(_volume))


def pod(spec: Json) -> Json:
    """What a Pod gets and a pod template does not."""
    spec = filling.with_missing(
        spec,
        enableServiceLinks=True,
        preemptionPolicy="PreemptLowerPriority",
        priority=0,
        serviceAccountName="default",
        serviceAccount="default",
    )
    limited = filling.each(lambda container: filling.changed(container, "resources", _requests_from_limits))
    return filling.changed(filling.changed(spec, "containers", limited), "initContainers", limited)


def template(template: Json) -> Json:
    """What a pod template gets."""
    return filling.changed(template, "spec", pod_spec)
