"""Signatures without a key: a certificate says who, a log says when, and both have to hold."""

from __future__ import annotations

import base64
import json
import os
import sys
from datetime import timedelta

import anyio
import msgspec
import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from fakes import cosign
from fakes.registry import digest, layer
from fakes.sigstore import ADA, AT, ISSUER, Sigstore

from gitopsd.plugin import Rejected, SpecError, VerificationFailed
from gitopsd.plugin.oci import Registries, Way, reference
from gitopsd.plugin.oci.verify import search
from gitopsd.plugin.oci.verify.keyless import Answer, Order

pytestmark = pytest.mark.asyncio

LAYER = layer({"a.yaml": b"a: 1\n"})
WANTED = ({"issuer": "^https://login[.]example[.]org$", "subject": f"^{ADA}$"},)


@pytest.fixture(scope="module")
def sigstore():
    return Sigstore()


@pytest.fixture(scope="module")
def other():
    """Another one, that nobody trusts."""
    return Sigstore()


@pytest.fixture
def subject(registry):
    return registry.artifact(LAYER, tag="latest")


@pytest.fixture
def intent(world, read, sigstore):
    """An OCIRepository that asks for a signature by Ada."""
    world.secrets.data["root"] = {"trusted_root.json": sigstore.trusted_root()}
    return asking(read)


def asking(read, wanted=WANTED):
    return read(verify={"matchOIDCIdentity": list(wanted), "trustedRootSecretRef": {"name": "root"}})


@pytest.fixture(params=["simple", "bundle"])
def form(request):
    return {"simple": Sigstore.sign, "bundle": Sigstore.bundle}[request.param]


async def refused(world, registry, intent, message):
    """The artifact stays out, and its layer is not even asked for."""
    with pytest.raises(VerificationFailed, match=message) as caught:
        await world.sync(intent)

    assert caught.value.reason == "VerificationError"
    assert [path for path in registry.paths if digest(LAYER) in path] == []


async def test_good_signature_lets_the_artifact_in(world, registry, intent, subject, sigstore, form):
    form(sigstore, registry, subject, sigstore.signer())

    _, stored = await world.sync(intent)

    assert stored.files == 1
    assert stored.verified == f"verified signature of revision latest@{subject} by {ADA} of {ISSUER}"
    assert [(log["event"], log["by"]) for log in world.logs] == [("signature verified", f"{ADA} of {ISSUER}")]


async def test_machine_is_known_by_its_address(world, registry, read, intent, subject, sigstore, form):
    workflow = "https://github.com/org/app/.github/workflows/release.yaml@refs/tags/v1"
    form(sigstore, registry, subject, sigstore.signer(workflow, "https://token.actions.githubusercontent.com"))
    wanted = {"issuer": "githubusercontent", "subject": "^https://github.com/org/app/"}

    _, stored = await world.sync(asking(read, [{"issuer": "nobody", "subject": "nobody"}, wanted]))

    assert workflow in stored.verified


async def test_certificates_of_old_are_read(world, registry, intent, subject, sigstore, form):
    form(sigstore, registry, subject, sigstore.signer(new=False))

    _, stored = await world.sync(intent)

    assert f"{ADA} of {ISSUER}" in stored.verified


async def test_without_identities_anybody_of_the_authority_passes_and_that_is_told(
    world, registry, read, intent, subject, sigstore, form
):
    form(sigstore, registry, subject, sigstore.signer("eve@example.org"))
    anybody = asking(read, ())

    _, stored = await world.sync(anybody)

    assert "eve@example.org" in stored.verified
    assert "takes a signature of anybody" in anybody.warnings[0]


@pytest.mark.parametrize(
    ("who", "issuer"), [("eve@example.org", ISSUER), (ADA, "https://login.example.com"), (f"x{ADA}", ISSUER)]
)
async def test_somebody_else_is_named(world, registry, intent, subject, sigstore, form, who, issuer):
    form(sigstore, registry, subject, sigstore.signer(who, issuer))

    await refused(world, registry, intent, f"is by {who} of {issuer}, whom spec.verify.matchOIDCIdentity does not name")


async def test_another_authority_is_refused(world, registry, intent, subject, other, form):
    form(other, registry, subject, other.signer())

    await refused(world, registry, intent, "is in the transparency log .* does not know|failed to build .* chain")


@pytest.mark.parametrize("form", ["simple"], indirect=True)
async def test_certificate_of_another_authority_is_refused(world, registry, intent, subject, sigstore, other, form):
    form(sigstore, registry, subject, other.signer())

    await refused(world, registry, intent, "has a certificate that is not by a trusted authority")


@pytest.mark.parametrize("what", ["tlogs", "ctlogs", "certificateAuthorities"])
async def test_what_was_retired_before_vouches_for_nothing(world, registry, intent, subject, sigstore, form, what):
    world.secrets.data["root"] = {"trusted_root.json": sigstore.trusted_root(retired=what)}
    form(sigstore, registry, subject, sigstore.signer())

    words = {
        "tlogs": "which the root of trust does not know|contains no transparency log",
        "ctlogs": "no transparency log of the root of trust saw|CTFE keys not found",
        "certificateAuthorities": "had no authority|certificates not found in trusted root",
    }
    await refused(world, registry, intent, words[what])


async def test_certificate_that_had_ended_is_refused(world, registry, intent, subject, sigstore, form):
    form(sigstore, registry, subject, sigstore.signer(), at=AT + timedelta(minutes=6))

    await refused(world, registry, intent, "was not valid at 2026-01-01T12:06:00Z, when it signed|cert is not valid")


async def test_certificate_for_something_else_is_refused(world, registry, intent, subject, sigstore, form):
    form(sigstore, registry, subject, sigstore.signer(usage=ExtendedKeyUsageOID.SERVER_AUTH))

    await refused(world, registry, intent, "not for signing code|does not contain `code signing`")


async def test_certificate_that_no_log_saw_is_refused(world, registry, intent, subject, sigstore, form):
    form(sigstore, registry, subject, sigstore.signer(seen=False))

    await refused(world, registry, intent, "has a certificate that no transparency log saw|SCT")


async def test_good_signature_of_another_artifact_is_refused(world, registry, intent, subject, sigstore, form):
    form(sigstore, registry, subject, sigstore.signer(), about=digest(b"something else"))

    await refused(world, registry, intent, f"its signature does not count: it is of {digest(b'something else')}")


async def test_words_of_a_signature_do_not_reach_a_terminal_as_they_are(
    world, registry, intent, subject, sigstore, form
):
    form(sigstore, registry, subject, sigstore.signer(), about="sha256:\x1b[31m\nlook: here")

    await refused(world, registry, intent, r"it is of sha256: ?\[31m look: here; nothing")


async def test_signature_that_the_log_did_not_take_is_refused(world, registry, intent, subject, sigstore, form):
    form(sigstore, registry, subject, sigstore.signer(), body=b'{"kind":"hashedrekord"}')

    await refused(world, registry, intent, "a transparency log that is of something else|proves nothing")


async def test_key_that_is_not_the_certificates_is_refused(world, registry, intent, subject, sigstore, form):
    thief = sigstore.signer()
    thief.private = sigstore.signer().private
    form(sigstore, registry, subject, thief)

    await refused(world, registry, intent, "is not by its own certificate|invalid signature")


async def test_signature_by_a_key_says_what_to_ask_for(world, registry, intent, subject):
    cosign.sign(registry, subject, cosign.key())

    await refused(world, registry, intent, "has no certificate: it was made with a key")


async def test_bundle_by_a_key_says_what_to_ask_for(world, registry, intent, subject):
    cosign.bundle(registry, subject, cosign.key())

    await refused(world, registry, intent, "has no certificate: it was made with a key")


async def test_good_one_beside_bad_ones_is_enough(world, registry, intent, subject, sigstore, other):
    other.bundle(registry, subject, other.signer())
    sigstore.bundle(registry, subject, sigstore.signer())

    _, stored = await world.sync(intent)

    assert ADA in stored.verified


async def test_each_wrong_signature_is_told(world, registry, intent, subject, sigstore):
    for who in ("eve@example.org", "bob@example.org"):
        sigstore.bundle(registry, subject, sigstore.signer(who))

    await refused(world, registry, intent, "none of its 2 signatures counts: it is by eve@.*; it is by bob@")


async def test_unsigned_artifact_is_refused(world, registry, intent, subject):
    await refused(world, registry, intent, "is not signed")


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ({"certificate": "no certificate"}, "has a certificate that cannot be read"),
        ({"bundle": ""}, "has no proof that it is in a transparency log, and no log is asked"),
        ({"bundle": "{}"}, "has a proof of a transparency log that cannot be read"),
        ({"bundle": "[" * 5000}, "has a proof of a transparency log that cannot be read"),
    ],
)
async def test_garbage_in_a_simple_signature_is_told(world, registry, intent, subject, sigstore, annotations, message):
    sigstore.sign(registry, subject, sigstore.signer(), **annotations)

    await refused(world, registry, intent, message)


async def test_promise_of_another_time_is_refused(world, registry, intent, subject, sigstore):
    taken = sigstore.promise(b"{}")
    taken["Payload"]["integratedTime"] += 1
    sigstore.sign(registry, subject, sigstore.signer(), bundle=json.dumps(taken))

    await refused(world, registry, intent, "has a proof that is not by its transparency log")


@pytest.mark.parametrize("what", ["none", "twice", "log", "hash", "index", "checkpoint", "junk"])
async def test_bundle_whose_proof_does_not_hold_is_refused(world, registry, intent, subject, sigstore, what):
    entry = sigstore.entry("dsse", b"{}")
    match what:
        case "log":
            entry["logId"]["keyId"] = base64.b64encode(bytes(32)).decode()
        case "hash":
            entry["inclusionProof"]["hashes"] = []
        case "index":
            entry["inclusionProof"]["logIndex"] = "18446744073709551615"
        case "checkpoint":
            entry["inclusionProof"]["checkpoint"]["envelope"] = "a\nb\nc\n\n\N{EM DASH} a AAAAAAAA\n"
        case "junk":
            entry = {"logIndex": "a" * 100}
    entries = {"none": [], "twice": [entry, entry]}.get(what, [entry])
    sigstore.bundle(registry, subject, sigstore.signer(), entries=entries)

    await refused(world, registry, intent, "its signature does not count: it proves nothing: ")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "trustedRootSecretRef: the secret flux-system/root lacks the key trusted_root.json"),
        ({"trusted_root.json": b"{}"}, "trusted_root.json of spec.verify.trustedRootSecretRef cannot be used"),
        ({"trusted_root.json": b"\xff"}, "trusted_root.json of spec.verify.trustedRootSecretRef cannot be used"),
    ],
)
async def test_root_that_cannot_be_used_is_named(world, registry, intent, subject, sigstore, form, data, message):
    form(sigstore, registry, subject, sigstore.signer())
    world.secrets.data["root"] = data

    with pytest.raises(Rejected, match=message) as caught:
        await world.sync(intent)

    assert caught.value.reason == "VerificationError"


async def test_without_a_root_the_public_one_is_taken_and_nobody_is_asked(
    world, registry, read, subject, sigstore, form
):
    form(sigstore, registry, subject, sigstore.signer())

    await refused(
        world,
        registry,
        read(verify={"matchOIDCIdentity": list(WANTED)}),
        "which the root of trust does not know|chain",
    )


@pytest.mark.parametrize("root", ["given", "the library's"])
async def test_nothing_is_asked_and_nothing_is_written(world, registry, subject, sigstore, form, root, tmp_path):
    form(sigstore, registry, subject, sigstore.signer())
    found = [signed async for signed in _signed(registry, subject, world)]
    order = Order(
        signed=tuple(found),
        digest=subject,
        identities=(),
        root=sigstore.trusted_root() if root == "given" else b"",
    )
    (tmp_path / "order").write_bytes(msgspec.msgpack.encode(order))
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    words = [sys.executable, "-c", WATCHED, str(tmp_path / "order")]

    done = await anyio.run_process(words, env=environment, check=False)

    assert done.stderr.decode() == ""
    answer = msgspec.msgpack.decode(done.stdout, type=Answer)
    assert bool(answer.by) is (root == "given")
    assert list(home.iterdir()) == []


WATCHED = """
import pathlib, sys
data = pathlib.Path(sys.argv[1]).read_bytes()
def watch(event, arguments):
    if event.startswith(("socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.")):
        sys.exit(f"{event} {arguments}")
sys.addaudithook(watch)
from gitopsd.plugin.oci.verify import keyless
sys.stdout.buffer.write(keyless.job(data, None))
"""
"""Does the job of a worker process, and ends loudly where it asks anybody."""


async def _signed(registry, subject, world):
    place = reference.read(registry.url).repository
    async with Registries().open(place, Way(), world.ctx, timeout=10) as client:
        async for signed in search.cosign(client, subject):
            yield signed


@pytest.mark.parametrize(
    ("text", "message"), [("(", "is no regular expression"), ("[[:alpha:]]", r"write it as \[A-Za-z\]")]
)
async def test_expression_that_is_none_is_named(read, text, message):
    with pytest.raises(SpecError, match=message) as caught:
        read(verify={"matchOIDCIdentity": [{"issuer": text, "subject": "a"}]})

    assert caught.value.path == ("spec", "verify", "matchOIDCIdentity", 0, "issuer")
