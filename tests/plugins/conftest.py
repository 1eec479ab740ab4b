"""Real programs to compare with: a registry, and whatever is installed."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from fakes.docker_registry import docker_registry


@pytest.fixture
def running(tmp_path):
    """A real registry."""
    (tmp_path / "registry").mkdir()
    with docker_registry(tmp_path / "registry") as found:
        yield found


@pytest.fixture
def tool(tmp_path):
    """Runs a program; skips where it is not installed.

    `fails`: it has to end with an error, which is returned; `both`: what it tells of its work is returned too.
    """

    def run(name, *words, fails=False, both=False):
        program = shutil.which(name)
        if program is None:
            pytest.skip(f"{name} is not installed")
        environment = {
            **os.environ,
            "HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "COSIGN_PASSWORD": "",
            "DOCKER_CONFIG": str(tmp_path),
        }
        done = subprocess.run(
            [program, *map(str, words)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert (done.returncode != 0) is fails, done.stderr
        return done.stderr if fails else done.stdout + (done.stderr if both else "")

    return run
