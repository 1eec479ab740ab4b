"""The configurations that people publish, typed anew, give the objects that the extension makes of them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from plugins.aks.conftest import Importing

DEFAULTS = {"prune": False, "force": False, "wait": True, "serviceAccountName": "flux-applier"}


def source(name: str, namespace: str, kind: str = "GitRepository") -> dict[str, Any]:
    return {"kind": kind, "name": name, "namespace": namespace}


def test_aks_baseline_in_bicep(imported: Importing) -> None:
    made = imported(file="aks-baseline.bicep")
    assert made.names == [
        "Namespace/flux-system",
        "ServiceAccount/flux-system/flux-applier",
        "ClusterRoleBinding/flux-applier-flux-system",
        "GitRepository/flux-system/bootstrap",
        "Kustomization/flux-system/bootstrap-unified",
    ]
    assert made.spec("GitRepository", "bootstrap") == {
        "interval": "5m0s",
        "timeout": "3m0s",
        "url": "https://github.com/mspnp/aks-baseline",
        "ref": {"branch": "main"},
    }
    assert made.spec("Kustomization", "bootstrap-unified") == {
        **DEFAULTS,
        "interval": "5m0s",
        "retryInterval": "5m0s",
        "timeout": "5m0s",
        "path": "./cluster-manifests",
        "prune": True,
        "sourceRef": source("bootstrap", "flux-system"),
    }
    assert made.body("GitRepository", "bootstrap")["metadata"]["labels"] == {
        "clusterconfig.azure.com/is-managed": "true",
        "clusterconfig.azure.com/name": "bootstrap",
        "clusterconfig.azure.com/namespace": "flux-system",
    }
    assert made.found.notes == ()


def test_aks_construction_through_a_module(imported: Importing) -> None:
    made = imported(file="construction.bicep", settled={"namespace": "flux-system"})
    assert made.spec("GitRepository", "fluxsetup") == {
        "interval": "5m0s",
        "timeout": "3m0s",
        "url": "https://github.com/Azure/AKS-Construction",
        "ref": {"branch": "main"},
        "secretRef": {"name": "fluxsetup-protected-parameters"},
    }
    assert made.spec("Kustomization", "fluxsetup-infra")["path"] == "./infrastructure"
    assert made.spec("Kustomization", "fluxsetup-apps")["dependsOn"] == [{"name": "fluxsetup-infra"}]
    assert made.secrets == {
        "fluxsetup-protected-parameters": {
            "username": base64.b64encode(b"u").decode(),
            "password": base64.b64encode(b"p").decode(),
        }
    }


def test_a_namespace_that_only_another_module_knows_is_asked_for(imported: Importing) -> None:
    with pytest.raises(Exception, match=r"namespace is an output of the module names.*--set namespace=flux-system"):
        imported(file="construction.bicep")


def test_helm_mt_in_a_loop_over_three_clusters_is_one_configuration(imported: Importing) -> None:
    made = imported(file="helm-mt.bicep", parameters={"httpsKey": "sesame"})
    assert made.spec("GitRepository", "bicep-fluxconfig") == {
        "interval": "2m0s",
        "timeout": "10m0s",
        "url": "https://github.com/Azure/gitops-flux2-kustomize-helm-mt",
        "ref": {"branch": "main"},
        "secretRef": {"name": "bicep-fluxconfig-auth"},
    }
    common = {
        **DEFAULTS,
        "interval": "2m0s",
        "timeout": "10m0s",
        "sourceRef": source("bicep-fluxconfig", "cluster-config"),
    }
    assert made.spec("Kustomization", "bicep-fluxconfig-infra") == {**common, "path": "./infrastructure"}
    assert made.spec("Kustomization", "bicep-fluxconfig-apps") == {
        **common,
        "path": "./apps/production",
        "dependsOn": [{"name": "bicep-fluxconfig-infra"}],
    }
    assert {key: base64.b64decode(value) for key, value in made.secrets["bicep-fluxconfig-auth"].items()} == {
        "username": b"username",
        "password": b"sesame",
    }
    assert "3 equal copies are one here: aks-dev, aks-staging, aks-production" in made.said


def test_osdu_in_bicep_with_the_extension_without_multi_tenancy(imported: Importing) -> None:
    made = imported(file="osdu.bicep")
    assert "ServiceAccount/osdu-flux/flux-applier" not in made.names
    stack = made.body("Kustomization", "osdu-spi-stack-system-stack")["spec"]
    assert (stack["timeout"], stack["path"]) == ("30m0s", "./software/stacks/osdu/profiles/core")
    assert "serviceAccountName" not in stack
    assert "patches" not in stack
    assert made.spec("Kustomization", "osdu-spi-stack-system-ingress")["path"] == "./software/stacks/osdu/ingress/azure"
    assert made.spec("GitRepository", "osdu-spi-stack-system")["ref"] == {"branch": "main"}


@pytest.mark.parametrize(
    ("parameters", "ref", "paths"),
    [
        ({"ref": {"tag": "v1", "branch": ""}}, {"tag": "v1"}, 2),
        ({"ingressMode": "none"}, {"branch": "main"}, 1),
        ({"ingressMode": "other"}, {"branch": "main"}, 2),
    ],
)
def test_osdu_follows_its_parameters(imported: Importing, parameters: Any, ref: Any, paths: int) -> None:
    made = imported(file="osdu.bicep", parameters=parameters)
    assert made.spec("GitRepository", "osdu-spi-stack-system")["ref"] == ref
    assert sum(name.startswith("Kustomization/") for name in made.names) == paths


def test_an_oci_repository_in_arm(imported: Importing) -> None:
    made = imported(file="oci.json", parameters={"clusterName": "aks"})
    assert made.spec("OCIRepository", "lamp") == {
        "interval": "1m0s",
        "timeout": "10m0s",
        "url": "oci://lamp.azurecr.io/manifests/lamp",
        "ref": {"tag": "latest"},
        "provider": "azure",
    }
    app = made.body("Kustomization", "lamp-app")["spec"]
    assert app["postBuild"] == {"substitute": {"colour": "blue", "empty": ""}}
    assert app["dependsOn"] == [{"name": "lamp-infrastructure"}]
    assert "patches" not in app


def test_a_token_through_the_protected_secret_in_a_nested_deployment(imported: Importing) -> None:
    made = imported(file="pat.json", parameters={"user": "me", "pat": "sesame"})
    assert made.spec("GitRepository", "private")["secretRef"] == {"name": "private-protected-parameters"}
    assert made.spec("GitRepository", "private")["timeout"] == "1m0s"
    assert base64.b64decode(made.secrets["private-protected-parameters"]["password"]) == b"sesame"
    assert made.found.wanted == ()


def test_a_blob_container_with_the_identity_of_the_place(imported: Importing) -> None:
    made = imported(file="blob.json")
    assert made.spec("Bucket", "blob") == {
        "interval": "2m0s",
        "timeout": "10m0s",
        "provider": "azure",
        "endpoint": "https://account.blob.core.windows.net",
        "bucketName": "manifests",
    }
    assert made.spec("Kustomization", "blob-all")["path"] == "./"
    assert made.spec("Kustomization", "blob-all")["retryInterval"] == "1m0s"
    assert "names no way to sign in" in made.said


def test_the_sample_of_the_api(imported: Importing) -> None:
    made = imported(file="sample.json")
    one = made.spec("Kustomization", "srs-fluxconfig-srs-kustomization1")
    assert one["postBuild"] == {
        "substitute": {"cluster_env": "prod", "replica_count": "2"},
        "substituteFrom": [{"kind": "ConfigMap", "name": "cluster-test", "optional": True}],
    }
    two = made.spec("Kustomization", "srs-fluxconfig-srs-kustomization2")
    assert (two["wait"], two["retryInterval"]) == (False, "10m0s")
    assert [str(wanted) for wanted in made.found.wanted] == [
        "Secret/srs-namespace/secret-name, for Kustomization/srs-namespace/srs-fluxconfig-srs-kustomization2"
    ]
    assert "waitForReconciliation (PT30M) is no property of an object here" in made.said


def test_the_youtube_commands_with_blanks_in_paths(imported: Importing) -> None:
    made = imported(file="youtube.ps1")
    assert made.spec("GitRepository", "gitopsoperator") == {
        "interval": "20s",
        "timeout": "10m0s",
        "url": "https://github.com/WolfgangOfner/Youtube",
        "ref": {"branch": "gitops-youtube"},
    }
    common = {**DEFAULTS, "interval": "10m0s", "timeout": "10m0s", "prune": True}
    common["sourceRef"] = source("gitopsoperator", "aks-gitops-flux")
    folder = "./Automate AKS Deployments with the Flux CD Extension"
    assert made.spec("Kustomization", "gitopsoperator-infrastructure") == {**common, "path": f"{folder}/Infrastructure"}
    assert made.spec("Kustomization", "gitopsoperator-app") == {
        **common,
        "path": f"{folder}/App",
        "dependsOn": [{"name": "gitopsoperator-infrastructure"}],
    }


def test_a_script_whose_variables_are_set_in_it(imported: Importing) -> None:
    made = imported(file="tomas-iac.sh")
    spec = made.spec("Kustomization", "baseline-infra")
    assert (spec["path"], spec["interval"], spec["retryInterval"]) == ("./clusters/project1-prod-aks", "1m0s", "1m0s")


def test_releases_that_ask_for_it_take_their_chart_from_the_managed_source(imported: Importing) -> None:
    [patch] = imported(file="aks-baseline.bicep").body("Kustomization", "bootstrap-unified")["spec"]["patches"]
    assert patch["target"] == {
        "kind": "HelmRelease",
        "annotationSelector": "clusterconfig.azure.com/use-managed-source=true",
    }
    assert "{kind: GitRepository, name: bootstrap, namespace: flux-system}" in patch["patch"]
