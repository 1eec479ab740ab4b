"""Docker's configuration files: which login is for which repository."""

import base64
import json

import pytest

from gitopsd.plugin.oci import credentials, reference
from gitopsd.plugin.oci.credentials import Credential, CredentialError


def config(**auths):
    return json.dumps({"auths": auths}).encode()


def login(name, password="p"):
    return {"auth": base64.b64encode(f"{name}:{password}".encode()).decode()}


def chosen(url, auths):
    found = credentials.choose(credentials.read(json.dumps({"auths": auths}).encode()), reference.read(url).repository)
    return found.username if found else None


@pytest.mark.parametrize(
    ("place", "url", "fits"),
    [
        ("ghcr.io", "oci://ghcr.io/org/app", True),
        ("https://ghcr.io", "oci://ghcr.io/org/app", True),
        ("https://ghcr.io/v2/", "oci://ghcr.io/org/app", True),
        ("ghcr.io/org", "oci://ghcr.io/org/app", True),
        ("ghcr.io/org", "oci://ghcr.io/organization/app", False),
        ("ghcr.io/other", "oci://ghcr.io/org/app", False),
        ("ghcr.io", "oci://ghcr.io:5000/org/app", False),
        ("ghcr.io", "oci://evil-ghcr.io/org/app", False),
        ("*.azurecr.io", "oci://team.azurecr.io/app", True),
        ("*.azurecr.io", "oci://azurecr.io/app", False),
        ("*.azurecr.io", "oci://a.b.azurecr.io/app", False),
        ("*", "oci://ghcr.io/app", False),
        ("https://index.docker.io/v1/", "oci://docker.io/org/app", True),
        ("docker.io", "oci://index.docker.io/org/app", True),
        ("localhost:5000", "oci://localhost:5000/app", True),
    ],
)
def test_entry_fits_as_kubernetes_reads_it(place, url, fits):
    assert chosen(url, {place: login("ada")}) == ("ada" if fits else None)


def test_the_closest_entry_decides():
    auths = {"ghcr.io": login("host"), "ghcr.io/org/app": login("app"), "ghcr.io/org": login("org")}

    assert chosen("oci://ghcr.io/org/app", auths) == "app"
    assert chosen("oci://ghcr.io/org/more", auths) == "org"
    assert chosen("oci://ghcr.io/x", auths) == "host"


def test_every_form_of_a_login_is_read():
    data = config(
        a={"username": "n", "password": "p:q"}, b=login("n", "p:q"), c={"identitytoken": "i"}, d={"registrytoken": "r"}
    )

    assert credentials.read(data) == {
        "a": Credential(username="n", password="p:q"),
        "b": Credential(username="n", password="p:q"),
        "c": Credential(identity="i"),
        "d": Credential(bearer="r"),
    }


def test_the_old_form_has_no_auths():
    assert credentials.read(json.dumps({"ghcr.io": login("ada")}).encode(), old=True)["ghcr.io"].username == "ada"


@pytest.mark.parametrize("data", [b"", b"[]", b'"x"', b"{", b'{"auths": 1}', config(a="x"), config(a={"auth": 1})])
def test_what_is_no_configuration_is_refused(data):
    with pytest.raises(CredentialError, match="no Docker configuration"):
        credentials.read(data)


@pytest.mark.parametrize("auth", ["%%%", base64.b64encode(b"hush").decode(), base64.b64encode(b"\xff:x").decode()])
def test_login_that_is_none_is_refused_without_being_shown(auth):
    with pytest.raises(CredentialError, match="base64 of NAME:PASSWORD") as caught:
        credentials.read(config(a={"auth": auth}))

    assert auth not in str(caught.value)


def test_secrets_are_not_in_the_text_of_a_login():
    assert "hush" not in repr(Credential(username="ada", password="hush", identity="hush", bearer="hush"))
