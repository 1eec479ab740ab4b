"""Custom resource definitions: from the object to the resources that it makes the server offer."""

from __future__ import annotations

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.store import Stored

COLLECTION = ("apiextensions.k8s.io", "customresourcedefinitions")


def serve(cluster: Cluster, stored: Stored) -> None:
    """Offer the resources of a definition."""
