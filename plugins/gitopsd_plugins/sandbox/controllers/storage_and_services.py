"""Small ones: claims are bound, load balancers get an address, disruption budgets are counted."""

from __future__ import annotations

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.controllers import own_writes, pods
from gitopsd_plugins.sandbox.controllers.own_writes import MANAGER
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.storage.store import Stored
from gitopsd_plugins.sandbox.verbs import deletion


def claim(cluster: Cluster, stored: Stored, now: float) -> float | None:
    """Bind one PersistentVolumeClaim after the settling delay."""
    if stored.doomed:
        left = [name for name in stored.metadata.get("finalizers", ()) if name != "kubernetes.io/pvc-protection"]
        deletion.set_finalizers(cluster, stored, left)
        return None
    if stored.body["status"].get("phase") == "Bound" or pods.told_to_fail(stored.body):
        return None
    wait = cluster.delays.left(stored.uid, "bound", now, cluster.settings.settling)
    if wait > 0:
        return wait
    spec = stored.body["spec"]
    name = spec.get("volumeName") or f"pvc-{stored.uid}"
    capacity = {"storage": (spec.get("resources") or {}).get("requests", {}).get("storage", "1Gi")}
    status = {"phase": "Bound", "accessModes": spec.get("accessModes", []), "capacity": capacity}
    bound = own_writes.put(cluster, stored, {**stored.body, "spec": {**spec, "volumeName": name}}, MANAGER)
    own_writes.put_status(cluster, bound, status, MANAGER)
    return None


def volume(cluster: Cluster, stored: Stored, _: float) -> float | None:
    """Let one PersistentVolume go that is being deleted; nothing uses it."""
    if stored.doomed:
        left = [name for name in stored.metadata.get("finalizers", ()) if name != "kubernetes.io/pv-protection"]
        deletion.set_finalizers(cluster, stored, left)
    return None


def service(cluster: Cluster, stored: Stored, now: float) -> float | None:
    """Give one LoadBalancer Service an outer address after the settling delay."""
    if (
        stored.doomed
        or pods.told_to_fail(stored.body)
        or stored.body["spec"].get("type") != "LoadBalancer"
        or stored.body["status"]["loadBalancer"].get("ingress")
    ):
        return None
    wait = cluster.delays.left(stored.uid, "balanced", now, cluster.settings.settling)
    if wait > 0:
        return wait
    address = {"ip": f"192.0.2.{10 + stored.version % 240}", "ipMode": "VIP"}
    own_writes.put_status(cluster, stored, {"loadBalancer": {"ingress": [address]}}, MANAGER)
    return None


def disruption_budget(cluster: Cluster, stored: Stored, _: float) -> float | None:
    """Say that a PodDisruptionBudget was seen; pods are not counted."""
    generation = stored.metadata["generation"]
    if stored.doomed or stored.body["status"].get("observedGeneration") == generation:
        return None
    counts = {"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0}
    condition: Json = {
        "type": "DisruptionAllowed",
        "status": "False",
        "reason": "InsufficientPods",
        "message": "",
        "observedGeneration": generation,
    }
    conditions = own_writes.conditions(stored.body["status"].get("conditions", []), [condition], cluster.now())
    own_writes.put_status(
        cluster, stored, {**counts, "observedGeneration": generation, "conditions": conditions}, MANAGER
    )
    return None
