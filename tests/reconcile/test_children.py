"""Declared objects among rendered manifests are told apart from what goes to the cluster."""

from __future__ import annotations

from fakes.things import app, id_of

from gitopsd.model.manifest import Manifest
from gitopsd.plugin import registry
from gitopsd.reconcile import children

FLUX = "kustomize.toolkit.fluxcd.io/v1"


def made(api_version: str, kind: str, name: str = "a") -> Manifest:
    return Manifest.of({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "apps"}})


def test_kinds_that_gitopsd_reads_are_declared_whether_served_or_not_and_nothing_else_is() -> None:
    manifests = [
        made("v1", "ConfigMap"),
        made(FLUX, "Kustomization"),
        made("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
        made("example.com/v1", "Kustomization"),
        made("kustomize.config.k8s.io/v1beta1", "Kustomization"),
    ]
    for_cluster, declared = children.split(manifests, registry.load())
    assert declared == (manifests[1], manifests[2])
    assert for_cluster == (manifests[0], *manifests[3:])


def test_a_child_without_a_namespace_is_in_flux_system() -> None:
    group = "kustomize.toolkit.fluxcd.io"
    assert children.ref(id_of("app", "Kustomization", namespace="", group=group)) == app("app")
    assert children.ref(id_of("app", "Kustomization", namespace="apps", group=group)).namespace == "apps"
