"""Signatures that the real tools make and check, beside ours; a tool that is not there is named in a skip."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from click.testing import CliRunner
from fakes import notary, sigstore_server
from fakes.registry import layer
from fakes.sigstore import ADA, ISSUER, Sigstore
from fakes.stamps import Stamps
from fakes.stamps import serving as stamping

from gitopsd.plugin import VerificationFailed
from gitopsd_plugins.oci.command import push

# notation gives its test certificates any number, also one below zero
pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")


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

    def trust(file, level="strict", identities=("*",), scopes=("*",), stores=(f"ca:{NAME}",)):
        statement = {
            "name": "tests",
            "registryScopes": list(scopes),
            "signatureVerification": {"level": level},
            "trustStores": list(stores),
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
    return tool("notation", "verify", "-v", "--insecure-registry", where, **more)


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


@pytest.mark.parametrize("notation", ["jws", "cose"], indirect=True)
def test_time_stamp_that_notation_asked_for_is_good_for_both(pushed, notation, tool, sync, world, tmp_path):
    stamps, where = Stamps(tmp_path / "stamps"), pushed()
    with stamping(stamps) as url:
        asking = ("--timestamp-url", url, "--timestamp-root-cert", tmp_path / "stamps/root.pem")
        notation(where, *asking, stores=(f"ca:{NAME}", "tsa:clock"))
    world.secrets.data["trust"]["clock.pem"] = stamps.root
    tool("notation", "cert", "add", "--type", "tsa", "--store", "clock", tmp_path / "stamps/root.pem")

    sync(**TRUST)

    verify(tool, where)


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


@pytest.fixture
def sigstore():
    """One with services, for cosign to ask when it signs."""
    made = Sigstore()
    with sigstore_server.serving(made):
        yield made


@pytest.fixture(params=COSIGN)
def cosign_without_key(tool, tmp_path, world, sigstore, request):
    """Signs by a certificate for Ada, and puts the trusted root into the Secret."""

    def sign(where):
        service = {"url": sigstore.url, "majorApiVersion": 1, "operator": "tests"}
        services = [{**service, "validFor": {"start": "2025-06-01T00:00:00Z"}}]
        signing = {
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": services,
            "oidcUrls": services,
            "rekorTlogUrls": services,
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaUrls": [],
            "tsaConfig": {"selector": "ANY"},
        }
        (tmp_path / "signing.json").write_text(json.dumps(signing))
        (tmp_path / "trusted_root.json").write_bytes(sigstore.trusted_root())
        (tmp_path / "token").write_text(sigstore_server.token())
        old = ("--use-signing-config=false", "--fulcio-url", sigstore.url, "--rekor-url", sigstore.url)
        how = {"simple": (*old, *COSIGN["simple"]), "bundle": ("--signing-config", "signing.json")}[request.param]
        trusting = ("--trusted-root", "trusted_root.json", "--identity-token", "token")
        tool("cosign", "sign", *trusting, *how, "--allow-http-registry", "--yes", where)
        world.secrets.data["root"] = {"trusted_root.json": sigstore.trusted_root()}

    return sign


def by(subject):
    identities = [{"issuer": "^https://login[.]example[.]org$", "subject": f"^{subject}$"}]
    return {"matchOIDCIdentity": identities, "trustedRootSecretRef": {"name": "root"}}


def test_what_cosign_signs_without_a_key_is_good(pushed, cosign_without_key, sync):
    cosign_without_key(pushed())

    _, stored = sync(**by(ADA))

    assert f"by {ADA} of {ISSUER}" in stored.verified


def test_what_cosign_signs_for_somebody_else_is_not(pushed, cosign_without_key, sync):
    cosign_without_key(pushed())

    with pytest.raises(VerificationFailed, match=r"whom spec\.verify\.matchOIDCIdentity does not name"):
        sync(**by("eve@example.org"))


def test_another_root_of_trust_is_none(pushed, cosign_without_key, sync, world):
    cosign_without_key(pushed())
    world.secrets.data["root"] = {"trusted_root.json": Sigstore().trusted_root()}

    with pytest.raises(VerificationFailed, match="its signature does not count"):
        sync(**by(ADA))
