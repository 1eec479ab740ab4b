"""Signatures that the real tools make and check, beside ours; a tool that is not there is named in a skip."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from click.testing import CliRunner
from fakes import notary
from fakes.registry import layer
from fakes.sigstore import ADA, ISSUER, Sigstore

from gitopsd.plugin import VerificationFailed
from gitopsd_plugins.oci.command import push


@pytest.fixture
def pushed(running, tmp_path):
    """Pushes a small artifact; its address by digest, without the scheme."""

    def push_once(text="a: 1\n", tag="latest"):
        folder = tmp_path / "content"
        folder.mkdir(exist_ok=True)
        (folder / "a.yaml").write_text(text)
        words = ["artifact", f"{running.url}:{tag}", "--path", str(folder), "--source", "here", "--revision", "one"]
        done = CliRunner().invoke(push, words)
        assert done.exit_code == 0, done.output
        return done.stdout.strip().removeprefix("oci://")

    return push_once


@pytest.fixture
def sync(world, read, running):
    """Fetches with this `verify`, by the clock of the tools, which is everybody's."""
    world.ctx = replace(world.ctx, now=lambda: datetime.now(UTC))
    return lambda **verify: anyio.run(world.sync, read(url=running.url, verify=verify))


COSIGN = {"simple": ("--new-bundle-format=false",), "bundle": ()}
OFFLINE = ("--use-signing-config=false", "--tlog-upload=false", "--allow-http-registry", "--yes")


@pytest.fixture(params=COSIGN)
def cosign(tool, tmp_path, world, request):
    """Signs by a key that cosign made, and puts it into the Secret."""

    def sign(where):
        if not (tmp_path / "cosign.pub").exists():
            tool("cosign", "generate-key-pair")
        tool("cosign", "sign", "--key", "cosign.key", *OFFLINE, *COSIGN[request.param], where)
        world.secrets.data["keys"] = {"cosign.pub": (tmp_path / "cosign.pub").read_bytes()}

    return sign


KEYS = {"secretRef": {"name": "keys"}}


def test_what_cosign_signs_is_good(pushed, cosign, sync):
    cosign(pushed())

    _, stored = sync(**KEYS)

    assert "by the key cosign.pub" in stored.verified


def test_what_cosign_signed_does_not_vouch_for_what_came_later(pushed, cosign, sync):
    cosign(pushed())
    pushed("changed: true\n")

    with pytest.raises(VerificationFailed, match="is not signed"):
        sync(**KEYS)


def test_key_of_another_cosign_pair_is_none(pushed, cosign, tool, sync, world, tmp_path):
    cosign(pushed())
    tool("cosign", "generate-key-pair", "--output-key-prefix", "other")
    world.secrets.data["keys"] = {"other.pub": (tmp_path / "other.pub").read_bytes()}

    with pytest.raises(VerificationFailed, match="none of its 1 signatures"):
        sync(**KEYS)


NAME = "tests.example.org"


@pytest.fixture
def trusting(tool, tmp_path, world):
    """Has notation and the Secret trust a certificate in a file, by a policy."""

    def trust(file, level="strict", identities=("*",), scopes=("*",)):
        statement = {
            "name": "tests",
            "registryScopes": list(scopes),
            "signatureVerification": {"level": level},
            "trustStores": [f"ca:{NAME}"],
            "trustedIdentities": list(identities),
        }
        policy = json.dumps({"version": "1.0", "trustPolicies": [statement]})
        (tmp_path / "trustpolicy.json").write_text(policy)
        tool("notation", "policy", "import", "--force", tmp_path / "trustpolicy.json")
        world.secrets.data["trust"] = {"trustpolicy.json": policy.encode(), "ca.crt": file.read_bytes()}

    return trust


@pytest.fixture(params=["jws", "cose"])
def notation(tool, tmp_path, trusting, request):
    """Signs with notation, by a certificate that it made."""

    def sign(where, *options, **how):
        made = tmp_path / "config/notation/localkeys" / f"{NAME}.crt"
        if not made.exists():
            tool("notation", "cert", "generate-test", "--default", NAME)
        tool("notation", "sign", "--insecure-registry", "--signature-format", request.param, *options, where)
        trusting(made, **how)

    return sign


TRUST = {"provider": "notation", "secretRef": {"name": "trust"}}


def verify(tool, where, **more):
    return tool("notation", "verify", "--insecure-registry", where, **more)


@pytest.mark.parametrize("options", [(), ("--force-referrers-tag=false",)], ids=["tag", "either"])
def test_what_notation_signs_is_good_for_both(pushed, notation, tool, sync, options):
    where = pushed()
    notation(where, *options, identities=["x509.subject: C=US, ST=WA, O=Notary"])

    _, stored = sync(**TRUST)

    assert f"CN={NAME},O=Notary,L=Seattle,ST=WA,C=US" in stored.verified
    verify(tool, where)


@pytest.mark.parametrize(
    ("how", "ours", "theirs"),
    [
        (
            {"identities": ["x509.subject: C=US, ST=WA, O=Else"]},
            "whom trustedIdentities does not name",
            "verification failed for all the signatures",
        ),
        ({"scopes": ["registry.example.org/team/app"]}, "has no statement for", "no applicable"),
    ],
    ids=["identity", "scope"],
)
def test_what_notation_refuses_is_refused(pushed, notation, tool, sync, how, ours, theirs):
    where = pushed()
    notation(where, **how)

    with pytest.raises(Exception, match=ours):
        sync(**TRUST)

    assert theirs in verify(tool, where, fails=True)


def test_signature_of_notation_expires_for_us_when_it_says(pushed, notation, world, sync):
    notation(pushed(), "--expiry", "1h")
    sync(**TRUST)

    world.ctx = replace(world.ctx, now=lambda: datetime.now(UTC) + timedelta(hours=2))

    with pytest.raises(VerificationFailed, match="its signature does not count: it expired at"):
        sync(**TRUST)


def test_what_notation_signed_does_not_vouch_for_what_came_later(pushed, notation, tool, sync):
    notation(pushed())
    later = pushed("changed: true\n")

    with pytest.raises(VerificationFailed, match="is not signed with notation"):
        sync(**TRUST)

    assert "no signature is associated" in verify(tool, later, fails=True)


NOW = datetime.now(UTC)


@pytest.mark.parametrize("form", [notary.JWS, notary.COSE])
@pytest.mark.parametrize("algorithm", ["ES256", "ES512", "PS256"])
def test_what_the_other_tests_sign_is_good_for_notation(registry, tool, trusting, tmp_path, form, algorithm):
    authority = notary.Authority()
    subject = registry.artifact(layer({"a.yaml": b"a: 1\n"}), tag="latest")
    notary.sign(registry, subject, authority.signer(algorithm=algorithm, ends=NOW + notary.DAY), form=form)
    (tmp_path / "root.pem").write_bytes(authority.pem)
    trusting(tmp_path / "root.pem", identities=["x509.subject: C=DE, ST=BE, O=Example"])
    tool("notation", "cert", "add", "--type", "ca", "--store", NAME, tmp_path / "root.pem")

    verify(tool, f"{registry.host}/{registry.repository}@{subject}")


@pytest.mark.parametrize("form", ["simple", "bundle"])
def test_what_the_other_tests_sign_without_a_key_is_good_for_cosign(registry, tool, tmp_path, form):
    sigstore = Sigstore()
    subject = registry.artifact(layer({"a.yaml": b"a: 1\n"}), tag="latest")
    sign, options = {"simple": (sigstore.sign, ("--new-bundle-format=false",)), "bundle": (sigstore.bundle, ())}[form]
    sign(registry, subject, sigstore.signer())
    (tmp_path / "trusted_root.json").write_bytes(sigstore.trusted_root())
    words = ("verify", "--trusted-root", "trusted_root.json", "--offline", "--allow-http-registry", *options)
    where = f"{registry.host}/{registry.repository}@{subject}"

    tool("cosign", *words, "--certificate-identity", ADA, "--certificate-oidc-issuer", ISSUER, where)

    eve = ("--certificate-identity", "eve@example.org", "--certificate-oidc-issuer", ISSUER)
    assert ADA in tool("cosign", *words, *eve, where, fails=True)
