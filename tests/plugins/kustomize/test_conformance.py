"""Kustomization keeps what every declared kind promises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from gitopsd.plugin import Kind
from gitopsd.plugin.conformance.kind import KindSuite
from gitopsd_plugins.kustomize.kind import KustomizationKind


class TestKustomization(KindSuite):
    kind: ClassVar[Kind] = KustomizationKind()
    document: ClassVar[Mapping[str, Any]] = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "flux-system"},
        "spec": {
            "interval": "10m",
            "retryInterval": "1m",
            "timeout": "5m",
            "prune": True,
            "path": "./apps",
            "sourceRef": {"kind": "GitRepository", "name": "repo"},
            "dependsOn": [{"name": "infra", "readyExpr": "dep.status.ready == true"}],
            "healthChecks": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "namespace": "web"}],
            "healthCheckExprs": [{"apiVersion": "a/v1", "kind": "B", "current": "true"}],
            "ignore": [{"paths": ["/spec/replicas"], "target": {"kind": "Deployment"}}],
            "patches": [{"patch": "a: b", "target": {"kind": "ConfigMap"}}],
            "images": [{"name": "a", "newTag": "b"}],
            "deletionPolicy": "Delete",
            "targetNamespace": "web",
            "namePrefix": "a-",
            "nameSuffix": "-b",
            "suspend": False,
            "force": True,
            "wait": False,
        },
    }
