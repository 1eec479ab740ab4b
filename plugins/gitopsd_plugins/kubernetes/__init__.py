"""Kubernetes: the sink that applies to clusters, the ways to reach them, and the health of the built-in kinds.

Importing it loads no HTTP client and no cryptography; the first connection does.
"""

from __future__ import annotations

from collections.abc import Iterable

from gitopsd.plugin import ClusterAccess, HealthRule, Sink, hookimpl
from gitopsd_plugins.kubernetes.access.configmap import ConfigMapAccess
from gitopsd_plugins.kubernetes.access.incluster import InClusterAccess
from gitopsd_plugins.kubernetes.access.kubeconfig import KubeconfigAccess
from gitopsd_plugins.kubernetes.access.secretconfig import SecretKubeconfigAccess
from gitopsd_plugins.kubernetes.health import rules
from gitopsd_plugins.kubernetes.sink import KubernetesSink


@hookimpl
def gitopsd_sinks() -> Iterable[Sink]:
    """The one sink."""
    return [KubernetesSink()]


@hookimpl
def gitopsd_accesses() -> Iterable[ClusterAccess]:
    """By kubeconfig, from a file or a Secret, as a ConfigMap describes it, and from inside a pod."""
    return [KubeconfigAccess(), SecretKubeconfigAccess(), ConfigMapAccess(), InClusterAccess()]


@hookimpl
def gitopsd_health() -> Iterable[HealthRule]:
    """kstatus's rules, and the one for all other kinds."""
    return rules.ALL
