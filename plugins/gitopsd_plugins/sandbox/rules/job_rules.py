"""What is wrong with Jobs and CronJobs, and with a change of a Job.

It sees whole objects after their defaults, with the selector and labels that the server gave them.
"""

from __future__ import annotations

from collections.abc import Iterator

from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import causes
from gitopsd_plugins.sandbox.requests.status import Cause
from gitopsd_plugins.sandbox.rules import label_rules, pod_rules, schedules
from gitopsd_plugins.sandbox.views import selectors

_COUNTS = (
    "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished", "backoffLimitPerIndex",
    "maxFailedIndexes",
)  # fmt: skip
_MODES = ("NonIndexed", "Indexed")
_ONCE = ("OnFailure", "Never")


def of_job(body: Json) -> Iterator[Cause]:
    """What is wrong with a Job."""
    if body["spec"].get("selector") is not None and not body["spec"].get("manualSelector"):
        yield from _tied(body)
    yield from _of_spec(body["spec"])


def _of_spec(spec: Json) -> Iterator[Cause]:
    """What is wrong with the spec of a Job; on a change the server says it twice."""
    labels = (spec["template"].get("metadata") or {}).get("labels")
    yield from _job_spec(spec, "spec")
    if spec.get("selector") is None:
        yield causes.required("spec.selector")
    if spec.get("selector") is None or not selectors.matches(spec["selector"], labels or {}):
        yield causes.wrong("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")


def _tied(body: Json) -> Iterator[Cause]:
    """The labels that tie pods to their Job, which the server made and nobody may take away."""
    labels = (body["spec"]["template"].get("metadata") or {}).get("labels") or {}
    uid, name = body["metadata"]["uid"], body["metadata"].get("name", "")
    for prefix in ("", "batch.kubernetes.io/"):
        for key, value in ((f"{prefix}controller-uid", uid), (f"{prefix}job-name", name)):
            field, why = f"spec.template.metadata.labels[{key}]", f"must be '{value}'"
            if key not in labels:
                yield causes.required(field, why)
            elif labels[key] != value:
                yield causes.wrong(field, labels, why)


def _job_spec(spec: Json, path: str) -> Iterator[Cause]:
    yield from _not_negative(spec, _COUNTS, path)
    yield from _indexes(spec, path)
    yield from label_rules.of_template(spec["template"], f"{path}.template")
    pod = spec["template"].get("spec") or {}
    yield from pod_rules.spec_of(pod, f"{path}.template.spec")
    policy, where = pod.get("restartPolicy", ""), f"{path}.template.spec.restartPolicy"
    if policy in ("", "Always"):
        yield causes.required(where, 'valid values: "OnFailure", "Never"')
    elif policy not in _ONCE:
        yield causes.unsupported(where, policy, _ONCE)


def _not_negative(spec: Json, names: tuple[str, ...], path: str) -> Iterator[Cause]:
    for name in names:
        if spec.get(name, 0) < 0:
            yield causes.wrong(f"{path}.{name}", spec[name], "must be greater than or equal to 0")


def _indexes(spec: Json, path: str) -> Iterator[Cause]:
    """What the pods of a Job are told apart by."""
    mode = spec.get("completionMode", "NonIndexed")
    if mode not in _MODES:
        yield causes.unsupported(f"{path}.completionMode", mode, _MODES)
    if mode == "Indexed" and "completions" not in spec:
        yield causes.required(f"{path}.completions", "when completion mode is Indexed")
    for name in ("backoffLimitPerIndex", "maxFailedIndexes"):
        if mode == "NonIndexed" and name in spec:
            yield causes.wrong(f"{path}.{name}", spec[name], "requires indexed completion mode")
    if "maxFailedIndexes" in spec and "backoffLimitPerIndex" not in spec:
        yield causes.required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified")


_LIMITS = ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
POLICIES = ("Allow", "Forbid", "Replace")


def of_cron_job(body: Json) -> Iterator[Cause]:
    """What is wrong with a CronJob."""
    spec = body["spec"]
    if not spec.get("schedule"):
        yield causes.required("spec.schedule")
    elif why := schedules.wrong(spec["schedule"]):
        yield causes.wrong("spec.schedule", spec["schedule"], why)
    if "TZ" in spec.get("schedule", ""):
        why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        yield causes.wrong("spec.schedule", spec["schedule"], why)
    if (why := schedules.wrong_zone(spec["timeZone"])) if "timeZone" in spec else "":
        yield causes.wrong("spec.timeZone", spec["timeZone"], why)
    yield from _not_negative(spec, _LIMITS, "spec")
    if spec["concurrencyPolicy"] not in POLICIES:
        yield causes.unsupported("spec.concurrencyPolicy", spec["concurrencyPolicy"], POLICIES)
    yield from _job_spec(spec["jobTemplate"].get("spec") or {"template": {}}, "spec.jobTemplate.spec")


def of_change(live: Json, body: Json) -> Iterator[Cause]:
    """What is wrong with a change of a Job."""
    yield from _of_spec(body["spec"])
    if body["spec"].get("completionMode") != "Indexed":
        yield from _fixed("completions", live, body)
    elif (wanted := body["spec"].get("completions")) not in (
        None,
        live["spec"].get("completions"),
        body["spec"].get("parallelism"),
    ):
        yield causes.wrong("spec.completions", wanted, "can only be modified in tandem with spec.parallelism")
    yield from _fixed("selector", live, body)
    if _is_idle(live):
        before, after = (each["spec"]["template"].get("spec") or {} for each in (live, body))
        if _rescheduled(before, after) != _rescheduled(after, after):
            yield causes.wrong("spec.template.spec", after, "field is immutable")
    else:
        yield from _fixed("template", live, body)
    for name in ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"):
        yield from _fixed(name, live, body)


def _is_idle(job: Json) -> bool:
    """Whether a Job is suspended and none of its pods runs, so that it may still change where they will run."""
    status = job.get("status") or {}
    told = any(
        (each.get("type"), each.get("status")) == ("Suspended", "True") for each in status.get("conditions") or ()
    )
    return bool(job["spec"].get("suspend")) and (told or "startTime" not in status) and not status.get("active")


def _rescheduled(pod: Json, wanted: Json) -> Json:
    """The spec of a suspended Job's pods with what may still change in it: where they run, and what they may use."""
    spec = {
        name: value for name, value in pod.items() if name not in ("nodeSelector", "tolerations", "schedulingGates")
    }
    affinity = {name: value for name, value in (spec.pop("affinity", None) or {}).items() if name != "nodeAffinity"}
    for group in ("containers", "initContainers"):
        containers, others = pod.get(group) or [], wanted.get(group) or []
        if [each.get("name") for each in containers] == [each.get("name") for each in others]:
            spec[group] = [{name: value for name, value in each.items() if name != "resources"} for each in containers]
    return {**spec, "affinity": affinity}


def _fixed(name: str, live: Json, body: Json) -> Iterator[Cause]:
    if live["spec"].get(name) != body["spec"].get(name):
        yield causes.wrong(f"spec.{name}", body["spec"].get(name), "field is immutable")
