"""StatefulSets, DaemonSets and Jobs: each keeps its pods, and its status follows them."""

from __future__ import annotations

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.controllers import own_writes, pods
from gitopsd_plugins.sandbox.controllers.own_writes import MANAGER
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.storage.store import Stored
from gitopsd_plugins.sandbox.verbs import deletion

CLAIMS = ("", "persistentvolumeclaims")
STATEFUL_REVISION = "controller-revision-hash"


def stateful_set(cluster: Cluster, stored: Stored, _: float) -> float | None:
    """Bring one StatefulSet's claims, pods and status a step further."""
    if stored.doomed:
        return None
    spec, name = stored.body["spec"], stored.key[1]
    start = (spec.get("ordinals") or {}).get("start", 0)
    names = [f"{name}-{start + index}" for index in pods.places(spec["replicas"])]
    for pod in names:
        _claims(cluster, stored, pod)
    revision = f"{name}-{pods.template_hash(spec['template'])}"
    held = pods.ensure(cluster, stored, spec["template"], names, {STATEFUL_REVISION: revision})
    ready = sum(map(pods.is_ready, held))
    status: Json = {
        "observedGeneration": stored.metadata["generation"],
        "replicas": len(held),
        "availableReplicas": ready,
        "currentRevision": revision,
        "updateRevision": revision,
        "collisionCount": 0,
    }
    numbers = {"readyReplicas": ready, "currentReplicas": len(held), "updatedReplicas": len(held)}
    own_writes.put_status(cluster, stored, status | {key: value for key, value in numbers.items() if value}, MANAGER)
    return None


def _claims(cluster: Cluster, stored: Stored, pod: str) -> None:
    """The volume claims of one pod, made where they are missing. They outlive the StatefulSet."""
    for template in stored.body["spec"].get("volumeClaimTemplates", ()):
        name = f"{template['metadata']['name']}-{pod}"
        if cluster.store.get(CLAIMS, (stored.key[0], name)) is None:
            labels = stored.body["spec"]["selector"].get("matchLabels", {})
            metadata = {"name": name, "namespace": stored.key[0], "labels": labels}
            body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": template["spec"]}
            own_writes.create(cluster, CLAIMS, body, MANAGER)


def daemon_set(cluster: Cluster, stored: Stored, _: float) -> float | None:
    """Bring one DaemonSet's pod (the sandbox has one node) and status a step further."""
    if stored.doomed:
        return None
    template = stored.body["spec"]["template"]
    name = f"{stored.key[1]}-{pods.template_hash(template)[:5]}"
    held = pods.ensure(cluster, stored, template, [name], {})
    ready = sum(map(pods.is_ready, held))
    status: Json = {
        "observedGeneration": stored.metadata["generation"],
        "currentNumberScheduled": len(held),
        "desiredNumberScheduled": 1,
        "numberMisscheduled": 0,
        "numberReady": ready,
    }
    numbers = {"updatedNumberScheduled": len(held), "numberAvailable": ready, "numberUnavailable": 1 - ready}
    own_writes.put_status(cluster, stored, status | {key: value for key, value in numbers.items() if value}, MANAGER)
    return None


def job(cluster: Cluster, stored: Stored, now: float) -> float | None:
    """Bring one Job's pods and status a step further; a finished one goes after its time to live."""
    if stored.doomed:
        return None
    if _is_finished(stored.body):
        return _expire(cluster, stored, now)
    spec = stored.body["spec"]
    if spec.get("suspend"):
        _suspend(cluster, stored)
        return None
    wanted = spec.get("completions") or spec["parallelism"]
    names = [f"{stored.key[1]}-{suffix}" for suffix in pods.suffixes(stored.uid, wanted)]
    held = pods.ensure(cluster, stored, spec["template"], names, {})
    own_writes.put_status(cluster, stored, _job_status(cluster, stored, held, wanted), MANAGER)
    return None


def _is_finished(body: Json) -> bool:
    conditions = body["status"].get("conditions", ())
    return any(each["type"] in ("Complete", "Failed") and each["status"] == "True" for each in conditions)


def _expire(cluster: Cluster, stored: Stored, now: float) -> float | None:
    lives = stored.body["spec"].get("ttlSecondsAfterFinished")
    if lives is None:
        return None
    wait = cluster.delays.left(stored.uid, "expired", now, float(lives))
    if wait > 0:
        return wait
    deletion.mark(cluster, stored, {})
    return None


def _suspend(cluster: Cluster, stored: Stored) -> None:
    wanted = [{"type": "Suspended", "status": "True", "reason": "JobSuspended", "message": "Job suspended"}]
    held = stored.body["status"].get("conditions", [])
    status = {**stored.body["status"], "conditions": own_writes.conditions(held, wanted, cluster.now())}
    own_writes.put_status(cluster, stored, status, MANAGER)


def _job_status(cluster: Cluster, stored: Stored, held: list[Stored], wanted: int) -> Json:
    succeeded, failed = pods.phases(held, "Succeeded"), pods.phases(held, "Failed")
    status: Json = {"startTime": stored.body["status"].get("startTime", cluster.now())}
    counts = {"active": len(held) - succeeded - failed, "succeeded": succeeded, "failed": failed}
    status |= {name: number for name, number in counts.items() if number}
    status |= {"ready": 0, "terminating": 0, "uncountedTerminatedPods": {}}
    conditions: list[Json] = []
    if failed:
        reason = {"reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}
        conditions = [{"type": each, "status": "True", **reason} for each in ("FailureTarget", "Failed")]
    elif succeeded >= wanted:
        reason = {"reason": "CompletionsReached", "message": "Reached expected number of succeeded pods"}
        conditions = [{"type": each, "status": "True", **reason} for each in ("SuccessCriteriaMet", "Complete")]
        status["completionTime"] = cluster.now()
    if conditions:
        status["conditions"] = own_writes.conditions([], conditions, cluster.now())
    return status
