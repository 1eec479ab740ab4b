from __future__ import annotations

from typing import Any

import pytest

from gitopsd.config import home
from gitopsd.config.settings import Settings
from gitopsd.plugin import AppIntent, Broken, ObjectRef, Unserved

PARENT = ObjectRef(kind="Kustomization", namespace="flux-system", name="app")
OTHER = ObjectRef(kind="Kustomization", namespace="flux-system", name="other")
CHILD = ObjectRef(kind="Kustomization", namespace="apps", name="child")

BODY: dict[str, Any] = {
    "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
    "kind": "Kustomization",
    "metadata": {"name": "child", "namespace": "apps"},
    "spec": {"interval": "1m", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "later"}},
}
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {}}


@pytest.fixture
def join(registry):
    def joined(*bodies, known=None, settings=None):
        return home.children(
            bodies, parent=PARENT, known=known or {}, registry=registry, settings=settings or Settings()
        )

    return joined


def test_flux_objects_among_manifests_join_with_their_parent(join):
    found = join(DEPLOYMENT, BODY)

    assert isinstance(found.intents[CHILD], AppIntent)
    assert found.objects[CHILD].parent == PARENT
    assert str(found.objects[CHILD].place) == "rendered by Kustomization/flux-system/app"
    assert set(found.objects) == {CHILD}
    assert found.problems == ()


def test_an_object_that_a_file_declares_is_left_to_the_file(join, declare, git, app):
    known = declare(
        git()
        + app("child", meta=", namespace: apps", source="app").replace(
            "name: app}", "name: app, namespace: flux-system}"
        )
    ).objects
    found = join(BODY, known=known)
    assert (found.objects, found.left) == ({}, frozenset({CHILD}))


def test_an_object_that_another_app_rendered_is_left_to_it(join, registry):
    known = home.children([BODY], parent=OTHER, known={}, registry=registry, settings=Settings()).objects
    assert join(BODY, known=known).left == {CHILD}


def test_an_object_that_the_same_app_rendered_before_is_read_anew(join):
    known = join(BODY).objects
    changed = {**BODY, "spec": {**BODY["spec"], "path": "./new"}}
    found = join(changed, known=known)
    assert found.left == frozenset()
    assert found.objects[CHILD].spec != known[CHILD].spec


def test_a_broken_child_stays_in_the_set_so_that_it_does_not_look_removed(join):
    broken = {**BODY, "spec": {"interval": "often"}}
    healthy = {**BODY, "metadata": {"name": "healthy", "namespace": "apps"}}
    found = join(broken, healthy)

    assert CHILD in found.objects
    assert found.intents[CHILD] == Broken(
        ref=CHILD, message="Kustomization/apps/child: $.spec: Object missing required field `sourceRef`"
    )
    [problem] = found.problems
    assert problem.ref == CHILD
    assert str(problem) == (
        "rendered by Kustomization/flux-system/app: Kustomization/apps/child: $.spec: "
        "Object missing required field `sourceRef`"
    )
    assert len(found.intents) == 2


def test_a_child_of_a_kind_that_is_not_served_is_listed_as_such(join):
    release = {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "x"}, "spec": {}}
    [(ref, intent)] = join(release).intents.items()
    assert intent == Unserved(ref=ref)


def test_the_settings_choose_the_kinds_of_children_too(join):
    assert join(BODY, settings=Settings(kinds=("GitRepository",))).intents == {CHILD: Unserved(ref=CHILD)}


def test_settings_clusters_and_secrets_are_taken_from_files_only(join):
    own = {"apiVersion": "gitopsd.io/v1alpha1", "kind": "Settings", "spec": {"safety": {"massDeletion": False}}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git"}}
    assert join(own, secret).objects == {}


def test_a_child_with_a_broken_envelope_is_a_problem_of_its_own(join):
    found = join({**BODY, "metadata": {"name": "Child"}}, BODY)
    [problem] = found.problems
    assert problem.told.startswith("Kustomization/Child: $.metadata.name: 'Child' is not a name")
    assert set(found.objects) == {CHILD}


def test_a_manifest_of_another_api_is_no_declared_object(registry):
    assert not home.declares({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}, registry)
    assert not home.declares({}, registry)
    assert home.declares(BODY, registry)
