"""Health of CustomResourceDefinitions."""

from __future__ import annotations

from gitopsd.plugin import Body, Verdict
from gitopsd_plugins.kubernetes.health import status


def custom_resource_definition(body: Body) -> Verdict:
    """Established is current; names that are taken, or a refusal, have failed."""
    names = status.condition(body, "NamesAccepted")
    if names.get("status") == "False":
        return status.failed(status.words(names, "its names are taken"))
    established = status.condition(body, "Established")
    if established.get("status") == "True":
        return status.current("is established")
    if established.get("status") == "False" and established.get("reason") != "Installing":
        return status.failed(status.words(established, "is not established"))
    return status.progressing("is being installed")
