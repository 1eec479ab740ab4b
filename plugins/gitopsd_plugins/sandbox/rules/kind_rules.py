"""Rules of built-in kinds whose breach an applier meets: pod templates, selectors, ports, data, references.

Each sees a whole object after its defaults and says what is wrong. What may not change is in `immutability.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gitopsd_plugins.sandbox.defaulting import services
from gitopsd_plugins.sandbox.facts import names
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import causes
from gitopsd_plugins.sandbox.requests.status import Cause
from gitopsd_plugins.sandbox.rules import binding_rules, ingress_rules, job_rules, label_rules, pod_rules, slice_rules
from gitopsd_plugins.sandbox.views import selectors

Rule = Callable[[Json], Iterator[Cause]]

DATA_LIMIT = 1024 * 1024


def _workload(body: Json) -> Iterator[Cause]:
    """Selector, template and replicas of the kinds that have them."""
    spec = body["spec"]
    yield from _positive(spec, "replicas", "minReadySeconds")
    yield from _selector(body)
    yield from label_rules.of_template(spec["template"], "spec.template")
    yield from pod_rules.spec_of(spec["template"].get("spec") or {}, "spec.template.spec")
    policy = (spec["template"].get("spec") or {}).get("restartPolicy", "Always")
    if policy != "Always":
        yield causes.unsupported("spec.template.spec.restartPolicy", policy, ("Always",))


def _positive(spec: Json, *fields: str) -> Iterator[Cause]:
    for field in fields:
        if spec.get(field, 0) < 0:
            yield causes.wrong(f"spec.{field}", spec[field], "must be greater than or equal to 0")


def _selector(body: Json) -> Iterator[Cause]:
    """The selector of a workload, which must be there (in DaemonSets only by what follows from it), be valid, and fit its template."""
    kind, selector = body["kind"], body["spec"].get("selector")
    labels = (body["spec"]["template"].get("metadata") or {}).get("labels")
    if selector is None and kind != "DaemonSet":
        yield causes.required("spec.selector")
    elif selector is not None and not selector:
        yield causes.wrong("spec.selector", {}, f"empty selector is invalid for {kind.lower()}")
    if broken := list(label_rules.of_selector(selector or {}, "spec.selector")):
        yield from broken
        if kind != "DaemonSet":
            told = "" if kind == "StatefulSet" else ": invalid label selector"
            shown = f"Invalid value: {causes.in_order(selector)}{told}"
            yield Cause("spec.selector", "FieldValueInvalid", shown)
    elif selector is None or not selectors.matches(selector, labels or {}):
        yield causes.wrong("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")


def _deployment(body: Json) -> Iterator[Cause]:
    yield from _workload(body)
    yield from _positive(body["spec"], "revisionHistoryLimit", "progressDeadlineSeconds")
    deadline = body["spec"].get("progressDeadlineSeconds", 600)
    if deadline <= body["spec"].get("minReadySeconds", 0):
        yield causes.wrong("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")
    strategy = body["spec"]["strategy"]
    if strategy["type"] not in ("Recreate", "RollingUpdate"):
        shown = {"Type": strategy["type"], "RollingUpdate": strategy.get("rollingUpdate")}
        yield causes.unsupported("spec.strategy", shown, ("Recreate", "RollingUpdate"), ordered=True)
    elif strategy["type"] == "Recreate" and strategy.get("rollingUpdate") is not None:
        why = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        yield Cause("spec.strategy.rollingUpdate", "FieldValueForbidden", why)


def _pod(body: Json) -> Iterator[Cause]:
    yield from pod_rules.spec_of(body["spec"], "spec")


def _data(body: Json) -> Iterator[Cause]:
    for field in ("data", "binaryData"):
        for key in body.get(field) or ():
            if why := names.data_key(key):
                yield causes.wrong(f"{field}[{key}]", key, why)
    size = sum(len(value) for field in ("data", "binaryData") for value in (body.get(field) or {}).values())
    if size > DATA_LIMIT:
        yield Cause("", "FieldValueTooLong", f"Too long: may not be more than {DATA_LIMIT} bytes")


def _claim(body: Json) -> Iterator[Cause]:
    yield from _claim_spec(body["spec"], "spec")


def _claim_spec(spec: Json, path: str) -> Iterator[Cause]:
    if not spec.get("accessModes"):
        yield causes.required(f"{path}.accessModes", "at least 1 access mode is required")
    if "storage" not in ((spec.get("resources") or {}).get("requests") or {}):
        yield causes.required(f"{path}.resources[storage]")


def _stateful_set(body: Json) -> Iterator[Cause]:
    yield from _workload(_with_claims(body))
    strategy = body["spec"].get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete" and strategy.get("rollingUpdate") is not None:
        held = strategy["rollingUpdate"]
        shown = {"Partition": held.get("partition", 0), "MaxUnavailable": held.get("maxUnavailable")}
        message = f"Invalid value: {causes.in_order(shown)}: only allowed for updateStrategy 'RollingUpdate'"
        yield Cause("spec.updateStrategy.rollingUpdate", "FieldValueInvalid", message)
    for index, claim in enumerate(body["spec"].get("volumeClaimTemplates") or ()):
        yield from _claim_spec(claim.get("spec") or {}, f"spec.volumeClaimTemplates[{index}].spec")


def _daemon_set(body: Json) -> Iterator[Cause]:
    yield from _workload(body)
    yield from _positive(body["spec"], "revisionHistoryLimit")


def _with_claims(body: Json) -> Json:
    """A StatefulSet with its claims among the volumes of its pods, as they are judged and mounted; they hide volumes of their name."""
    names_of = {
        (claim.get("metadata") or {}).get("name", "") for claim in body["spec"].get("volumeClaimTemplates") or ()
    }
    template = body["spec"]["template"]
    kept = [each for each in template["spec"].get("volumes") or () if each.get("name", "") not in names_of]
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in sorted(names_of)] + kept
    pods = {**template, "spec": {**template["spec"], "volumes": volumes}}
    return {**body, "spec": {**body["spec"], "template": pods}}


def _role(body: Json) -> Iterator[Cause]:
    yield from _rules(body, namespaced=True)


def _cluster_role(body: Json) -> Iterator[Cause]:
    yield from _rules(body, namespaced=False)


def _rules(body: Json, *, namespaced: bool) -> Iterator[Cause]:
    for index, rule in enumerate(body.get("rules") or ()):
        path = f"rules[{index}]"
        if not rule.get("verbs"):
            yield causes.required(f"{path}.verbs", "verbs must contain at least one value")
        if urls := rule.get("nonResourceURLs"):
            if namespaced:
                why = "namespaced rules cannot apply to non-resource URLs"
                yield causes.wrong(f"{path}.nonResourceURLs", urls, why)
            if any(rule.get(name) for name in ("apiGroups", "resources", "resourceNames")):
                why = "rules cannot apply to both regular resources and non-resource URLs"
                yield causes.wrong(f"{path}.nonResourceURLs", urls, why)
            continue
        for name, one in (("apiGroups", "api group"), ("resources", "resource")):
            if not rule.get(name):
                yield causes.required(f"{path}.{name}", f"resource rules must supply at least one {one}")


SOURCES = ("ContainerResource", "External", "Object", "Pods", "Resource")
TARGETS = ("Utilization", "Value", "AverageValue")


def _autoscaler(body: Json) -> Iterator[Cause]:
    target = body["spec"].get("scaleTargetRef") or {}
    version = target.get("apiVersion", "")
    if "/" not in version and target.get("kind") != "ReplicationController":
        why = "apiVersion must specify API group"
        yield causes.wrong("spec.scaleTargetRef.apiVersion", version, why)
    most, least = body["spec"].get("maxReplicas", 0), body["spec"].get("minReplicas", 1)
    if most == 0:
        yield causes.required("spec.maxReplicas", "must be set and greater than 0")
    elif most < 0:
        yield causes.wrong("spec.maxReplicas", most, "must be greater than 0")
    if most < least:
        yield causes.wrong("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    for name in ("kind", "name"):
        if not target.get(name):
            yield causes.required(f"spec.scaleTargetRef.{name}")
    for index, metric in enumerate(body["spec"].get("metrics") or ()):
        yield from _metric(metric, f"spec.metrics[{index}]")


def _metric(metric: Json, path: str) -> Iterator[Cause]:
    wanted = (metric.get("resource") or {}).get("target") or {}
    if not metric.get("type"):
        yield causes.required(f"{path}.type", "must specify a metric source type")
    if metric.get("type") not in SOURCES:
        yield causes.unsupported(f"{path}.type", metric.get("type", ""), SOURCES)
    field = f"{path}.resource.target.type"
    if metric.get("type") == "Resource" and not wanted.get("type"):
        yield causes.required(field, "must specify a metric target type")
    if metric.get("type") == "Resource" and wanted.get("type") not in TARGETS:
        why = "must be either Utilization, Value, or AverageValue"
        yield causes.wrong(field, wanted.get("type", ""), why)
    if metric.get("type") == "Resource" and not {"averageValue", "averageUtilization"} & set(wanted):
        why = "must set either a target raw value or a target utilization"
        yield causes.required(f"{path}.resource.target.averageUtilization", why)
    if "averageValue" in wanted and "averageUtilization" in wanted:
        why = "Forbidden: may not set both a target raw value and a target utilization"
        yield Cause(f"{path}.resource.target.averageValue", "FieldValueForbidden", why)


def _storage_class(body: Json) -> Iterator[Cause]:
    provisioner = body.get("provisioner") or ""
    if not provisioner:
        yield causes.required("provisioner")
    elif why := names.qualified(provisioner.lower()):
        yield causes.wrong("provisioner", provisioner.lower(), why)
    for field, known in (("reclaimPolicy", _RECLAIMED), ("volumeBindingMode", _BOUND)):
        if body.get(field, known[0]) not in known:
            yield causes.unsupported(field, body[field], known)
    if "" in (body.get("parameters") or ()):
        yield causes.wrong("parameters", "", "field can not be empty.")


_RECLAIMED = ("Delete", "Retain")
_BOUND = ("Immediate", "WaitForFirstConsumer")


def _definition(body: Json) -> Iterator[Cause]:
    # here, because most clusters define nothing, and all should start soon
    from gitopsd_plugins.sandbox.definitions import crd_schema_rules

    spec = body["spec"]
    group, names_, versions = spec.get("group", ""), spec.get("names") or {}, spec.get("versions") or []
    expected = f"{names_.get('plural', '')}.{group}"
    if body["metadata"].get("name") != expected:
        yield causes.wrong("metadata.name", body["metadata"].get("name"), 'must be spec.names.plural+"."+spec.group')
    for path, value in (
        ("group", group),
        ("names.plural", names_.get("plural")),
        ("names.kind", names_.get("kind")),
        ("versions", versions),
    ):
        if not value:
            yield causes.required(f"spec.{path}")
    if group and "." not in group:
        yield causes.wrong("spec.group", group, "should be a domain with at least one dot")
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        yield causes.unsupported("spec.scope", spec.get("scope", ""), ("Cluster", "Namespaced"))
    if versions and sum(bool(each.get("storage")) for each in versions) != 1:
        yield causes.wrong("spec.versions", versions, "must have exactly one version marked as storage version")
    for index, version in enumerate(versions):
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            yield causes.required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required")
            continue
        where = f"versions[{index}].schema" if len(versions) > 1 else "validation"
        yield from crd_schema_rules.of_root(schema, f"spec.{where}.openAPIV3Schema")


COUNTS = ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")


def _counts(available: str) -> Rule:
    """The numbers of a workload's status, which may not exceed one another."""

    def check(body: Json) -> Iterator[Cause]:
        status = body.get("status") or {}
        for name in ("replicas", *COUNTS, "observedGeneration", "unavailableReplicas"):
            if status.get(name, 0) < 0:
                yield causes.wrong(f"status.{name}", status[name], "must be greater than or equal to 0")
        for name in COUNTS:
            if status.get(name, 0) > status.get("replicas", 0):
                yield causes.wrong(f"status.{name}", status[name], "cannot be greater than status.replicas")
        if status.get("availableReplicas", 0) > status.get("readyReplicas", 0):
            why = f"cannot be greater than {available}"
            yield causes.wrong("status.availableReplicas", status["availableReplicas"], why)

    return check


def _service_status(body: Json) -> Iterator[Cause]:
    balanced = ((body.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    if balanced and body["spec"]["type"] != "LoadBalancer":
        why = "Forbidden: may only be used when `spec.type` is 'LoadBalancer'"
        yield Cause("status.loadBalancer.ingress", "FieldValueForbidden", why)


_RBAC = "rbac.authorization.k8s.io"

OF: dict[tuple[str, str], Rule] = {
    ("", "configmaps"): _data,
    ("", "secrets"): _data,
    ("", "services"): services.rules,
    ("", "pods"): _pod,
    ("", "persistentvolumeclaims"): _claim,
    ("apiextensions.k8s.io", "customresourcedefinitions"): _definition,
    ("apps", "deployments"): _deployment,
    ("apps", "replicasets"): _workload,
    ("apps", "statefulsets"): _stateful_set,
    ("autoscaling", "horizontalpodautoscalers"): _autoscaler,
    ("apps", "daemonsets"): _daemon_set,
    ("batch", "jobs"): job_rules.of_job,
    ("batch", "cronjobs"): job_rules.of_cron_job,
    ("discovery.k8s.io", "endpointslices"): slice_rules.of,
    ("storage.k8s.io", "storageclasses"): _storage_class,
    ("networking.k8s.io", "ingresses"): ingress_rules.of,
    (_RBAC, "clusterroles"): _cluster_role,
    (_RBAC, "rolebindings"): binding_rules.of_role,
    (_RBAC, "roles"): _role,
    (_RBAC, "clusterrolebindings"): binding_rules.of_cluster_role,
}
"""The rule of a collection."""

OF_STATUS: dict[tuple[str, str], Rule] = {
    ("", "services"): _service_status,
    ("apps", "deployments"): _counts("readyReplicas"),
    ("apps", "replicasets"): _counts("readyReplicas"),
    ("apps", "statefulsets"): _counts("status.readyReplicas"),
}
"""The rule of a collection's status."""
