"""Whose an object is: our labels, and the marks of other engines."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.plugin import Engine, ObjectRef, Ours, Unmanaged
from gitopsd_plugins.kubernetes import owner

APP = ObjectRef(kind="Kustomization", namespace="flux-system", name="apps")
_NAME = st.from_regex(r"[a-z]([a-z0-9.-]{0,90}[a-z0-9])?", fullmatch=True)


def _object(labels: Any = None, annotations: Any = None, *managers: str, operation: str = "Apply") -> dict[str, Any]:
    entries = [{"manager": manager, "operation": operation} for manager in managers]
    return {"metadata": {"labels": labels or {}, "annotations": annotations or {}, "managedFields": entries}}


@given(st.builds(ObjectRef, kind=st.sampled_from(["Kustomization", "HelmRelease"]), namespace=_NAME, name=_NAME), _NAME)
def test_the_owner_that_is_written_is_read(app: ObjectRef, instance: str) -> None:
    marked = owner.marked({"metadata": {"name": "a"}}, instance, app)
    assert owner.of(marked, instance) == Ours(app=app)
    assert all(0 < len(value) <= 63 for value in marked["metadata"]["labels"].values())
    assert owner.of(marked, f"{instance}2") == Engine(name=f"gitopsd instance {owner.label(instance)}")


def test_an_annotation_that_contradicts_the_labels_is_not_believed() -> None:
    marked = owner.marked({"metadata": {"name": "a"}}, "prod", APP)
    marked["metadata"]["annotations"] = {"gitopsd.io/owner": "prod/Kustomization/flux-system/other"}
    assert owner.of(marked, "prod") == Ours(app=APP)


def test_marking_keeps_the_users_labels_and_leaves_the_manifest_alone() -> None:
    body = {"metadata": {"name": "a", "labels": {"app": "x"}}}
    marked = owner.marked(body, "prod", APP)
    assert marked["metadata"]["labels"]["app"] == "x"
    assert body == {"metadata": {"name": "a", "labels": {"app": "x"}}}


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (_object({"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "f"}), "Flux"),
        (_object({"helm.toolkit.fluxcd.io/name": "apps"}), "Flux"),
        (_object({}, {}, "kustomize-controller"), "Flux"),
        (_object({"argocd.argoproj.io/instance": "apps"}), "Argo CD"),
        (_object({}, {"argocd.argoproj.io/tracking-id": "apps:/ConfigMap:web/a"}), "Argo CD"),
        (_object({}, {}, "argocd-controller"), "Argo CD"),
        (_object({"app.kubernetes.io/managed-by": "Helm"}, {"meta.helm.sh/release-name": "web"}), "Helm"),
        (_object({"app.kubernetes.io/managed-by": "Helm"}, {}, "helm", operation="Update"), "Helm"),
        (_object({"addonmanager.kubernetes.io/mode": "Reconcile"}), "the cloud's addon manager"),
        (_object({"kubernetes.azure.com/managedby": "aks"}), "the cloud's addon manager"),
    ],
)
def test_other_engines_are_recognised(body: Any, name: str) -> None:
    assert owner.of(body, "prod") == Engine(name=name)


@pytest.mark.parametrize(
    "body",
    [
        _object({"app.kubernetes.io/instance": "web"}),
        _object({"app.kubernetes.io/managed-by": "Helm"}, {}, "kubectl-client-side-apply"),
        _object({}, {}, "kube-controller-manager"),
    ],
)
def test_what_every_chart_sets_names_no_engine(body: Any) -> None:
    assert isinstance(owner.of(body, "prod"), Unmanaged)


def test_managers_of_subresources_do_not_count() -> None:
    body = _object({}, {}, "helm-controller")
    body["metadata"]["managedFields"][0]["subresource"] = "status"
    assert owner.of(body, "prod") == Unmanaged()


def test_kubectls_managers_are_contested_and_others_are_not() -> None:
    body = _object(
        {}, {}, "kubectl-edit", "kubectl", "flux-client-side-apply", "kube-controller-manager", "kubectl-edit"
    )
    assert owner.contested(body, owner.of(body, "prod")) == ("kubectl-edit", "kubectl")


def test_fields_from_before_managers_were_kept_are_contested() -> None:
    body = _object({}, {}, "before-first-apply", operation="Update")
    assert owner.contested(body, owner.of(body, "prod")) == ("before-first-apply",)


def test_another_engines_managers_are_contested_where_it_is_the_owner() -> None:
    body = _object({"argocd.argoproj.io/instance": "x"}, {}, "argocd-controller", "kube-controller-manager")
    assert owner.contested(body, owner.of(body, "prod")) == ("argocd-controller",)


@pytest.mark.parametrize(
    ("place", "mark"),
    [
        ("annotations", "meta.helm.sh/release-name"),
        ("annotations", "argocd.argoproj.io/tracking-id"),
        ("labels", "helm.toolkit.fluxcd.io/name"),
        ("labels", "kubernetes.azure.com/managedby"),
        ("labels", "gitopsd.io/instance"),
    ],
)
def test_who_holds_an_engines_mark_is_that_engine_whatever_its_name(place: str, mark: str) -> None:
    """Helm's library writes under the name of the program that it is in; another gitopsd's field manager is a setting."""
    body = _object({}, {}, "terraform-provider-helm_v3", "kube-controller-manager", operation="Update")
    body["metadata"][place] |= {mark: "web", "gitopsd.io/name": "web"}
    body["metadata"]["managedFields"][0]["fieldsV1"] = {"f:metadata": {f"f:{place}": {f"f:{mark}": {}}}}
    owned = owner.of(body, "prod")
    assert isinstance(owned, Engine)
    assert owner.contested(body, owned) == ("terraform-provider-helm_v3",)


@pytest.mark.parametrize("metadata", [{}, {"labels": None, "annotations": None, "managedFields": None}])
def test_an_object_without_marks_is_nobodys(metadata: Any) -> None:
    assert owner.of({"metadata": metadata}, "prod") == Unmanaged()
