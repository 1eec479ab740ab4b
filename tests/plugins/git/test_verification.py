"""`spec.verify`: what is signed by a trusted key comes, and nothing of anything else."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fakes.git_server import http_server
from fakes.signing import PgpSigner, SshSigner

from gitopsd.plugin import NotReady, Rejected, SpecError, VerificationFailed

KEYS = {"secretRef": {"name": "keys"}}


@pytest.fixture
def ssh(tmp_path):
    return SshSigner(tmp_path / "ssh")


@pytest.fixture
def trust(world):
    """Puts these entries into the Secret with the keys."""

    def put(**keys):
        world.secrets.data["keys"] = {
            name.replace("_", "."): key.encode() if isinstance(key, str) else key for name, key in keys.items()
        }

    return put


@pytest.fixture
def intent(read, repo):
    """A GitRepository of the folder at `main`, or at another ref."""
    return lambda mode="HEAD", url=None, **ref: read(
        {"url": url or repo.url, "ref": ref or {"branch": "main"}, "verify": {**KEYS, "mode": mode}}
    )


async def _refused(world, intent, reason, match):
    with pytest.raises(VerificationFailed, match=match) as caught:
        await world.sync(intent)
    assert caught.value.reason == reason
    return str(caught.value)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("kind", "bits"), [("ed25519", None), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521), ("rsa", 2048)]
)
async def test_commit_signed_with_a_trusted_ssh_key_comes(world, repo, intent, trust, tmp_path, kind, bits):
    signer = SshSigner(tmp_path / "ssh", kind, bits)
    trust(ada_sshpub=signer.public)
    commit = repo.commit({"a": "1"}, sign=signer.sign)

    _, stored = await world.sync(intent())

    assert stored.verified == f"verified signature of\n\t- commit '{commit}' with key '{signer.fingerprint}'"


@pytest.mark.asyncio
async def test_commit_signed_with_a_trusted_openpgp_key_comes(world, repo, intent, trust):
    signer = PgpSigner()
    trust(ada_asc=signer.public)
    commit = repo.commit({"a": "1"}, sign=signer.sign)

    _, stored = await world.sync(intent())

    assert stored.verified == f"verified signature of\n\t- commit '{commit}' with key '{signer.key_id}'"


@pytest.mark.asyncio
async def test_any_of_several_keys_of_both_forms_will_do(world, repo, intent, trust, ssh, tmp_path):
    pgp, other = PgpSigner(), SshSigner(tmp_path / "ssh")
    trust(
        team_sshpub=f"# the team\n\n{other.public}{ssh.public}",
        a_asc=PgpSigner("Bob <bob@example.org>").public,
        b=pgp.public,
    )
    first = repo.commit({"a": "1"}, sign=ssh.sign)
    second = repo.commit({"a": "2"}, sign=pgp.sign)

    for commit in (first, second):
        _, stored = await world.sync(intent(commit=commit))
        assert commit in stored.verified


@pytest.mark.asyncio
async def test_unsigned_commit_is_refused_and_nothing_of_it_is_stored(world, repo, intent, trust, ssh):
    trust(ada_sshpub=ssh.public)
    repo.commit({"secret-name.txt": "never seen"})

    message = await _refused(world, intent(), "InvalidCommitSignature", "failed: it is not signed")

    assert message.startswith("GitRepository/flux-system/app: ")
    assert "git:" + _blob(b"never seen") not in world.store.known(["git:" + _blob(b"never seen")])


def _blob(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@pytest.mark.asyncio
@pytest.mark.parametrize("form", ["ssh", "pgp"])
async def test_commit_that_was_changed_after_it_was_signed_is_refused(world, repo, intent, trust, ssh, form):
    signer = ssh if form == "ssh" else PgpSigner()
    trust(**{"ada_sshpub" if form == "ssh" else "ada_asc": signer.public})
    repo.commit({"a": "1"}, sign=lambda payload: signer.sign(payload.replace(b"a change", b"a chance")))

    await _refused(world, intent(), "InvalidCommitSignature", "it does not fit to the content")


@pytest.mark.asyncio
async def test_strangers_ssh_key_is_refused_by_its_fingerprint(world, repo, intent, trust, ssh, tmp_path):
    stranger = SshSigner(tmp_path / "ssh")
    trust(ada_sshpub=ssh.public)
    repo.commit({"a": "1"}, sign=stranger.sign)

    message = await _refused(world, intent(), "InvalidCommitSignature", "not among the trusted ones")

    assert stranger.fingerprint in message


@pytest.mark.asyncio
async def test_strangers_openpgp_key_is_refused(world, repo, intent, trust):
    trust(ada_asc=PgpSigner().public)
    repo.commit({"a": "1"}, sign=PgpSigner("Eve <eve@example.org>").sign)

    await _refused(world, intent(), "InvalidCommitSignature", "none of the trusted keys made it")


@pytest.mark.asyncio
async def test_revoked_openpgp_key_is_refused(world, repo, intent, trust):
    signer = PgpSigner()
    trust(ada_asc=signer.revoked)
    repo.commit({"a": "1"}, sign=signer.sign)

    await _refused(world, intent(), "InvalidCommitSignature", "trusted keys that are neither revoked")


@pytest.mark.asyncio
async def test_openpgp_key_that_is_expired_now_is_refused(world, repo, intent, trust):
    signer = PgpSigner()
    trust(ada_asc=signer.expiring(datetime(2099, 1, 1, tzinfo=UTC)))
    repo.commit({"a": "1"}, sign=signer.sign)
    await world.sync(intent())
    world.ctx = replace(world.ctx, now=lambda: datetime(2100, 1, 1, tzinfo=UTC))

    await _refused(world, intent(), "InvalidCommitSignature", "neither revoked nor expired")


@pytest.mark.asyncio
async def test_ssh_signature_for_another_purpose_is_refused(world, repo, intent, trust, ssh):
    trust(ada_sshpub=ssh.public)
    repo.commit({"a": "1"}, sign=lambda payload: ssh.sign(payload, namespace="file"))

    await _refused(world, intent(), "InvalidCommitSignature", "made for 'file', not for git")


@pytest.mark.asyncio
async def test_short_rsa_key_is_refused(world, repo, intent, trust, tmp_path):
    signer = SshSigner(tmp_path / "ssh", "rsa", 1024)
    trust(ada_sshpub=signer.public)
    repo.commit({"a": "1"}, sign=signer.sign)

    await _refused(world, intent(), "InvalidCommitSignature", "less than 2048 bits")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("signature", "match"),
    [
        (b"-----BEGIN SIGNED MESSAGE-----\nMIIB\n-----END SIGNED MESSAGE-----", r"form X\.509 cannot be verified"),
        (b"-----BEGIN SSH SIGNATURE-----\n!!!\n-----END SSH SIGNATURE-----", "no base64"),
        (b"-----BEGIN SSH SIGNATURE-----\nAAAA", "armour is not whole"),
        (b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQAAAP8=\n-----END SSH SIGNATURE-----", "ends early"),
        (b"-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----", "it cannot be read"),
        (b"nonsense", "form unknown cannot be verified"),
    ],
)
async def test_signature_that_is_none_is_refused(world, repo, intent, trust, ssh, signature, match):
    trust(ada_sshpub=ssh.public, ada_asc=PgpSigner().public)
    repo.commit({"a": "1"}, sign=lambda payload: signature)

    await _refused(world, intent(), "InvalidCommitSignature", match)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("line", "flaw"),
    [
        ("ssh-ed25519 nonsense", "line 2 is no SSH public key"),
        ("valid-before=20200101 {key}", "line 2: valid-before is not served"),
        ("cert-authority {key}", "line 2: cert-authority is not served"),
    ],
)
async def test_line_that_is_no_plain_key_trusts_nobody_and_is_named(world, repo, intent, trust, ssh, line, flaw):
    trust(ada_sshpub=f"\n{line.format(key=ssh.public)}")
    repo.commit({"a": "1"}, sign=ssh.sign)

    message = await _refused(world, intent(), "InvalidCommitSignature", "add a key that ends in .sshpub")

    assert f"ada.sshpub: {flaw}" in message


@pytest.mark.asyncio
async def test_missing_secret_says_so_as_verification_error(world, repo, intent):
    repo.commit({"a": "1"})

    with pytest.raises(NotReady, match="not found") as caught:
        await world.sync(intent())

    assert caught.value.reason == "VerificationError"


@pytest.mark.asyncio
@pytest.mark.parametrize("over", ["folder", "http", "old http"])
async def test_signed_tag_comes_over_every_way(world, repo, intent, trust, ssh, over, contents):
    trust(ada_sshpub=ssh.public)
    commit = repo.commit({"a": "1"})
    tag = repo.tag("v1.0.0", commit, sign=ssh.sign)

    with http_server(repo.path) as server:
        server.behaviour.modern = over != "old http"
        asked = intent("Tag", url=None if over == "folder" else server.url, semver=">=1.0.0")
        revision, stored = await world.sync(asked)

    assert stored.verified == f"verified signature of\n\t- tag 'v1.0.0@{tag}' with key '{ssh.fingerprint}'"
    assert str(revision) == f"v1.0.0@sha1:{commit}"
    assert contents(world.store, stored.tree) == {"a": b"1"}


@pytest.mark.asyncio
async def test_tag_and_head_both_have_to_be_signed(world, repo, intent, trust, ssh):
    trust(ada_sshpub=ssh.public)
    unsigned, signed = repo.commit({"a": "1"}), repo.commit({"a": "2"}, sign=ssh.sign)
    repo.tag("v1", unsigned, sign=ssh.sign)
    repo.tag("v2", signed, sign=ssh.sign)

    await _refused(world, intent("TagAndHEAD", tag="v1"), "InvalidCommitSignature", "it is not signed")
    _, stored = await world.sync(intent("TagAndHEAD", tag="v2"))

    assert stored.verified.count("with key") == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("annotated", [True, False])
async def test_tag_without_signature_is_refused(world, repo, intent, trust, ssh, annotated):
    trust(ada_sshpub=ssh.public)
    repo.tag("v1", repo.commit({"a": "1"}), annotated=annotated)

    await _refused(world, intent("Tag", tag="v1"), "InvalidGitObject", "is not signed; sign it")


@pytest.mark.asyncio
async def test_older_signed_tag_does_not_pass_for_a_newer_one(world, repo, intent, trust, ssh):
    trust(ada_sshpub=ssh.public)
    repo.tag("v2", repo.commit({"a": "old"}), sign=ssh.sign, named="v1")

    await _refused(world, intent("Tag", tag="v2"), "InvalidTagSignature", "signed, but as the tag 'v1'")


@pytest.mark.asyncio
async def test_signed_tag_vouches_for_its_own_commit_only(world, repo, intent, trust, ssh):
    trust(ada_sshpub=ssh.public)
    good, evil = repo.commit({"a": "1"}), repo.commit({"a": "evil"})
    repo.tag("v1", good, sign=ssh.sign)
    packed = repo.path / "packed-refs"
    tag = (repo.path / "refs/tags/v1").read_text().strip()
    (repo.path / "refs/tags/v1").unlink()
    packed.write_text(f"# pack-refs with: peeled fully-peeled sorted \n{tag} refs/tags/v1\n^{evil}\n")

    with (
        http_server(repo.path) as server,
        pytest.raises(Rejected, match="does not lead to the commit that the server says"),
    ):
        await world.sync(intent("Tag", url=server.url, tag="v1"))


@pytest.mark.parametrize(
    "ref", [{"branch": "main"}, {"commit": "0" * 40, "tag": "v1"}, {"name": "refs/heads/main"}, None]
)
def test_tag_mode_needs_a_tag(read, ref):
    with pytest.raises(SpecError, match="only where the reference is one") as caught:
        read({"ref": ref, "verify": {**KEYS, "mode": "Tag"}})

    assert caught.value.reason == "InvalidVerificationMode"
    assert caught.value.path == ("spec", "verify", "mode")


@pytest.mark.asyncio
async def test_plan_of_a_branch_cannot_verify_a_tag(world, repo, intent, trust, ssh):
    trust(ada_sshpub=ssh.public)
    repo.tag("v1", repo.commit({"a": "1"}), sign=ssh.sign)
    asked = world.source.at(intent("Tag", tag="v1"), "main")

    await _refused(world, asked, "InvalidVerificationMode", "only where the reference is one")


@pytest.mark.asyncio
async def test_openpgp_without_its_library_names_the_extra(world, repo, intent, trust, monkeypatch):
    signer = PgpSigner()
    trust(ada_asc=signer.public)
    repo.commit({"a": "1"}, sign=signer.sign)
    monkeypatch.setitem(sys.modules, "pysequoia", None)

    await _refused(world, intent(), "InvalidCommitSignature", r"install gitopsd\[pgp\]")


@pytest.fixture
def signed_by_git(ssh, tmp_path):
    """A work tree whose only commit and tag were signed by git itself."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    work = tmp_path / "work"
    settings = ["user.name=Ada", "user.email=ada@example.org", "gpg.format=ssh", f"user.signingkey={ssh.key}"]
    git = ["git", *(word for setting in settings for word in ("-c", setting))]
    for arguments in (
        ["init", "-q", "-b", "main", str(work)],
        ["-C", str(work), "commit", "-q", "--allow-empty", "-S", "-m", "first\n\nwith a body"],
        ["-C", str(work), "tag", "-s", "-m", "a release", "v1"],
    ):
        subprocess.run([*git, *arguments], cwd=tmp_path, check=True, capture_output=True)
    return f"file://{work}"


@pytest.mark.asyncio
async def test_what_git_itself_signed_comes(world, read, trust, ssh, signed_by_git):
    trust(ada_sshpub=ssh.public)
    asked = read({"url": signed_by_git, "ref": {"tag": "v1"}, "verify": {**KEYS, "mode": "TagAndHEAD"}})

    _, stored = await world.sync(asked)

    assert stored.verified.count(ssh.fingerprint) == 2


# Security keys: made here, since they need a device


def _packed(*parts):
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _security_key(kind):
    """A public line, and what signs as the device would; `flags` say whether somebody touched it."""
    application = b"ssh:"
    if kind == "ed25519":
        private = Ed25519PrivateKey.generate()
        name = b"sk-ssh-ed25519@openssh.com"
        public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        blob = _packed(name, public, application)
        sign = private.sign
    else:
        curve = ec.generate_private_key(ec.SECP256R1())
        name = b"sk-ecdsa-sha2-nistp256@openssh.com"
        point = curve.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        blob = _packed(name, b"nistp256", point, application)

        def sign(message):
            r, s = decode_dss_signature(curve.sign(message, ec.ECDSA(SHA256())))
            return _packed(*(n.to_bytes(33, "big") for n in (r, s)))

    def signed(payload, flags=1):
        message = b"SSHSIG" + _packed(b"git", b"", b"sha512", hashlib.sha512(payload).digest())
        rest = bytes([flags, 0, 0, 0, 7])
        made = sign(hashlib.sha256(application).digest() + rest + hashlib.sha256(message).digest())
        signature = _packed(name, made) + rest
        data = b"SSHSIG\0\0\0\x01" + _packed(blob, b"git", b"", b"sha512", signature)
        return b"-----BEGIN SSH SIGNATURE-----\n" + base64.encodebytes(data) + b"-----END SSH SIGNATURE-----"

    return f"{name.decode()} {base64.b64encode(blob).decode()}\n", signed


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
async def test_security_key_that_was_touched_vouches(world, repo, intent, trust, kind):
    line, signed = _security_key(kind)
    trust(ada_sshpub=line)
    repo.commit({"a": "1"}, sign=signed)

    _, stored = await world.sync(intent())
    repo.commit({"a": "2"}, sign=lambda payload: signed(payload, flags=0))

    assert "SHA256:" in stored.verified
    await _refused(world, intent(), "InvalidCommitSignature", "was not touched")
