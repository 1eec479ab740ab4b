"""Health of Services, volume claims, disruption budgets and plain data."""

from __future__ import annotations

from gitopsd.plugin import Body, Verdict
from gitopsd_plugins.kubernetes.health import status
from gitopsd_plugins.kubernetes.health.status import section


def service(body: Body) -> Verdict:
    """Current, but for a load balancer without an address inside the cluster."""
    spec = section(body, "spec")
    if spec.get("type") == "LoadBalancer" and not spec.get("clusterIP"):
        return status.progressing("has no cluster IP yet")
    return status.current()


def volume_claim(body: Body) -> Verdict:
    """Bound."""
    phase = section(body, "status").get("phase")
    return status.current("is bound") if phase == "Bound" else status.progressing(f"is {phase or 'not bound yet'}")


def always(_: Body) -> Verdict:
    """Current as soon as it is there."""
    return status.current()
