"""Health of objects from which a controller makes Secrets: Sealed Secrets, and those of the External Secrets Operator."""

from __future__ import annotations

from gitopsd.plugin import Body, Verdict
from gitopsd_plugins.kubernetes.health import status


def sealed_secret(body: Body) -> Verdict:
    """Synced is current. One that cannot be unsealed will not be by waiting: it was sealed for another key, name or namespace."""
    synced = status.condition(body, "Synced")
    if synced.get("status") == "True":
        return status.current("is unsealed")
    if synced.get("status") == "False":
        return status.failed(status.words(synced, "cannot be unsealed"))
    return status.progressing("is not unsealed yet; is the controller of Sealed Secrets running?")


def external_secret(body: Body) -> Verdict:
    """Ready is current; what is not ready is tried again by the operator, and may be as soon as its store is."""
    ready = status.condition(body, "Ready")
    if ready.get("status") == "True":
        return status.current()
    if not ready:
        return status.progressing("is not synced yet; is the External Secrets Operator running?")
    return status.progressing(status.words(ready, "is not synced"))
