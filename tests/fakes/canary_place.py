"""A project with marked secrets in all its corners, beside servers that repeat what they are sent, and the search for what leaked."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import Any

import pyrage
from fakes import canary, git_server, sops_file
from fakes.canary import Canaries

GITOPSD = (sys.executable, "-m", "gitopsd")
PATIENCE = 90
"""Seconds that a command may take."""
WITHOUT_CONFIG = frozenset({"plugins", "schema", "sops", "build", "completion", "import", "push", "pull", "sandbox"})
"""Verbs that take no configuration."""


class Place:
    """A project with secrets in all its corners."""

    def __init__(self, project: Any, git: git_server.HttpServer, echo: str) -> None:
        self.project, self.git, self.echo, self.canaries = project, git, echo, Canaries()
        self.temporary = project.folder / "tmp"
        self.temporary.mkdir()
        project.extra["TMPDIR"] = str(self.temporary)
        project.extra["VAULT_TOKEN"] = self.secret("own vault token")
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
            "opener/token": self.secret("account token"),
            "aws/sops.aws-kms": f"aws_access_key_id: robot\naws_secret_access_key: {self.secret('aws secret')}\n"
            f"aws_session_token: {self.secret('aws session')}\nendpoint: {self.echo}\n",
            "bucket/accesskey": "robot",
            "bucket/secretkey": self.secret("bucket key"),
            "helm/username": "robot",
            "helm/password": self.secret("helm password"),
            "proxy/address": self.echo.replace(
                "127.0.0.1", "localhost"
            ),  # it is masked, and the other one is in messages
            "proxy/username": "robot",
            "proxy/password": self.secret("proxy password"),
            "registry/.dockerconfigjson": self._logins("registry password"),
            "git/username": "robot",
            "git/password": self.secret("git password"),
            "variables/PASSWORD": self.secret("variable"),
            "remote/value": self._kubeconfig(),
        }.items():
            file = self.project.folder / "secrets.d" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)

    def _logins(self, name: str) -> str:
        """Docker's configuration for the hostile server."""
        login = {"username": "robot", "password": self.secret(name)}
        return json.dumps({"auths": {self.echo.partition("://")[2]: login}})

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
        self.files = {
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
            "vault/a.yaml": sops_file.for_vault(vault, self.echo, bytes(32)),
            "aws/a.yaml": sops_file.for_aws(vault, "arn:aws:kms:eu-west-1:1:key/main", bytes(32)),
            "remote/a.yaml": sealed,
        }
        self.project.commit(self.files)
        for name, content in {**self.files, **self._inputs()}.items():
            file = self.project.folder / "files" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)

    def _inputs(self) -> dict[str, str]:
        """What the imports and registries read."""
        repository = {"url": "https://github.com/o/r", "repositoryRef": {"branch": "main"}, "httpsUser": "me"}
        protected = {"httpsKey": base64.b64encode(self.secret("https key").encode()).decode()}
        properties = {"namespace": "web", "sourceKind": "GitRepository", "gitRepository": repository}
        more = {"configurationProtectedSettings": protected, "kustomizations": {"a": {"path": "a"}}}
        application = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "web", "namespace": "argocd"},
            "spec": {
                "destination": {"server": "https://kubernetes.default.svc", "namespace": "web"},
                "source": {
                    "repoURL": f"https://me:{self.secret('argocd password')}@github.com/o/r",
                    "path": "web",
                    "targetRevision": "main",
                },
            },
        }
        return {
            "inputs/aks.json": json.dumps({"name": "app", "properties": {**properties, **more}}),
            "inputs/application.json": json.dumps(application),
            "docker/config.json": self._logins("docker password"),
        }

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
            "own": "path: ./vault, decryption: {provider: sops}",
            "account": "path: ./vault, decryption: {provider: sops, serviceAccountName: opener}",
            "aws": "decryption: {provider: sops, secretRef: {name: aws}}",
            "remote": f"{decryption}, kubeConfig: {{secretRef: {{name: remote}}}}",
            "undecrypted": "path: ./sealed",
        }
        documents = [self._app(name, rest) for name, rest in apps.items()]
        wrong = f"http://robot:{self.secret('url password')}@127.0.0.1:1/x.git"
        documents += [self._source("far", self.git.url, secret="git"), self._source("repo", "./repository")]
        documents += [self._app("far", "path: ./web, sourceRef: {kind: GitRepository, name: far}")]
        documents += self._refused()
        documents.append(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: vaults, namespace: flux-system}\n"
            f"data: {{config.yaml: 'instances: [{{address: \"{self.echo}\", loginPath: auth/kubernetes/login}}]'}}\n"
        )
        documents.append(
            "apiVersion: gitopsd.io/v1alpha1\nkind: Settings\nmetadata: {name: settings}\n"
            "spec: {decryption: {ownIdentity: ['*'], configMap: vaults}}\n"
        )
        documents.append(
            "apiVersion: gitopsd.io/v1alpha1\nkind: Cluster\nmetadata: {name: test}\n"
            f"spec: {{sandbox: {{persist: {self.project.folder / 'cluster'}}}}}\n"
        )
        self.project.config.write_text("---\n".join(documents))
        (self.project.folder / "wrong.yaml").write_text(self._source("wrong", wrong))

    def _refused(self) -> list[str]:
        """A source of every kind that logs in at the hostile server, which repeats what it was sent."""
        host = self.echo.partition("://")[2]
        kinds = {
            "Bucket": f"timeout: 20s, provider: generic, bucketName: b, endpoint: '{host}', insecure: true, secretRef: {{name: bucket}}",
            "OCIRepository": f"timeout: 20s, url: 'oci://{host}/team/app', insecure: true, secretRef: {{name: registry}}",
            "HelmRepository": f"timeout: 20s, url: '{self.echo}/charts', secretRef: {{name: helm}}",
            "HelmChart": "chart: web, sourceRef: {kind: HelmRepository, name: helmrepository}",
        }
        behind = self._source("proxied", "http://git.example.invalid/x.git", secret="git")
        return [
            self._source("echoed", f"{self.echo}/x.git", secret="git"),
            behind.replace("interval: 1h", "interval: 1h, proxySecretRef: {name: proxy}"),
            *(
                f"apiVersion: source.toolkit.fluxcd.io/v1\nkind: {kind}\nmetadata: {{name: {kind.lower()}, namespace: flux-system}}\n"
                f"spec: {{interval: 1h, {spec}}}\n"
                for kind, spec in kinds.items()
            ),
        ]

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
        host = self.echo.partition("://")[2]
        words = command.format(host=host, creds=self.secret("creds"), key=self.secret("az key")).split()
        takes = words[0] not in WITHOUT_CONFIG
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
