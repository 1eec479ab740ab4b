"""`gitopsd pull artifact` and `push artifact`, against Debian's docker-registry with a login and TLS."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from fakes.certificate import self_signed
from fakes.docker_registry import docker_registry
from fakes.registry import Registry, layer, serving

from gitopsd_plugins.oci.command import pull, push

LOGIN = ("ada", "hush-hush")
ORIGIN = ("--source", "https://git.example.org/team/app", "--revision", "main@sha1:abc")
FILES = {"a.yaml": "a: 1\n", "deploy/run.sh": "#!/bin/sh\n", "deploy/empty": ""}


@pytest.fixture
def running(tmp_path):
    (tmp_path / "registry").mkdir()
    certificate = self_signed(tmp_path / "tls")
    with docker_registry(tmp_path / "registry", login=LOGIN, tls=certificate) as found:
        yield found


@pytest.fixture
def folder(tmp_path):
    """A folder to push, with what Flux leaves out by default."""
    made = tmp_path / "content"
    for name, text in {**FILES, ".git/config": "x", "logo.png": "x"}.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    (made / "deploy/run.sh").chmod(0o755)
    return made


@pytest.fixture
def run(tmp_path):
    """Runs a verb with the CA and Docker's configuration of the test."""
    config = tmp_path / "docker"
    config.mkdir()

    def running_(command, *words):
        environment = {"DOCKER_CONFIG": str(config), "SSL_CERT_FILE": str(tmp_path / "tls" / "tls.crt")}
        return CliRunner().invoke(command, ["artifact", *map(str, words)], env=environment)

    return running_


def log_in(tmp_path, host, **entry):
    data = {"auths": {host: entry or {"username": LOGIN[0], "password": LOGIN[1]}}}
    (tmp_path / "docker" / "config.json").write_text(json.dumps(data))


def contents(folder: Path):
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_what_is_pushed_is_pulled_again(running, run, folder, tmp_path):
    log_in(tmp_path, running.host)

    pushed = run(push, f"{running.url}:v1", "--path", folder, *ORIGIN)
    pulled = run(pull, f"{running.url}:v1", "--output", tmp_path / "out")

    assert (pushed.exit_code, pulled.exit_code) == (0, 0), pushed.output + pulled.output
    assert pushed.output.strip().startswith(f"{running.url}@sha256:")
    assert pulled.stdout == pushed.stdout
    assert pulled.stderr == f"3 files written to {tmp_path / 'out'}\n"
    assert contents(tmp_path / "out") == FILES
    assert os.access(tmp_path / "out/deploy/run.sh", os.X_OK)
    assert not os.access(tmp_path / "out/a.yaml", os.X_OK)


def test_reproducible_artifact_has_the_same_digest_whenever_it_is_pushed(running, run, folder, tmp_path):
    words = ("--path", folder, *ORIGIN, "--reproducible", "-o", "json", "--creds", ":".join(LOGIN))

    first = json.loads(run(push, f"{running.url}:v1", *words).stdout)
    os.utime(folder / "a.yaml", (1, 1))
    second = json.loads(run(push, f"{running.url}:v2", *words).stdout)

    assert first["digest"] == second["digest"]
    assert first == {
        "url": f"{running.url}@{first['digest']}",
        "repository": f"{running.host}/team/app",
        "tag": "v1",
        "digest": first["digest"],
    }


def test_one_file_is_an_artifact_too(running, run, folder, tmp_path):
    log_in(tmp_path, running.host)

    run(push, f"{running.url}:v1", "--path", folder / "a.yaml", *ORIGIN)
    done = run(pull, f"{running.url}:v1", "--output", tmp_path / "out")

    assert done.exit_code == 0, done.output
    assert contents(tmp_path / "out") == {"a.yaml": "a: 1\n"}


def test_patterns_replace_the_ones_that_are_left_out_by_default(running, run, folder, tmp_path):
    log_in(tmp_path, running.host)

    run(push, f"{running.url}:v1", "--path", folder, *ORIGIN, "--ignore-paths", ".git/,deploy/")
    run(pull, f"{running.url}:v1", "--output", tmp_path / "out")

    assert set(contents(tmp_path / "out")) == {"a.yaml", "logo.png"}


def test_symbolic_link_is_left_out_with_a_warning(running, run, folder, tmp_path):
    log_in(tmp_path, running.host)
    (folder / "link").symlink_to("/etc/passwd")

    done = run(push, f"{running.url}:v1", "--path", folder, *ORIGIN)

    assert done.stderr == "Warning: link: a symbolic link, left out\n"


@pytest.mark.parametrize("creds", [(), ("--creds", "ada:wrong")])
def test_registry_that_lets_nobody_in_is_said(running, run, folder, creds):
    done = run(push, f"{running.url}:v1", "--path", folder, *ORIGIN, *creds)

    assert done.exit_code == 1
    assert "--creds" in done.stderr
    assert "wrong" not in done.stderr


def test_login_that_a_program_keeps_is_said(run, folder, tmp_path):
    config = {"auths": {"ghcr.io": {}}, "credsStore": "desktop"}
    (tmp_path / "docker" / "config.json").write_text(json.dumps(config))

    done = run(pull, "oci://ghcr.io/app:v1", "--output", tmp_path / "out", "--ca-file", "")

    assert done.exit_code == 2
    assert "the program docker-credential-desktop, which gitopsd does not run; use --creds" in done.stderr


@pytest.mark.parametrize("url", ["ghcr.io/app:v1", "oci://ghcr.io/app", "oci://ghcr.io/App:v1"])
def test_url_that_cannot_be_pushed_to_is_refused(run, folder, url):
    assert run(push, url, "--path", folder, *ORIGIN).exit_code == 2


@pytest.fixture
def registry():
    with serving(Registry()) as made:
        yield made


def test_file_with_other_content_is_left_alone_unless_it_may_be_replaced(registry, run, tmp_path):
    registry.artifact(layer({"a": b"1", "b": b"2"}), tag="v1")
    out = tmp_path / "out"
    out.mkdir()
    (out / "a").write_text("1")
    (out / "b").write_text("mine")

    words = (f"{registry.url}:v1", "--output", out, "--ca-file", "")
    refused = run(pull, *words)
    assert (refused.exit_code, (out / "b").read_text()) == (2, "mine")
    assert f"{out / 'b'} is there already with other content; --force replaces it" in refused.stderr

    assert run(pull, *words, "--force").exit_code == 0
    assert contents(out) == {"a": "1", "b": "2"}


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_nothing_is_written_through_a_link(registry, run, tmp_path, force):
    registry.artifact(layer({"folder/a": b"1"}), tag="v1")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/folder").symlink_to(tmp_path / "elsewhere")

    done = run(pull, f"{registry.url}:v1", "--output", tmp_path / "out", "--ca-file", "", *force)

    assert done.exit_code == 2
    assert "folder is in the way: no folder, or a link" in done.stderr
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_hostile_artifact_writes_nothing(registry, run, tmp_path):
    registry.artifact(layer({"a": b"1", "../../x": b"2"}), tag="v1")

    done = run(pull, f"{registry.url}:v1", "--output", tmp_path / "out", "--ca-file", "")

    assert (done.exit_code, "a path that leaves the archive" in done.stderr) == (1, True)
    assert not (tmp_path / "out").exists()
