"""The order of writes."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gitopsd.plugin import Manifest
from gitopsd_plugins.kubernetes import stages

_API = {
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "ClusterRole": "rbac.authorization.k8s.io/v1",
    "ClusterRoleBinding": "rbac.authorization.k8s.io/v1",
    "StorageClass": "storage.k8s.io/v1",
    "IngressClass": "networking.k8s.io/v1",
    "Deployment": "apps/v1",
    "ValidatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
    "Certificate": "cert-manager.io/v1",
}
_KINDS = [*_API, "Namespace", "ConfigMap", "Secret", "Service", "ServiceAccount"]


def _manifest(kind: str, name: str = "a", **more: Any) -> Manifest:
    return Manifest.of({"apiVersion": _API.get(kind, "v1"), "kind": kind, "metadata": {"name": name, **more}})


def _kinds(*kinds: str) -> list[list[str]]:
    return [[m.id.kind for m in stage.manifests] for stage in stages.of([_manifest(kind) for kind in kinds])]


def test_definitions_come_first_then_classes_then_the_rest() -> None:
    assert _kinds("Deployment", "StorageClass", "ClusterRole", "Namespace", "CustomResourceDefinition") == [
        ["CustomResourceDefinition", "Namespace", "ClusterRole"],
        ["StorageClass"],
        ["Deployment"],
    ]


def test_inside_a_stage_kinds_have_fluxs_order_and_webhooks_come_last() -> None:
    kinds = ("ValidatingWebhookConfiguration", "Certificate", "Deployment", "Service", "Secret", "ConfigMap")
    assert _kinds(*kinds) == [
        ["ConfigMap", "Secret", "Service", "Deployment", "Certificate", "ValidatingWebhookConfiguration"]
    ]


def test_the_first_two_stages_settle() -> None:
    found = stages.of([_manifest("Namespace"), _manifest("IngressClass"), _manifest("Service")])
    assert [stage.settle for stage in found] == [True, True, False]


def test_nothing_has_no_stages() -> None:
    assert stages.of([]) == ()


@given(st.lists(st.tuples(st.sampled_from(_KINDS), st.sampled_from("abc")), unique=True), st.randoms())
def test_the_order_is_a_function_of_the_set(pairs: list[tuple[str, str]], chance: Any) -> None:
    manifests = [_manifest(kind, name) for kind, name in pairs]
    shuffled = list(manifests)
    chance.shuffle(shuffled)
    assert stages.of(shuffled) == stages.of(manifests)
    assert sorted(m.id for stage in stages.of(manifests) for m in stage.manifests) == sorted(m.id for m in manifests)
