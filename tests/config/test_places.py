from __future__ import annotations

from pathlib import Path

import pytest

from gitopsd.config import places
from gitopsd.config.settings import Settings
from gitopsd.plugin import UsageError


@pytest.mark.parametrize(
    ("settings", "environment", "root", "folder"),
    [
        (Settings(state_dir="/x"), {"STATE_DIRECTORY": "/y"}, True, "/x"),
        (Settings(), {"STATE_DIRECTORY": "/y:/z"}, True, "/y"),
        (Settings(), {"HOME": "/root"}, True, "/var/lib/gitopsd"),
        (Settings(), {"XDG_STATE_HOME": "/s", "HOME": "/h"}, False, "/s/gitopsd"),
        (Settings(), {"HOME": "/h"}, False, "/h/.local/state/gitopsd"),
    ],
)
def test_the_state_folder_is_the_first_that_is_known(settings, environment, root, folder):
    assert places.state(settings, environment, root=root) == Path(folder)


def test_without_any_home_the_state_folder_must_be_named():
    with pytest.raises(UsageError, match="stateDir"):
        places.state(Settings(), {}, root=False)


@pytest.mark.parametrize(
    ("settings", "environment", "root", "socket"),
    [
        (Settings(socket="/x/s"), {"RUNTIME_DIRECTORY": "/r"}, True, "/x/s"),
        (Settings(), {"RUNTIME_DIRECTORY": "/r"}, False, "/r/gitopsd.sock"),
        (Settings(), {}, True, "/run/gitopsd/gitopsd.sock"),
        (Settings(), {"XDG_RUNTIME_DIR": "/run/user/7"}, False, "/run/user/7/gitopsd/gitopsd.sock"),
        (Settings(), {"HOME": "/h"}, False, "/h/.local/state/gitopsd/gitopsd.sock"),
    ],
)
def test_the_socket_lies_in_the_first_folder_that_is_known(settings, environment, root, socket):
    assert places.socket(settings, environment, root=root) == Path(socket)


def test_the_secrets_folder_lies_in_the_first_config_folder(tmp_path):
    (tmp_path / "gitopsd.yaml").touch()
    default = tmp_path / "secrets.d"
    assert places.secrets(Settings(), [tmp_path, Path("/etc")]) == default
    assert places.secrets(Settings(), [tmp_path / "gitopsd.yaml"]) == default
    assert places.secrets(Settings(secrets_dir="keys"), [tmp_path / "gitopsd.yaml"]) == tmp_path / "keys"
    assert places.secrets(Settings(secrets_dir="../keys"), [tmp_path]) == tmp_path / "../keys"
    assert places.secrets(Settings(secrets_dir="/keys"), [tmp_path]) == Path("/keys")
    assert places.secrets(Settings(), []) is None


def test_a_secrets_folder_that_would_be_read_as_documents_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"lies among the declared files; call it secrets\.d or move it out"):
        places.secrets(Settings(secrets_dir="keys"), [tmp_path])


def test_the_config_is_named_by_the_environment_or_lies_here(tmp_path):
    assert places.config({"GITOPSD_CONFIG": "/a:/b"}, tmp_path) == [Path("/a"), Path("/b")]
    (tmp_path / "gitopsd.yaml").touch()
    assert places.config({}, tmp_path) == [tmp_path / "gitopsd.yaml"]


def test_systemds_folder_is_named_by_the_environment():
    assert places.credentials({"CREDENTIALS_DIRECTORY": "/run/c"}) == Path("/run/c")
    assert places.credentials({}) is None
