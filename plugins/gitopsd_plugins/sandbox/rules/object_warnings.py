"""What the API server warns of in an object that it accepts all the same.

It knows where pods are inside of other kinds, and when a change is looked at; sentences are in `pod_warnings.py` and
`services.py`, and `crd_expression_rules.py` tells of rules that the sandbox does not check.
"""

from __future__ import annotations

from collections.abc import Callable

from gitopsd_plugins.sandbox.defaulting import services
from gitopsd_plugins.sandbox.definitions import crd
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.rules import pod_warnings
from gitopsd_plugins.sandbox.storage.store import CollectionKey


def _spec(body: Json) -> tuple[str, Json]:
    return "spec", body.get("spec") or {}


def _template(body: Json) -> tuple[str, Json]:
    template = (body.get("spec") or {}).get("template") or {}
    return "spec.template.spec", template.get("spec") or {}


def _job_template(body: Json) -> tuple[str, Json]:
    job = ((body.get("spec") or {}).get("jobTemplate") or {}).get("spec") or {}
    return "spec.jobTemplate.spec.template.spec", (job.get("template") or {}).get("spec") or {}


_PODS: dict[CollectionKey, Callable[[Json], tuple[str, Json]]] = {
    ("", "pods"): _spec,
    ("apps", "daemonsets"): _template,
    ("apps", "deployments"): _template,
    ("apps", "replicasets"): _template,
    ("apps", "statefulsets"): _template,
    ("batch", "cronjobs"): _job_template,
    ("batch", "jobs"): _template,
}


def _unchecked_rules(definition: Json) -> list[str]:
    # here, because most clusters define nothing, and all should start soon
    from gitopsd_plugins.sandbox.definitions import crd_expression_rules

    return list(crd_expression_rules.unchecked(definition))


def of_new(collection: CollectionKey, body: Json) -> list[str]:
    """The warnings of an object that is created."""
    if collection == crd.COLLECTION:
        return _unchecked_rules(body)
    if collection == ("", "services"):
        return list(services.warnings(body))
    return list(pod_warnings.of(*_PODS[collection](body))) if collection in _PODS else []


def of_change(collection: CollectionKey, live: Json, body: Json) -> list[str]:
    """The warnings of a change; pods are not looked at again where the generation stays."""
    if collection == ("", "services"):
        return list(services.warnings(body))
    if collection == crd.COLLECTION and live["spec"] != body["spec"]:
        return _unchecked_rules(body)
    if collection not in _PODS or collection == ("", "pods"):
        return []
    before, after = (each["metadata"].get("generation") for each in (live, body))
    unchanged = before == after
    if collection == ("apps", "daemonsets"):
        unchanged = live["spec"].get("template") == body["spec"].get("template")
    return [] if unchanged else list(pod_warnings.of(*_PODS[collection](body)))
