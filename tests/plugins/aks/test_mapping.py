"""From properties to objects: absence, credentials, scopes, copies, old and snake-case spellings, unknown parts."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from plugins.aks.conftest import Importing

from gitopsd_plugins.aks.resource import InputError
from gitopsd_plugins.aks.sources import normal_url

PEM = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n"


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def body(**properties: Any) -> str:
    git = {"url": "https://github.com/o/r", "repositoryRef": {"branch": "main"}}
    plain = {"namespace": "web", "sourceKind": "GitRepository", "gitRepository": git, "kustomizations": {"a": {}}}
    return json.dumps({"name": "app", "properties": {**plain, **properties}})


def git(**block: Any) -> dict[str, Any]:
    return {"url": "https://github.com/o/r", "repositoryRef": {"branch": "main"}, **block}


@pytest.mark.parametrize("absent", [None, ""])
def test_null_and_empty_are_absent(imported: Importing, absent: str | None) -> None:
    block = git(sshKnownHosts=absent, httpsUser=absent, httpsCACert=absent, localAuthRef=absent, provider=absent)
    made = imported(body(gitRepository=block, kustomizations={"a": {"path": absent, "postBuild": None, "wait": None}}))
    assert made.found.objects == imported(body()).found.objects
    assert made.found.secrets == ()


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("git@github.com:o/r.git", "ssh://git@github.com/o/r.git"),
        ("git@ssh.dev.azure.com:v3/o/p/r", "ssh://git@ssh.dev.azure.com/v3/o/p/r"),
        ("git@host:22/o/r", "ssh://git@host/22/o/r"),
        ("ssh://git@host:22/o/r", "ssh://git@host:22/o/r"),
        ("https://user@host/o/r", "https://user@host/o/r"),
    ],
)
def test_scp_like_urls_become_ssh_urls(url: str, plain: str) -> None:
    assert normal_url(url) == plain


def test_an_ssh_url_without_a_key_asks_for_a_secret(imported: Importing) -> None:
    made = imported(body(gitRepository=git(url="git@github.com:o/r")))
    assert [str(w) for w in made.found.wanted] == [
        "Secret/web/app-auth with identity, known_hosts, for GitRepository/web/app"
    ]
    assert made.spec("GitRepository", "app")["secretRef"] == {"name": "app-auth"}


def test_known_hosts_without_a_key_ask_for_the_key(imported: Importing) -> None:
    made = imported(body(gitRepository=git(url="git@github.com:o/r", sshKnownHosts=coded("h ssh-ed25519 AAAA\n"))))
    assert [str(w) for w in made.found.wanted] == ["Secret/web/app-auth with identity, for GitRepository/web/app"]


def test_local_auth_ref_wins_over_inline_credentials(imported: Importing) -> None:
    block = git(localAuthRef="mine", httpsUser="me")
    made = imported(body(gitRepository=block, configurationProtectedSettings={"httpsKey": coded("x")}))
    assert made.spec("GitRepository", "app")["secretRef"] == {"name": "mine"}
    assert "localAuthRef is used" in made.said


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (PEM, "is not base64 but plain PEM"),
        (coded(PEM.rstrip()), "lost its last line break"),
    ],
)
def test_mistakes_with_base64_that_are_mended(imported: Importing, key: str, message: str) -> None:
    made = imported(body(gitRepository=git(url="ssh://git@h/r"), configurationProtectedSettings={"sshPrivateKey": key}))
    assert message in made.said
    assert base64.b64decode(made.secrets["app-auth"]["identity"]).decode() == PEM


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (coded(coded(PEM)), "coded twice"),
        ("%%%", "is not base64"),
        (coded("no key"), "is no PEM text"),
        (coded(PEM.replace("abc", "Proc-Type: 4,ENCRYPTED")), "has a passphrase"),
    ],
)
def test_mistakes_with_base64_that_are_not(imported: Importing, key: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        imported(body(gitRepository=git(url="ssh://git@h/r"), configurationProtectedSettings={"sshPrivateKey": key}))
    assert key not in str(refused.value)


def test_a_key_without_known_hosts_lacks_something_here(imported: Importing) -> None:
    made = imported(
        body(gitRepository=git(url="ssh://git@h/r"), configurationProtectedSettings={"sshPrivateKey": coded(PEM)})
    )
    assert made.found.lost
    assert "add known_hosts to the Secret" in made.said


def test_known_hosts_that_were_never_coded_are_taken(imported: Importing) -> None:
    block = git(url="ssh://git@h/r", sshKnownHosts="h ssh-ed25519 AAAA")
    made = imported(body(gitRepository=block, configurationProtectedSettings={"sshPrivateKey": coded(PEM)}))
    assert base64.b64decode(made.secrets["app-auth"]["known_hosts"]) == b"h ssh-ed25519 AAAA\n"


def test_namespace_scope_gives_rights_in_the_namespace_only(imported: Importing) -> None:
    made = imported(body(scope="namespace"))
    assert made.names[:4] == [
        "Namespace/web",
        "ServiceAccount/web/flux-applier",
        "Role/web/flux-applier",
        "RoleBinding/web/flux-applier",
    ]
    assert made.body("Role", "flux-applier")["rules"] == [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]


def test_two_scopes_in_one_namespace_are_refused(imported: Importing) -> None:
    one, two = json.loads(body(scope="cluster")), json.loads(body(scope="namespace"))
    with pytest.raises(InputError, match="would share the account flux-applier"):
        imported(json.dumps([one, {**two, "name": "other"}]))


def test_the_account_is_made_once_for_all_configurations_of_a_namespace(imported: Importing) -> None:
    made = imported(json.dumps([json.loads(body()), {**json.loads(body()), "name": "other"}]))
    assert made.names.count("ServiceAccount/web/flux-applier") == 1


def test_two_blocks_are_refused(imported: Importing) -> None:
    with pytest.raises(InputError, match="but there is bucket too"):
        imported(body(bucket={"url": "https://s3"}))


def test_two_ways_to_sign_in_to_a_blob_container_are_refused(imported: Importing) -> None:
    block = {"url": "https://a.blob.core.windows.net", "containerName": "c", "accountKey": "k", "sasToken": "t"}
    with pytest.raises(InputError, match="signs in by accountKey and by sasToken"):
        imported(body(sourceKind="AzureBlob", gitRepository=None, azureBlob=block))


@pytest.mark.parametrize(("url", "insecure"), [("https://s3.host", False), ("http://s3.host", True)])
def test_a_bucket_follows_the_scheme_of_its_url(imported: Importing, url: str, insecure: bool) -> None:
    made = imported(body(sourceKind="Bucket", gitRepository=None, bucket={"url": url, "bucketName": "b"}))
    spec = made.spec("Bucket", "app")
    assert (spec["endpoint"], spec["insecure"], spec["provider"]) == ("s3.host", insecure, "generic")


def test_an_empty_value_of_a_variable_is_kept(imported: Importing) -> None:
    made = imported(body(kustomizations={"a": {"postBuild": {"substitute": {"EMPTY": "", "NUMBER": 2}}}}))
    assert made.spec("Kustomization", "app-a")["postBuild"] == {"substitute": {"EMPTY": "", "NUMBER": "2"}}


def test_without_kustomizations_one_is_made_for_the_whole_source(imported: Importing) -> None:
    made = imported(body(kustomizations={}))
    assert made.spec("Kustomization", "app-kustomization-1")["path"] == "./"
    assert "kustomization-1 is made" in made.said


def test_suspend_suspends_source_and_kustomizations(imported: Importing) -> None:
    made = imported(body(suspend=True))
    assert made.spec("GitRepository", "app")["suspend"] is True
    assert made.spec("Kustomization", "app-a")["suspend"] is True


def test_old_spellings_are_read(imported: Importing) -> None:
    block = git(httpsCAFile=coded("ca"))
    entries = {"a": {}, "b": {"dependsOn": [{"kustomizationName": "a"}], "validation": "none"}}
    made = imported(body(gitRepository=block, kustomizations=entries))
    assert made.spec("Kustomization", "app-b")["dependsOn"] == [{"name": "app-a"}]
    assert base64.b64decode(made.secrets["app-auth"]["ca.crt"]) == b"ca"
    assert made.found.lost is False


def test_dependencies_by_the_name_of_the_object_are_understood(imported: Importing) -> None:
    made = imported(body(kustomizations={"a": {}, "b": {"dependsOn": ["app-a"]}}))
    assert made.spec("Kustomization", "app-b")["dependsOn"] == [{"name": "app-a"}]
    assert "its key 'a' is meant" in made.said


def test_snake_case_of_show_is_read_and_the_users_own_keys_stay(imported: Importing) -> None:
    shown = {
        "name": "app",
        "id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/aks"
        "/providers/Microsoft.KubernetesConfiguration/fluxConfigurations/app",
        "namespace": "web",
        "source_kind": "GitRepository",
        "git_repository": {
            "url": "https://github.com/o/r",
            "sync_interval_in_seconds": 60,
            "repository_ref": {"branch": "main", "commit": None},
        },
        "kustomizations": {
            "my_key": {
                "post_build": {"substitute": {"cluster_env": "prod"}},
                "sync_interval_in_seconds": 90,
                "name": "my_key",
            }
        },
        "compliance_state": "Compliant",
        "statuses": None,
        "system_data": {},
    }
    made = imported(json.dumps(shown))
    spec = made.spec("Kustomization", "app-my_key")
    assert (spec["interval"], spec["postBuild"]) == ("1m30s", {"substitute": {"cluster_env": "prod"}})
    assert made.spec("GitRepository", "app")["interval"] == "1m0s"
    assert made.found.notes == ()


def test_what_kubectl_prints_of_fluxconfigs_is_read(imported: Importing) -> None:
    text = """\
apiVersion: v1
kind: List
items:
- apiVersion: clusterconfig.azure.com/v1alpha1
  kind: FluxConfig
  metadata: {name: app, namespace: web}
  spec:
    scope: cluster
    sourceKind: GitRepository
    operationId: 123
    gitRepository: {url: "https://github.com/o/r", syncInterval: 1m0s, timeout: 10m0s, repositoryRef: {branch: main}}
    protectedParametersSecretRef: {name: app-protected-parameters}
    kustomizations:
      infra: {path: ./infra, syncInterval: 1m0s, prune: true}
"""
    made = imported(text)
    assert made.spec("GitRepository", "app")["interval"] == "1m0s"
    assert made.spec("Kustomization", "app-infra")["interval"] == "1m0s"
    assert "Secret/web/app-protected-parameters of the cluster and is not read" in made.said


def test_unknown_properties_are_named_and_lost(imported: Importing) -> None:
    made = imported(body(gitRepository=git(colour="blue"), kustomizations={"a": {"shape": "round"}}))
    assert made.found.lost
    assert "gitRepository.colour: is not known and left out" in made.said
    assert "kustomizations.a.shape: is not known and left out" in made.said


def test_additional_configurations_are_merged_last_and_what_they_replace_is_said(imported: Importing) -> None:
    entry = {"path": "./a", "additionalConfigurations": {"decryption": {"provider": "sops"}, "path": "./b"}}
    made = imported(
        body(gitRepository=git(additionalConfigurations={"recurseSubmodules": True}), kustomizations={"a": entry})
    )
    spec = made.spec("Kustomization", "app-a")
    assert (spec["decryption"], spec["path"]) == ({"provider": "sops"}, "./b")
    assert "replaces spec.path" in made.said
    assert made.spec("GitRepository", "app")["recurseSubmodules"] is True


def test_a_wrong_type_is_refused_with_its_path(imported: Importing) -> None:
    with pytest.raises(InputError, match=r"kustomizations.a.timeoutInSeconds: 'soon' is not a number of seconds"):
        imported(body(kustomizations={"a": {"timeoutInSeconds": "soon"}}))


@pytest.mark.parametrize("text", ["", "hello", "[]", "{}", "{", "kind: Pod\napiVersion: v1\n", '{"parameters": {}}'])
def test_what_is_no_configuration_is_refused(imported: Importing, text: str) -> None:
    with pytest.raises(InputError):
        imported(text)
