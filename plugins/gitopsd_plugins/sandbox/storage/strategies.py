"""In what built-in resources differ from one another when they are written or deleted, beyond their types.

Each table holds collections (group, plural); a resource in none of them behaves as most do. Custom resources are in none.
"""

from __future__ import annotations

from gitopsd_plugins.sandbox.storage.store import CollectionKey

_RBAC = "rbac.authorization.k8s.io"

CREATED_BY_UPDATE: frozenset[CollectionKey] = frozenset(
    {
        ("coordination.k8s.io", "leasecandidates"),
        ("coordination.k8s.io", "leases"),
        ("", "endpoints"),
        ("", "events"),
        ("", "limitranges"),
        ("", "services"),
        ("node.k8s.io", "runtimeclasses"),
        (_RBAC, "clusterrolebindings"),
        (_RBAC, "clusterroles"),
        (_RBAC, "rolebindings"),
        (_RBAC, "roles"),
    }
)
"""A PUT to a name that nothing has creates the object."""

VERSION_DEMANDED: frozenset[CollectionKey] = frozenset(
    {
        ("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
        ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
        ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        ("apiregistration.k8s.io", "apiservices"),
        ("coordination.k8s.io", "leasecandidates"),
        ("coordination.k8s.io", "leases"),
        ("node.k8s.io", "runtimeclasses"),
        ("policy", "poddisruptionbudgets"),
        ("storage.k8s.io", "csidrivers"),
        ("storage.k8s.io", "csinodes"),
        ("storage.k8s.io", "csistoragecapacities"),
        ("storage.k8s.io", "volumeattachments"),
    }
)
"""A PUT must state the version that it replaces, as one of any custom resource must."""

SHOWN_WHEN_DELETED: frozenset[CollectionKey] = frozenset(
    {
        ("", "namespaces"),
        ("", "persistentvolumeclaims"),
        ("", "persistentvolumes"),
        ("", "pods"),
        ("", "podtemplates"),
        ("", "resourcequotas"),
        ("", "serviceaccounts"),
        ("", "services"),
        ("resource.k8s.io", "deviceclasses"),
        ("resource.k8s.io", "resourceclaims"),
        ("resource.k8s.io", "resourceclaimtemplates"),
        ("resource.k8s.io", "resourceslices"),
        ("storage.k8s.io", "csidrivers"),
        ("storage.k8s.io", "csinodes"),
        ("storage.k8s.io", "storageclasses"),
        ("storage.k8s.io", "volumeattachments"),
        ("storage.k8s.io", "volumeattributesclasses"),
    }
)
"""A deletion is answered with the object that is gone, where others get a Status."""

ORPHANS_LEFT: frozenset[CollectionKey] = frozenset({("batch", "jobs"), ("", "replicationcontrollers")})
"""A deletion that asks for no propagation leaves the dependants."""

FILLED_WHEN_READ: frozenset[CollectionKey] = frozenset(
    {("", "persistentvolumeclaims"), ("", "persistentvolumes"), ("batch", "jobs")}
)
"""Some defaults are filled in when a stored object is read, so that the first write after a creation is never without effect."""

NOT_COLLECTED: frozenset[CollectionKey] = frozenset({("", "events"), ("events.k8s.io", "events")})
"""Propagation is ignored: nothing depends on these."""

LABELS_KEPT: frozenset[CollectionKey] = frozenset({("apps", "deployments")})
"""Resources whose labels a write to their status does not change."""
