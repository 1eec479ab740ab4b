"""A repository, a configuration that follows it, and the command line as its users start it."""

from __future__ import annotations

import copy
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fakes.git_repository import GitRepository

from gitopsd.cli.main import gitopsd

GITOPSD = (sys.executable, "-m", "gitopsd")
PATIENCE = 40
"""Seconds until something that should happen counts as missing."""

CONFIG = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: repo}
spec: {url: ./repository, interval: 10m, ref: {branch: main}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: web}
spec: {interval: 10m, path: ./web, prune: true, sourceRef: {kind: GitRepository, name: repo}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: chart}
spec: {}
"""


def config_map(name: str, value: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: default}}\ndata: {{key: {value}}}\n"


@dataclass
class Project:
    """A folder with `gitopsd.yaml` beside `repository`; commands run in it, with nothing of this machine's environment."""

    folder: Path
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.repository = GitRepository(self.folder / "repository")
        self.config = self.folder / "gitopsd.yaml"
        self.config.write_text(CONFIG)
        self.commit({f"web/{name}.yaml": config_map(name, "one") for name in "abcd"})

    @property
    def environment(self) -> Mapping[str, str]:
        own = {"HOME": self.folder, "STATE_DIRECTORY": self.folder / "state", "RUNTIME_DIRECTORY": self.folder / "run"}
        return {"PATH": os.environ["PATH"], "COLUMNS": "120"} | {k: str(v) for k, v in own.items()} | self.extra

    @property
    def socket(self) -> Path:
        return self.folder / "run" / "gitopsd.sock"

    def commit(self, changes: Mapping[str, str | None]) -> str:
        return self.repository.commit(changes)

    def copied(self, folder: Path) -> Project:
        """The same in another folder, with all that was done in it so far."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        made = copy.copy(self)
        made.folder, made.config, made.extra = folder, folder / self.config.name, dict(self.extra)
        made.repository = copy.copy(self.repository)
        made.repository.path = folder / self.repository.path.name
        return made

    def run(self, *args: str, code: int = 0, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a verb to its end, as a process of its own, and insist on its exit code."""
        ended = subprocess.run(
            [*GITOPSD, *args], cwd=self.folder, env=self.environment, input=stdin,
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert ended.returncode == code, f"exit code {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        return ended

    def call(self, *args: str, code: int = 0, stdin: str = "") -> Result:
        """The same in this process: for what a verb does, where its start, its end and its terminal do not matter."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.setattr(os, "environ", dict(self.environment))
            ended = CliRunner().invoke(gitopsd, args, input=stdin, prog_name="gitopsd")
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        assert ended.exit_code == code, f"exit code {ended.exit_code}\n{ended.stdout}\n{ended.stderr}"
        return ended

    @contextmanager
    def daemon(self, *args: str) -> Iterator[Daemon]:
        """The daemon, from READY until SIGTERM."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.settimeout(PATIENCE)
            (self.folder / "notify").unlink(missing_ok=True)
            manager.bind(str(self.folder / "notify"))
            with (
                (self.folder / "daemon.log").open("w") as log,
                subprocess.Popen(
                    [*GITOPSD, "run", *args], cwd=self.folder, stderr=log,
                    env={**self.environment, "NOTIFY_SOCKET": str(self.folder / "notify")},
                ) as process,
            ):  # fmt: skip
                running = Daemon(process, manager, self.folder / "daemon.log")
                try:
                    running.told("READY=1")
                    yield running
                finally:
                    if process.poll() is None:
                        process.kill()


@dataclass
class Daemon:
    """A running daemon: what it told its service manager, and its end."""

    process: subprocess.Popen[bytes]
    manager: socket.socket
    log: Path

    def told(self, wanted: str) -> str:
        """Wait until it says this; answers with all that came with it."""
        try:
            while wanted not in (said := self.manager.recv(4096).decode()):
                pass
            return said
        except TimeoutError:
            pytest.fail(f"the daemon never said {wanted}:\n{self.log.read_text()}")

    def hang_up(self) -> str:
        """SIGHUP, until it is done with it; answers with what the service manager heard."""
        self.process.send_signal(signal.SIGHUP)
        self.told("RELOADING=1")
        return self.told("READY=1")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@dataclass
class Terminal:
    """Runs a command on a pseudo terminal and keeps all that it showed."""

    project: Project

    def run(self, *args: str) -> str:
        ours, theirs = os.openpty()
        shown = b""
        environment = {**self.project.environment, "TERM": "xterm-256color"}
        with subprocess.Popen(
            [*GITOPSD, *args], cwd=self.project.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
        ) as process:
            os.close(theirs)
            while select.select([ours], [], [], PATIENCE)[0]:
                try:
                    shown += os.read(ours, 65536)
                except OSError:  # the other end is closed
                    break
            assert process.wait(PATIENCE) == 0, shown.decode()
        os.close(ours)
        return shown.decode()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture(scope="session")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that was reconciled once, for tests that change nothing of it."""
    made = Project(tmp_path_factory.mktemp("applied"))
    made.run("reconcile", "--once", "--sandbox")
    return made


@pytest.fixture
def reconciled(applied: Project, tmp_path: Path) -> Project:
    """The same, for a test that goes on from there."""
    return applied.copied(tmp_path)


@pytest.fixture
def terminal(project: Project) -> Terminal:
    return Terminal(project)


class Here:
    """The command line in this process: for all that ends before anything is started."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        monkeypatch.chdir(folder)
        for name in ("KUBECONFIG", "GITOPSD_CONFIG", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "CREDENTIALS_DIRECTORY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(folder))
        monkeypatch.setenv("STATE_DIRECTORY", str(folder / "state"))
        monkeypatch.setenv("RUNTIME_DIRECTORY", str(folder / "run"))

    def __call__(self, *args: str, env: Mapping[str, str] | None = None) -> Result:
        return CliRunner().invoke(gitopsd, list(args), env=env, prog_name="gitopsd")

    def write(self, name: str, text: str) -> Path:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)
        return self.folder / name


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    return Here(tmp_path, monkeypatch)


@pytest.fixture
def declared(here: Here) -> Sequence[Path]:
    """A configuration in the folder of `here`; its repository does not exist."""
    return [here.write("gitopsd.yaml", CONFIG)]
