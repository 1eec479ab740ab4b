"""A marked secret in every place where one can be; every command and every way to fail; and none of them is found anywhere.

What a plain file of the repository holds lies in the store like the file, by design: such secrets are searched for in what is
printed, and in no other file than the store's blobs.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyrage
import pytest
from fakes import canary, git_server, sops_file
from fakes.canary import Canaries

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]
GITOPSD = (sys.executable, "-m", "gitopsd")
PATIENCE = 90
"""Seconds that a command may take."""
ALONE = (
    "check", "reconcile --once", "reconcile --once --read-only -o json", "plan -o unified", "get -o yaml", "tree -o json", "store verify",
    "plugins -o yaml", "schema", "sops check repository", "sops check repository --keys secrets.d/sops-age",
    "build kustomization repository/sealed",
)  # fmt: skip
"""Commands that run the steps themselves, or need none."""
ASKING = (
    "get", "get -o json", "get -o yaml", "get -o name", "tree", "tree -o json", "diff", "diff -o json", "plan -o unified",
    "plan -o side-by-side", "plan -o markdown", "plan -o json", "plan -o yaml", "plan -o name", "reconcile ks/sealed",
    "reconcile ks/variables -o json", "suspend ks/sealed --reason x", "resume ks/sealed", "approve ks/sealed", "delete ks/sealed",
)  # fmt: skip
"""Commands that ask the daemon."""


class Place:
    """A project with secrets in all its corners."""

    def __init__(self, project: Any, git: git_server.HttpServer) -> None:
        self.project, self.git, self.canaries = project, git, Canaries()
        self.temporary = project.folder / "tmp"
        self.temporary.mkdir()
        project.extra["TMPDIR"] = str(self.temporary)
        identity = pyrage.x25519.Identity.generate()
        self.recipient = str(identity.to_public())
        self.canaries.values["age key"] = str(identity)
        self.said: list[tuple[str, bytes]] = []
        self._keys()
        self._repository()
        self._objects()

    def secret(self, name: str) -> str:
        return self.canaries.secret(name)

    def _keys(self) -> None:
        for path, content in {
            "sops-age/age.agekey": self.canaries.values["age key"],
            "vault/sops.vault-token": self.secret("vault token"),
            "git/username": "robot",
            "git/password": self.secret("git password"),
            "variables/PASSWORD": self.secret("variable"),
            "remote/value": self._kubeconfig(),
        }.items():
            file = self.project.folder / "secrets.d" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)

    def _kubeconfig(self) -> str:
        return (
            "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: [{name: x, context: {cluster: x, user: x}}]\n"
            "clusters: [{name: x, cluster: {server: 'https://127.0.0.1:1'}}]\n"
            f"users: [{{name: x, user: {{token: '{self.secret('kubeconfig token')}'}}}}]\n"
        )

    def sealed(self, name: str, marks: str, **more: Any) -> str:
        document = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "default"}}
        return sops_file.for_age({**document, "stringData": {"value": self.secret(marks)}, **more}, self.recipient)

    def _repository(self) -> None:
        sealed = self.sealed("sealed", "sealed secret")
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "sealed", "namespace": "default"}}
        quoted = (
            'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: default}\ndata: {a: "${Q}${PASSWORD}"}\n'
        )
        unfit = {
            **config,
            "metadata": {"name": "unfit", "namespace": "default"},
            "data": {"value": {"deep": self.secret("unfit")}},
        }
        child = (
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: child, namespace: flux-system}\n"
            "spec: {interval: 1h, path: ./web, prune: true, sourceRef: {kind: GitRepository, name: repo},"
            " postBuild: {substitute: {where: '${PASSWORD}'}}}\n"
        )
        odd = child.replace("name: child", "name: odd").replace("interval: 1h", "interval: '${PASSWORD}'")
        address = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: url, namespace: default}\ndata: {url: 'https://me:${PASSWORD}@x'}\n"
        plain = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: plain, namespace: default}}\nstringData: {{value: '{self.secret('plain secret')}'}}\n"
        vault = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "v"},
            "stringData": {"value": self.secret("vault secret")},
        }
        broken = sops_file.for_age({"a": f"x: [{self.secret('broken')}"}, self.recipient, fields=("a",))
        self.project.commit(
            {
                "sealed/secret.yaml": sealed,
                "sealed/config.yaml": sops_file.for_age(
                    {**config, "data": {"value": self.secret("sealed map")}}, self.recipient
                ),
                "sealed/plain.yaml": plain,
                "variables/child.yaml": child,
                "variables/odd.yaml": odd,
                "variables/url.yaml": address,
                "quoted/b.yaml": quoted,
                "unfit/a.yaml": sops_file.for_age(unfit, self.recipient),
                "changed/a.yaml": self.sealed("changed", "changed").replace("name: changed", "name: other"),
                "numbers/a.yaml": self.sealed("numbers", "numbers", data={"value": self.secret("no base64")}),
                "nothing/a.yaml": broken,
                "vault/a.yaml": sops_file.for_vault(vault, "http://127.0.0.1:1", bytes(32)),
                "remote/a.yaml": sealed,
            }
        )

    def _objects(self) -> None:
        decryption = "decryption: {provider: sops, secretRef: {name: sops-age}}"
        variables = "postBuild: {substitute: {Q: '\"'}, substituteFrom: [{kind: Secret, name: variables}]}"
        apps = {
            "sealed": decryption,
            "variables": variables,
            "quoted": variables,
            "unfit": decryption,
            "changed": decryption,
            "numbers": decryption,
            "nothing": decryption,
            "vault": "decryption: {provider: sops, secretRef: {name: vault}}",
            "remote": f"{decryption}, kubeConfig: {{secretRef: {{name: remote}}}}",
            "undecrypted": "path: ./sealed",
        }
        documents = [self._app(name, rest) for name, rest in apps.items()]
        wrong = f"http://robot:{self.secret('url password')}@127.0.0.1:1/x.git"
        documents += [self._source("far", self.git.url, secret="git"), self._source("repo", "./repository")]
        documents += [self._app("far", "path: ./web, sourceRef: {kind: GitRepository, name: far}")]
        documents.append(
            "apiVersion: gitopsd.io/v1alpha1\nkind: Cluster\nmetadata: {name: test}\n"
            f"spec: {{sandbox: {{persist: {self.project.folder / 'cluster'}}}}}\n"
        )
        self.project.config.write_text("---\n".join(documents))
        (self.project.folder / "wrong.yaml").write_text(self._source("wrong", wrong))

    def _app(self, name: str, rest: str) -> str:
        given = {"path": f"./{name}", "sourceRef": "{kind: GitRepository, name: repo}"}
        defaults = "".join(
            f", {key}: {value}" for key, value in given.items() if f"{key}:" not in rest.split("patches")[0]
        )
        return (
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
            f"metadata: {{name: {name}, namespace: flux-system}}\nspec: {{interval: 1h, timeout: 30s, prune: true{defaults}, {rest}}}\n"
        )

    def _source(self, name: str, url: str, *, secret: str = "") -> str:
        ref = f", secretRef: {{name: {secret}}}" if secret else ""
        return (
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
            f"metadata: {{name: {name}, namespace: flux-system}}\nspec: {{interval: 1h, url: '{url}', ref: {{branch: main}}{ref}}}\n"
        )

    def run(self, command: str, *more: str) -> subprocess.CompletedProcess[bytes]:
        """A command to its end, however it ends; what it said is kept."""
        words = command.split()
        takes = words[0] not in {"plugins", "schema", "sops", "build"}
        config = ["-c", str(self.project.config)] if takes else []
        done = subprocess.run(
            [*GITOPSD, *words, *config, *more], cwd=self.project.folder, env=self.project.environment,
            capture_output=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        self.said.append((command, done.stdout + done.stderr))
        return done

    def leaks(self) -> list[str]:
        """Where which secret was found: in what was said, in files of the state folder and among temporary files."""
        found = [f"{where}: {name}" for where, said in self.said for name in self._found(where, said)]
        for folder in (self.project.folder / "state", self.temporary, self.project.folder / "run"):
            for name, data in canary.contents(folder):
                inside = self.canaries.find(data) - ({"plain secret"} if "cache" in name else set())
                found += [f"{folder.name}/{name}: {leak}" for leak in inside]
        return sorted(set(found))

    def _found(self, command: str, said: bytes) -> set[str]:
        """`gitopsd build` prints what stands in the files."""
        return self.canaries.find(said) - ({"plain secret"} if command.startswith("build") else set())


@pytest.fixture
def place(project: Any) -> Iterator[Place]:
    with git_server.http_server(project.folder / "repository") as server:
        yield Place(project, server)


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
        "Vault http://127.0.0.1:1",
        "after substitution",
    ):
        assert hint in said, said[-3000:]


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


def test_a_password_in_a_url_is_refused_and_not_repeated(place: Place) -> None:
    for command in ("check", "reconcile --once"):
        done = place.run(command, "-c", str(place.project.folder / "wrong.yaml"))
        assert done.returncode != 0
    assert place.leaks() == []
