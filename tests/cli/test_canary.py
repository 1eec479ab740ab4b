"""A marked secret in every place where one can be; every command and every way to fail; and none of them is found anywhere.

What a plain file of the repository holds lies in the store like the file, by design: such secrets are searched for in what is
printed, and in no other file than the store's blobs.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from fakes import canary, echo_server, git_server
from fakes.canary import Canaries
from fakes.canary_place import GITOPSD, Place

from gitopsd.cli.main import gitopsd

pytestmark = [pytest.mark.timeout(1200), pytest.mark.slow]
ALONE = (
    "check", "reconcile --once", "reconcile --once --read-only -o json", "plan -o unified", "get -o yaml", "tree -o json", "store verify",
    "store gc", "history -o json", "why ks/vault", "trace Secret/default/sealed", "plugins -o yaml", "schema",
)  # fmt: skip
"""Commands that run the steps themselves, or read what the last run left."""
APART = (
    "sops check files", "sops check files --keys secrets.d/sops-age", "build kustomization files/sealed", "completion bash",
    "import aks files/inputs/aks.json", "import aks files/inputs/aks.json -o json",
    "import aks -- -n app --url https://github.com/o/r --branch main --https-user me --https-key {key} -k name=a path=./a prune=true",
    "import argocd files/inputs/application.json",
    "push artifact oci://{host}/team/app:v1 --path files/inputs --source x --revision main@sha1:1 --creds robot:{creds} --insecure-registry",
    "push artifact oci://{host}/team/app:v1 --path files/inputs --source x --revision main@sha1:1 --docker-config files/docker --insecure-registry",
    "pull artifact oci://{host}/team/app:v1 --output pulled --creds robot:{creds} --insecure-registry",
)  # fmt: skip
"""Commands that look at neither configuration nor cluster."""
ASKING = (
    "get", "get -o json", "get -o yaml", "get -o name", "tree", "tree -o json", "diff", "diff -o json", "plan -o unified",
    "plan -o side-by-side", "plan -o markdown", "plan -o json", "plan -o yaml", "plan -o name", "reconcile ks/sealed",
    "reconcile ks/variables -o json", "suspend ks/sealed --reason x", "resume ks/sealed", "approve ks/sealed", "why ks/aws",
    "why ks/account -o json", "trace Secret/default/sealed -o json", "trace ConfigMap/default/url", "stats", "stats -o json", "history",
    "events", "events -o json", "events --failed", "logs ks/vault", "logs ks/own", "logs gitrepo/echoed", "delete ks/sealed",
)  # fmt: skip
"""Commands that ask the daemon."""
THERE = ("reconcile --once --context sandbox --kubeconfig there", "import flux --context sandbox --kubeconfig there")
ON_SANDBOX = (*THERE, "import argocd --context sandbox --kubeconfig there", "sandbox down --kubeconfig there",
              "sandbox reset --kubeconfig there --persist kept")  # fmt: skip
"""Commands about a sandbox that runs by itself, under the kubeconfig `there`."""
ELSEWHERE = {
    "run": "the daemon of the tests below",
    "sandbox up": "the sandbox of the test below",
    "demo": "shows content of its own, and takes none",
}


def leaves(command: click.Command, context: click.Context, *path: str) -> Iterator[str]:
    """Every command that does something, by the words that call it."""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from leaves(found, context, *path, name)
    else:
        yield " ".join(path)


def test_every_command_that_there_is_is_run() -> None:
    run = {f"{command} " for command in (*ALONE, *APART, *ASKING, *ON_SANDBOX)}
    known = set(leaves(gitopsd, click.Context(gitopsd)))
    missed = {leaf for leaf in known - ELSEWHERE.keys() if not any(command.startswith(f"{leaf} ") for command in run)}
    assert missed == set(), "add it to one of the lists above, or say in ELSEWHERE why not"
    assert ELSEWHERE.keys() <= known


@pytest.fixture
def place(project: Any) -> Iterator[Place]:
    with git_server.http_server(project.folder / "repository") as server, echo_server.echo_server() as echo:
        yield Place(project, server, echo)


def test_the_search_finds_what_leaks(tmp_path: Path) -> None:
    canaries = Canaries()
    value = canaries.secret("x")
    (tmp_path / "a").write_bytes(b"--" + value.encode())
    assert canaries.find(b"".join(data for _, data in canary.contents(tmp_path))) == {"x"}
    assert canaries.find(b"nothing") == set()


def test_no_command_and_no_failure_shows_or_keeps_a_secret(place: Place) -> None:
    place.git.behaviour.username, place.git.behaviour.password = "robot", "another"
    for command in ALONE:
        place.run(command)
    assert place.leaks() == []
    said = b"".join(text for _, text in place.said).decode()
    for hint in (
        "mac) does not fit",
        "is encrypted with sops, and is not",
        f"Vault {place.echo}, key transit/keys/main answered 403",
        f"the login at Vault {place.echo}/v1/auth/kubernetes/login as the role flux-system_opener answered 403",
        "AWS KMS, key arn:aws:kms:eu-west-1:1:key/main answered 403",
        "after substitution",
    ):
        assert hint in said, f"{hint}\n{said[-6000:]}"


def test_no_command_that_stands_alone_shows_or_keeps_a_secret(place: Place) -> None:
    codes = {command: place.run(command).returncode for command in APART}
    assert place.leaks() == []
    said = dict(place.said)
    assert b"stringData.value" in said[APART[0]] or b"no key opens it" in said[APART[0]]
    assert b"cannot be opened" in said[APART[1]]
    assert b"kind: GitRepository" in said["import aks files/inputs/aks.json"]
    for command in APART[-3:]:
        assert b"403" in said[command], said[command]
        assert codes[command] != 0


def test_the_daemon_shows_and_keeps_no_secret(place: Place) -> None:
    place.git.behaviour.username, place.git.behaviour.password = "robot", place.secret("git password")
    with place.project.daemon("-c", str(place.project.config)) as daemon:
        for command in ASKING:
            place.run(command)
        place.said.append(("daemon", daemon.log.read_bytes()))
        (place.project.folder / "secrets.d" / "variables" / "PASSWORD").write_text(place.secret("rotated variable"))
        daemon.hang_up()
        place.run("reconcile ks/variables")
        place.run("get -o json")
        daemon.stop()
        place.said.append(("daemon", daemon.log.read_bytes()))
    assert place.leaks() == []
    said = dict(place.said)
    for command in ("why ks/aws", "events --failed", "logs ks/vault", "history", "stats"):
        assert len(said[command]) > 50, (command, said[command])


def test_a_sandbox_that_runs_by_itself_shows_and_keeps_no_secret(place: Place) -> None:
    there = place.project.folder / "there"
    up = [*GITOPSD, "sandbox", "up", "--kubeconfig", str(there), "--persist", str(place.project.folder / "kept")]
    with subprocess.Popen(
        up, cwd=place.project.folder, env=place.project.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as sandbox:
        assert sandbox.stdout is not None
        first = sandbox.stdout.readline()
        try:
            for command in ON_SANDBOX:
                place.run(command)
            place.said.append(("sandbox up", first + sandbox.stdout.read()))
        finally:
            sandbox.terminate()
    assert place.leaks() == []
    assert b"Secret/default/sealed" in dict(place.said)[THERE[0]] or b"sealed" in dict(place.said)[THERE[0]]


def test_a_password_in_a_url_is_refused_and_not_repeated(place: Place) -> None:
    for command in ("check", "reconcile --once"):
        done = place.run(command, "-c", str(place.project.folder / "wrong.yaml"))
        assert done.returncode != 0
    assert place.leaks() == []
