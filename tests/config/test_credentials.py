from __future__ import annotations

import pytest

from gitopsd.config import credentials
from gitopsd.config.credentials import FileCredentials
from gitopsd.config.declared_set import DeclaredSet
from gitopsd.config.secrets import Data
from gitopsd.plugin import Misconfigured, NotReady

pytestmark = pytest.mark.asyncio


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "secrets.d").mkdir()
    return tmp_path / "secrets.d"


@pytest.fixture
def systemd(tmp_path):
    (tmp_path / "credentials").mkdir()
    return tmp_path / "credentials"


@pytest.fixture
def lookup(folder, systemd):
    def made(**declared):
        return FileCredentials(lambda: DeclaredSet(**declared), folder=folder, systemd=systemd)

    return made


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


async def test_a_declared_document_comes_first(lookup, folder):
    write(folder / "flux-system/git/password", "folder")
    found = lookup(secrets={("flux-system", "git"): Data(values={"password": b"document"})})
    assert await found.secret("flux-system", "git") == {"password": b"document"}


async def test_the_folder_with_a_namespace_comes_before_the_one_without_and_systemd_last(lookup, folder, systemd):
    write(systemd / "git_password", "systemd")
    assert await lookup().secret("flux-system", "git") == {"password": b"systemd"}
    write(folder / "git/password", "short")
    assert await lookup().secret("flux-system", "git") == {"password": b"short"}
    write(folder / "flux-system/git/password", "long")
    assert await lookup().secret("flux-system", "git") == {"password": b"long"}


async def test_without_a_namespace_flux_system_is_meant_and_no_other(lookup, folder, systemd):
    write(folder / "git/password", "x")
    write(systemd / "git_password", "x")
    with pytest.raises(NotReady):
        await lookup().secret("team-a", "git")


async def test_values_are_read_again_at_each_use(lookup, folder):
    found = lookup()
    write(folder / "git/password", "old")
    assert await found.secret("flux-system", "git") == {"password": b"old"}
    write(folder / "git/password", "new")
    assert await found.secret("flux-system", "git") == {"password": b"new"}


async def test_a_mounted_secret_is_read_through_its_links(lookup, folder):
    write(folder / "git/..2026/password", "x")
    (folder / "git/..data").symlink_to("..2026")
    (folder / "git/password").symlink_to("..data/password")
    assert await lookup().secret("flux-system", "git") == {"password": b"x"}


async def test_keys_may_have_dots_and_underscores(lookup, folder, systemd):
    write(folder / "tls/ca.crt", "x")
    write(folder / "tls/.dockerconfigjson", "{}")
    assert set(await lookup().secret("flux-system", "tls")) == {"ca.crt", ".dockerconfigjson"}
    write(systemd / "ssh_known_hosts", "y")
    write(systemd / "ssh_identity", "z")
    assert await lookup().secret("flux-system", "ssh") == {"known_hosts": b"y", "identity": b"z"}


async def test_a_missing_secret_names_every_place(lookup, folder, systemd):
    with pytest.raises(NotReady) as caught:
        await lookup().secret("flux-system", "git")
    assert str(caught.value) == (
        "Secret/flux-system/git not found: no Secret document of this name is declared; "
        f"no files {folder}/flux-system/git/KEY and {folder}/git/KEY; no file {systemd}/git_KEY"
    )


async def test_a_missing_secret_says_which_places_are_not_there_at_all():
    nothing = FileCredentials(DeclaredSet, folder=None, systemd=None)
    with pytest.raises(NotReady, match=r"no secrets folder is set; systemd gave no credentials folder$"):
        await nothing.secret("flux-system", "git")


@pytest.mark.parametrize(
    ("namespace", "name"), [("..", "git"), ("a", "../b"), ("a", ""), ("a/b", "c"), ("a", "x\0"), ("a", "x\n")]
)
async def test_names_that_leave_the_folder_are_refused(lookup, namespace, name):
    with pytest.raises(Misconfigured, match="cannot be the name"):
        await lookup().secret(namespace, name)


async def test_a_value_has_a_limit(lookup, folder, monkeypatch):
    monkeypatch.setattr(credentials, "MAX_VALUE", 4)
    write(folder / "git/password", "12345")
    with pytest.raises(Misconfigured, match=r"git/password is larger than") as caught:
        await lookup().secret("flux-system", "git")
    assert "12345" not in str(caught.value)


async def test_config_maps_come_from_documents(lookup):
    found = lookup(config_maps={("a", "vars"): Data(values={"x": b"y"})})
    assert await found.config("a", "vars") == {"x": b"y"}
    with pytest.raises(NotReady, match="ConfigMap/a/other not found: no ConfigMap document of this name is declared"):
        await found.config("a", "other")
