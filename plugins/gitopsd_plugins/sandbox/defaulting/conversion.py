"""Objects in another version of their kind. Custom resources only change their apiVersion; autoscalers change a field.

Only the pair of versions that 1.36 serves side by side is known: HorizontalPodAutoscaler v1 and v2.
"""

from __future__ import annotations

from gitopsd_plugins.sandbox.defaulting import filling
from gitopsd_plugins.sandbox.facts.resources import Resource
from gitopsd_plugins.sandbox.facts.schema import Json


def converted(body: Json, resource: Resource) -> Json:
    """A stored object in the version that `resource` names."""
    if body.get("apiVersion") == resource.api_version:
        return body
    body = {**body, "apiVersion": resource.api_version, "kind": resource.kind}
    if resource.key == ("autoscaling", "horizontalpodautoscalers"):
        return {**body, "spec": _to_v1(body.get("spec", {}))}
    return body


def stored(body: Json, resource: Resource) -> Json:
    """An object of this version as it is kept."""
    if not resource.custom:
        body = filling.hollowed(body, resource.schema)
    if body.get("apiVersion") == resource.stored_api_version:
        return body
    body = {**body, "apiVersion": resource.stored_api_version}
    if resource.key == ("autoscaling", "horizontalpodautoscalers"):
        return {**body, "spec": _to_v2(body.get("spec", {}))}
    return body


def _to_v1(spec: Json) -> Json:
    rest = {name: value for name, value in spec.items() if name not in ("metrics", "behavior")}
    for metric in spec.get("metrics") or ():
        target = (metric.get("resource") or {}).get("target") or {}
        if (metric.get("resource") or {}).get("name") == "cpu" and "averageUtilization" in target:
            rest["targetCPUUtilizationPercentage"] = target["averageUtilization"]
    return rest


def _to_v2(spec: Json) -> Json:
    rest = {name: value for name, value in spec.items() if name != "targetCPUUtilizationPercentage"}
    if "targetCPUUtilizationPercentage" in spec:
        target = {"type": "Utilization", "averageUtilization": spec["targetCPUUtilizationPercentage"]}
        rest["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    return rest
