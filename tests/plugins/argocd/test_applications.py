"""Applications become a GitRepository and a Kustomization; where Argo CD means something else, it is said."""

from __future__ import annotations

from typing import Any

import pytest

from gitopsd.plugin import UsageError
from gitopsd.plugin.imports import Import
from gitopsd_plugins.argocd import command
from gitopsd_plugins.argocd.application import FINALIZER
from gitopsd_plugins.argocd.source import normal_url, reference, without_login

GUESTBOOK = {
    "repoURL": "https://github.com/argoproj/argocd-example-apps.git",
    "path": "guestbook",
    "targetRevision": "HEAD",
}
AUTOMATED = {"automated": {"prune": True, "selfHeal": True}}


def application(name: str = "guestbook", *, finalizers: Any = (FINALIZER,), **spec: Any) -> dict[str, Any]:
    plain = {
        "project": "default",
        "source": GUESTBOOK,
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "guestbook"},
        "syncPolicy": AUTOMATED,
    }
    metadata = {"name": name, "namespace": "argocd", "finalizers": list(finalizers)}
    given = {**plain, **spec}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": metadata,
        "spec": {key: value for key, value in given.items() if value is not None},
    }


def made(*bodies: dict[str, Any]) -> Import:
    return command.made(bodies, namespace="flux-system", head="main")


def spec_of(found: Import, name: str = "guestbook") -> dict[str, Any]:
    return dict(next(it.body["spec"] for it in found.objects if it.id.name == name))


def said(found: Import) -> str:
    return "\n".join(f"{'lost: ' if note.lost else ''}{note.text}" for note in found.notes)


def test_a_directory_source() -> None:
    found = made(application())
    repository, app = found.objects
    assert repository.body["spec"] == {
        "interval": "3m0s",
        "url": "https://github.com/argoproj/argocd-example-apps.git",
        "ref": {"branch": "main"},
    }
    assert app.body["spec"] == {
        "interval": "10m0s",
        "timeout": "5m0s",
        "path": "./guestbook",
        "sourceRef": {"kind": "GitRepository", "name": repository.id.name, "namespace": "flux-system"},
        "prune": True,
        "wait": True,
        "deletionPolicy": "Delete",
        "targetNamespace": "guestbook",
    }
    assert not found.lost
    assert "follows HEAD, for which the branch main is taken" in said(found)


def test_a_kustomize_source() -> None:
    options = {
        "namePrefix": "dev-",
        "images": ["nginx=registry:5000/nginx:1.2", "redis:7", "a/b@sha256:0"],
        "commonAnnotations": {"a": "b"},
        "patches": [{"patch": "- op: remove\n  path: /spec\n", "target": {"kind": "Deployment"}}],
        "components": ["../c"],
    }
    spec = spec_of(made(application(source={**GUESTBOOK, "kustomize": options})))
    assert spec["images"] == [
        {"name": "nginx", "newName": "registry:5000/nginx", "newTag": "1.2"},
        {"name": "redis", "newTag": "7"},
        {"name": "a/b", "digest": "sha256:0"},
    ]
    assert (spec["namePrefix"], spec["components"]) == ("dev-", ["../c"])
    assert spec["commonMetadata"] == {"annotations": {"a": "b"}}
    assert spec["patches"] == options["patches"]


@pytest.mark.parametrize(
    "source",
    [
        {"repoURL": "https://charts.example.org", "chart": "redis", "targetRevision": "1.0.0"},
        {**GUESTBOOK, "helm": {"valueFiles": ["values.yaml"]}},
        {**GUESTBOOK, "plugin": {"name": "cmp"}},
        {**GUESTBOOK, "directory": {"jsonnet": {"tlas": [{"name": "a"}]}}},
        {"repoURL": "https://github.com/o/values", "ref": "values"},
    ],
)
def test_sources_without_a_counterpart_are_listed(source: dict[str, Any]) -> None:
    found = made(application(source=source))
    assert (found.objects, found.lost) == ((), True)
    assert "it is not imported" in said(found)


def test_several_sources_are_kustomizations_of_their_own() -> None:
    other = {**GUESTBOOK, "path": "other", "name": "extra"}
    chart = {"repoURL": "https://charts.example.org", "chart": "redis", "targetRevision": "1.0.0"}
    found = made(application(source=None, sources=[GUESTBOOK, other, chart]))
    assert [it.id.name for it in found.objects if it.id.kind == "Kustomization"] == ["guestbook-1", "guestbook-extra"]
    assert len([it for it in found.objects if it.id.kind == "GitRepository"]) == 1
    assert found.lost


def test_without_automated_sync_nothing_is_applied_until_somebody_says_so() -> None:
    spec = spec_of(made(application(syncPolicy=None)))
    assert (spec["suspend"], spec["prune"]) == (True, False)


def test_without_self_heal_drift_is_said_and_left() -> None:
    found = made(application(syncPolicy={"automated": {"prune": True}}))
    assert found.objects[-1].body["metadata"]["annotations"] == {"gitopsd.io/drift": "warn"}


def test_without_the_finalizer_objects_outlive_the_app() -> None:
    assert spec_of(made(application(finalizers=())))["deletionPolicy"] == "Orphan"


def test_another_cluster_is_named_by_an_annotation() -> None:
    found = made(application(destination={"name": "prod", "namespace": "web"}))
    assert found.objects[-1].body["metadata"]["annotations"] == {"gitopsd.io/cluster": "prod"}
    assert "declare a Cluster of that name" in said(found)


def test_a_cluster_that_only_has_an_address_is_lost() -> None:
    assert made(application(destination={"server": "https://10.0.0.1"})).lost


def test_ignored_differences_are_ignored_fields() -> None:
    rules = [
        {"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]},
        {"kind": "X", "jqPathExpressions": [".a"]},
    ]
    found = made(application(ignoreDifferences=rules))
    assert spec_of(found)["ignore"] == [
        {"paths": ["/spec/replicas"], "target": {"group": "apps", "kind": "Deployment"}}
    ]
    assert "lost: Application/guestbook: ignoreDifferences.jqPathExpressions has no counterpart" in said(found)


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"project": "team"}, "what the project team allows is not imported"),
        (
            {"syncPolicy": {**AUTOMATED, "syncOptions": ["CreateNamespace=true"]}},
            "put the Namespace among the manifests",
        ),
        (
            {"syncPolicy": {**AUTOMATED, "syncOptions": ["Replace=true"]}},
            "the sync option Replace=true has no counterpart",
        ),
        ({"source": {**GUESTBOOK, "kustomize": {"replicas": [{"name": "a", "count": 2}]}}}, "kustomize.replicas"),
        ({"source": {**GUESTBOOK, "directory": {"exclude": "*.md"}}}, "directory.exclude has no counterpart"),
        ({"colour": "blue"}, "spec.colour is not known and left out"),
    ],
)
def test_what_has_no_counterpart_is_lost_and_named(changes: dict[str, Any], lost: str) -> None:
    found = made(application(**changes))
    assert found.lost
    assert lost in said(found)


def test_an_application_set_is_lost_and_named() -> None:
    found = made(
        application(), {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {"name": "all"}}
    )
    assert "lost: ApplicationSet/all: is no Application and not imported" in said(found)


def test_two_applications_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="two Applications make a Kustomization guestbook"):
        made(application(), application())


def test_applications_that_follow_the_same_share_a_repository_and_others_do_not() -> None:
    tagged = {**GUESTBOOK, "targetRevision": "v1.0.0"}
    found = made(application("a"), application("b"), application("c", source=tagged))
    assert [it.id.kind for it in found.objects].count("GitRepository") == 2


def test_a_login_in_the_url_becomes_a_secret() -> None:
    url = "https://me:p%40ss@github.com/o/r.git"
    found = made(application(source={**GUESTBOOK, "repoURL": url}))
    (repository,) = [it for it in found.objects if it.id.kind == "GitRepository"]
    (secret,) = found.secrets
    assert repository.body["spec"]["url"] == "https://github.com/o/r.git"
    assert repository.body["spec"]["secretRef"] == {"name": secret.id.name}
    assert secret.body["stringData"] == {"username": "me", "password": "p@ss"}
    assert "p%40ss" not in said(made(application(source={"repoURL": url, "chart": "c"})))
    other = made(application(source={**GUESTBOOK, "repoURL": url.replace("me:", "you:")}))
    assert other.secrets[0].id.name != secret.id.name


@pytest.mark.parametrize(
    ("url", "plain", "login"),
    [
        ("https://h/o/r@v1", "https://h/o/r@v1", None),
        ("https://h:8443/o/r@v1", "https://h:8443/o/r@v1", None),
        ("https://token@h:8443/o", "https://h:8443/o", ("token", "")),
        ("https://me:a/b@h/o", "https://h/o", ("me", "a/b")),
        ("ssh://git@h/o", "ssh://git@h/o", None),
    ],
)
def test_a_login_is_told_from_what_looks_like_one(url: str, plain: str, login: Any) -> None:
    assert without_login(url) == (plain, login)


@pytest.mark.parametrize(
    ("revision", "ref"),
    [
        ("HEAD", ("branch", "main")),
        ("develop", ("branch", "develop")),
        ("feature/x", ("branch", "feature/x")),
        ("v1.2.3", ("tag", "v1.2.3")),
        ("1.2", ("tag", "1.2")),
        ("1.2.*", ("semver", "1.2.*")),
        (">=1.0.0 <2.0.0", ("semver", ">=1.0.0 <2.0.0")),
        ("refs/tags/x", ("name", "refs/tags/x")),
        ("a" * 40, ("commit", "a" * 40)),
    ],
)
def test_revisions_are_told_apart(revision: str, ref: tuple[str, str]) -> None:
    assert reference(revision, "main") == ref


def test_scp_like_urls_become_ssh_urls() -> None:
    assert normal_url("git@github.com:o/r.git") == "ssh://git@github.com/o/r.git"
