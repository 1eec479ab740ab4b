"""Live objects of Flux become declared ones: without status and bookkeeping, those at the top with the sources that they name."""

from __future__ import annotations

from typing import Any

from gitopsd_plugins.flux import live

OWNER = "kustomize.toolkit.fluxcd.io"


def body(kind: str, name: str, *, owner: str = "", spec: Any = None, **metadata: Any) -> dict[str, Any]:
    group = "kustomize" if kind == "Kustomization" else "helm" if kind == "HelmRelease" else "source"
    labels = {f"{OWNER}/name": owner, f"{OWNER}/namespace": "flux-system"} if owner else {}
    return {
        "apiVersion": f"{group}.toolkit.fluxcd.io/v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": "flux-system",
            "uid": "1",
            "generation": 2,
            "labels": labels,
            **metadata,
        },
        "spec": spec or {},
        "status": {"conditions": []},
    }


def app(name: str, owner: str = "", **spec: Any) -> dict[str, Any]:
    reference = {"sourceRef": {"kind": "GitRepository", "name": "flux-system"}}
    return body("Kustomization", name, owner=owner, spec={**reference, **spec})


BOOTSTRAPPED = [
    body("GitRepository", "flux-system", owner="flux-system", spec={"url": "ssh://git@github.com/o/r"}),
    body("GitRepository", "lone"),
    body("GitRepository", "of-apps", owner="apps"),
    app("flux-system", "flux-system"),
    app("apps", "flux-system"),
    app("left-behind", "gone"),
]


def names(**options: Any) -> list[str]:
    return [f"{it.id.kind}/{it.id.name}" for it in live.declared(BOOTSTRAPPED, cluster="c", **options)]


def test_those_at_the_top_are_declared_with_the_sources_that_they_name() -> None:
    assert names(every=False) == [
        "GitRepository/flux-system",
        "GitRepository/lone",
        "Kustomization/flux-system",
        "Kustomization/left-behind",
    ]


def test_all_of_them_on_request() -> None:
    assert len(names(every=True)) == len(BOOTSTRAPPED)


def test_charts_that_flux_made_for_a_release_are_left_out() -> None:
    chart = body("HelmChart", "x", labels={"helm.toolkit.fluxcd.io/name": "x"})
    assert live.declared([chart], cluster="c", every=True) == ()


def test_status_and_bookkeeping_go_and_the_users_own_metadata_stays() -> None:
    annotations = {
        "mine": "1",
        "reconcile.fluxcd.io/requestedAt": "now",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
    }
    labels = {"team": "a", f"{OWNER}/name": "gone", f"{OWNER}/namespace": "flux-system"}
    [it] = live.declared([body("GitRepository", "a", labels=labels, annotations=annotations)], cluster="c", every=True)
    assert it.body == {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "a", "namespace": "flux-system", "labels": {"team": "a"}, "annotations": {"mine": "1"}},
        "spec": {},
    }


def test_every_secret_that_is_referred_to_is_named_once_per_referrer() -> None:
    bodies = [
        body("GitRepository", "a", spec={"secretRef": {"name": "git"}, "verify": {"secretRef": {"name": "keys"}}}),
        app(
            "b",
            decryption={"secretRef": {"name": "age"}},
            postBuild={"substituteFrom": [{"kind": "Secret", "name": "vars"}]},
        ),
        body(
            "HelmRelease",
            "c",
            spec={"valuesFrom": [{"kind": "Secret", "name": "values"}, {"kind": "ConfigMap", "name": "no"}]},
        ),
    ]
    found = live.wanted(live.declared(bodies, cluster="c", every=True))
    assert [it.name for it in found] == ["age", "git", "keys", "values", "vars"]
