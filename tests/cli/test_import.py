"""`gitopsd import` as its users start it: what is printed, written, compared and said, and the way to a reconciled cluster."""

from __future__ import annotations

import json
import stat
import subprocess
from base64 import b64decode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import GITOPSD, Here, Project
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from fakes.git_server import http_server

from gitopsd.plugin import yaml

INPUTS = Path(__file__).parents[1] / "plugins" / "aks" / "inputs"
YOUTUBE = "Automate AKS Deployments with the Flux CD Extension"
CONFIGURATION = """\
{"name": "app", "properties": {"namespace": "web", "sourceKind": "GitRepository",
 "gitRepository": {"url": "https://github.com/o/r", "repositoryRef": {"branch": "main"}, "httpsUser": "me"},
 "configurationProtectedSettings": {"httpsKey": "c2VzYW1l"}, "kustomizations": {"a": {"path": "a"}}}}
"""


def documents(text: str) -> list[Any]:
    return [document.value for document in yaml.read_all(text.encode())]


def test_values_say_where_they_came_from(here: Here) -> None:
    printed = here("import", "aks", str(INPUTS / "aks-baseline.bicep")).stdout
    lines = {line.split("#")[0].strip(): line.partition("# ")[2] for line in printed.splitlines() if "#" in line}
    assert lines["branch: main"] == "gitRepository.repositoryRef.branch"
    assert lines["wait: true"] == "absent: the service's default"
    assert any("aks-baseline.bicep:112: bootstrap" in line for line in printed.splitlines())


def test_json_holds_the_same_objects(here: Here) -> None:
    file = str(INPUTS / "aks-baseline.bicep")
    items = json.loads(here("import", "aks", file, "-o", "json").stdout)["items"]
    assert items == documents(here("import", "aks", file).stdout)


def test_secret_values_are_not_printed_without_a_file_for_them(here: Here) -> None:
    here.write("app.json", CONFIGURATION)
    ended = here("import", "aks", "app.json")
    assert ended.exit_code == 0
    assert "c2VzYW1l" not in ended.output
    assert "sesame" not in ended.output
    assert "secret: Secret/web/app-auth with username, password is not printed" in ended.stderr


def test_secrets_go_to_a_file_that_its_owner_alone_reads(here: Here) -> None:
    here.write("app.json", CONFIGURATION)
    secrets = here.write("secrets.yaml", "old")
    secrets.chmod(0o644)
    assert here("import", "aks", "app.json", "--secrets-out", "secrets.yaml").exit_code == 0
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    [secret] = documents(secrets.read_text())
    assert secret["data"] == {"username": "bWU=", "password": "c2VzYW1l"}


def test_an_ssh_url_without_a_key_gets_a_pair_that_is_kept(here: Here) -> None:
    words = [
        "import",
        "aks",
        "--secrets-out",
        "s.yaml",
        "--",
        "-n",
        "app",
        "--ns",
        "web",
        "-u",
        "git@h:o/r",
        "--branch",
        "main",
    ]
    first = here(*words, "-k", "name=a")
    assert first.exit_code == 0, first.output
    assert "give this public key to the repository: ssh-ed25519 AAAA" in first.stderr
    assert "provide: Secret/web/app-auth with known_hosts, for GitRepository/web/app" in first.stderr
    text = (here.folder / "s.yaml").read_text()
    [secret] = documents(text)
    assert load_ssh_private_key(b64decode(secret["data"]["identity"]), None)
    assert here(*words, "-k", "name=a").exit_code == 0
    assert (here.folder / "s.yaml").read_text() == text


def test_a_secrets_file_that_is_something_else_is_not_written_over(here: Here) -> None:
    here.write("s.yaml", "a: [")
    ended = here(
        "import",
        "aks",
        "--secrets-out",
        "s.yaml",
        "--",
        "-n",
        "app",
        "-u",
        "git@h:o/r",
        "--branch",
        "main",
        "-k",
        "name=a",
    )
    assert ended.exit_code == 2
    assert (here.folder / "s.yaml").read_text() == "a: ["


def test_an_import_without_secrets_leaves_those_that_are_there(here: Here) -> None:
    here.write("app.json", CONFIGURATION.replace(', "httpsUser": "me"', "").replace('{"httpsKey": "c2VzYW1l"}', "null"))
    here.write("secrets.yaml", "kept")
    assert here("import", "aks", "app.json", "--secrets-out", "secrets.yaml").exit_code == 0
    assert (here.folder / "secrets.yaml").read_text() == "kept"


def test_what_is_lost_is_an_error_unless_that_is_allowed(here: Here) -> None:
    here.write("app.json", CONFIGURATION.replace('"httpsUser": "me"', '"httpsUser": "me", "colour": "blue"'))
    ended = here("import", "aks", "app.json")
    assert ended.exit_code == 1
    assert "lost: app.json: gitRepository.colour: is not known and left out" in ended.stderr
    assert here("import", "aks", "app.json", "--lenient").exit_code == 0


def test_what_cannot_be_read_is_wrong_usage(here: Here) -> None:
    here.write("app.txt", "hello")
    ended = here("import", "aks", "app.txt")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "is none of: az k8s-configuration flux commands" in ended.stderr


def test_importing_twice_into_a_folder_changes_nothing(here: Here) -> None:
    here.write("app.json", CONFIGURATION)
    assert here("import", "aks", "app.json", "--to", "cluster").exit_code == 0
    before = {path: path.stat().st_mtime_ns for path in (here.folder / "cluster").iterdir()}
    assert sorted(path.name for path in before) == ["accounts.json", "app.yaml"]
    ended = here("import", "aks", "app.json", "--to", "cluster")
    assert {path: path.stat().st_mtime_ns for path in (here.folder / "cluster").iterdir()} == before
    assert "unchanged cluster/app.yaml" in ended.stderr


def test_arguments_of_one_command_can_be_given_directly(here: Here) -> None:
    words = ["-n", "app", "--url", "https://github.com/o/r", "--branch", "main", "-k", "name=a", "path=My Folder"]
    found = documents(here("import", "aks", "--", *words).stdout)
    assert found[-1]["spec"]["path"] == "./My Folder"


def test_parameters_come_from_the_command_line_files_and_parameters_files(here: Here) -> None:
    here.write("key", "sesame\n")
    here.write("p.json", '{"parameters": {"clusters": {"value": ["one"]}}}')
    file = str(INPUTS / "helm-mt.bicep")
    ended = here("import", "aks", file, "--param", "httpsKey=@key", "--parameters", "p.json", "--secrets-out", "s.yaml")
    assert ended.exit_code == 0
    assert "equal copies" not in ended.stderr
    [secret] = documents((here.folder / "s.yaml").read_text())
    assert secret["data"]["password"] == "c2VzYW1lCg=="


def test_a_cluster_that_is_not_named_is_never_taken(here: Here) -> None:
    here.write("app.json", CONFIGURATION)
    ended = here("import", "aks", "app.json", "--check", env={"KUBECONFIG": "/nowhere"})
    assert ended.exit_code == 2
    assert "no cluster is named" in ended.stderr


@pytest.fixture
def sandbox(project: Project) -> Iterator[Mapping[str, str]]:
    """A sandbox as a process of its own; its kubeconfig is `project/sandbox.kubeconfig`."""
    with subprocess.Popen(
        [*GITOPSD, "sandbox", "up"], cwd=project.folder, env=project.environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "a cluster in memory at" in process.stdout.readline()
        yield {"KUBECONFIG": str(project.folder / "sandbox.kubeconfig")}
        process.terminate()
        process.stdout.read()


def test_differences_to_a_cluster_are_printed(project: Project, sandbox: Mapping[str, str]) -> None:
    project.extra.update(sandbox)
    (project.folder / "app.json").write_text(CONFIGURATION)
    ended = project.run("import", "aks", "app.json", "--check", "--context", "sandbox", code=4)
    assert ended.stdout.splitlines() == [
        "Namespace/web: is not in the cluster",
        "ServiceAccount/web/flux-applier: is not in the cluster",
        "ClusterRoleBinding/flux-applier-web: is not in the cluster",
        "GitRepository/web/app: is not in the cluster",
        "Kustomization/web/app-a: is not in the cluster",
        "Secret/web/app-auth: is not in the cluster",
    ]


@pytest.mark.slow
def test_from_an_az_command_to_a_reconciled_sandbox_in_three_commands(project: Project) -> None:
    """What a newcomer types. The repository is a real server on loopback; paths with blanks come from the command."""
    folder = {
        f"{YOUTUBE}/Infrastructure/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: demo}\n",
        f"{YOUTUBE}/Infrastructure/kustomization.yaml": "resources: [namespace.yaml]\n",
        f"{YOUTUBE}/App/demo-app.yml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: demo-app, namespace: demo}\ndata: {a: b}\n",
        f"{YOUTUBE}/App/kustomization.yaml": "resources: [demo-app.yml]\n",
    }
    project.repository.commit(folder, branch="gitops-youtube")
    with http_server(project.repository.path) as server:
        command = (INPUTS / "youtube.ps1").read_text().replace("https://github.com/WolfgangOfner/Youtube", server.url)
        (project.folder / "flux.ps1").write_text(command)

        project.run("import", "aks", "flux.ps1", "--no-multi-tenancy", "--to", "cluster")
        project.run("check", "-c", "cluster", "--sandbox")
        ended = project.run("reconcile", "--once", "-c", "cluster", "--sandbox")

    assert "kustomization/gitopsoperator-app" in ended.stdout
    shown = project.run("tree", "-c", "cluster", "--sandbox", "-o", "name")
    assert {"ConfigMap/demo/demo-app", "Namespace/demo"} <= set(shown.stdout.split())
