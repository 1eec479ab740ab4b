"""Signatures: good ones let an artifact in, all others keep it out before anything of it is asked for."""

from __future__ import annotations

import pytest
from fakes import cosign
from fakes.registry import EMPTY, digest, layer

from gitopsd.plugin import NotReady, Rejected, VerificationFailed

pytestmark = pytest.mark.asyncio

LAYER = layer({"a.yaml": b"a: 1\n"})
FORMS = {
    "tag": cosign.sign,
    "referrer": lambda *arguments, **more: cosign.sign(*arguments, referring=True, **more),
    "bundle": cosign.bundle,
}


@pytest.fixture
def key():
    return cosign.key()


@pytest.fixture
def signed(world, registry, read, key):
    """An OCIRepository that asks for a signature by `key`; its artifact."""
    world.secrets.data["keys"] = {"team.pub": key.public, "README": b"not a key"}
    return registry.artifact(LAYER, tag="latest"), read(verify={"secretRef": {"name": "keys"}})


@pytest.fixture(params=FORMS)
def form(request):
    return FORMS[request.param]


async def test_good_signature_lets_the_artifact_in(world, registry, signed, key, form):
    subject, intent = signed
    form(registry, subject, key)

    _, stored = await world.sync(intent)

    assert stored.files == 1
    assert stored.verified == f"verified signature of revision latest@{subject} by the key team.pub"
    assert [(log["event"], log["key"]) for log in world.logs] == [("signature verified", "team.pub")]


@pytest.mark.parametrize("sort", ["rsa", "ed25519"])
async def test_keys_of_every_sort_are_read(world, registry, read, form, sort):
    key = cosign.key(sort)
    world.secrets.data["keys"] = {"a.pub": cosign.key().public, "b.pub": key.public}
    form(registry, registry.artifact(LAYER, tag="latest"), key)

    await world.sync(read(verify={"secretRef": {"name": "keys"}}))

    assert world.logs[-1]["key"] == "b.pub"


@pytest.mark.parametrize("kind", [cosign.BUNDLE, EMPTY], ids=["said", "not said, as cosign writes it"])
async def test_bundle_is_found_by_the_tag_that_stands_in_for_referrers(world, registry, signed, key, kind):
    subject, intent = signed
    registry.referrers = False
    cosign.bundle(registry, subject, key)
    bundle = list(registry.manifests)[-1]
    registry.index((bundle, {"artifactType": kind}), tag=subject.replace(":", "-"))

    await world.sync(intent)


async def refused(world, registry, intent, message):
    """The artifact stays out, and its layer is not even asked for."""
    with pytest.raises(VerificationFailed, match=message) as caught:
        await world.sync(intent)

    assert caught.value.reason == "VerificationError"
    assert [path for path in registry.paths if digest(LAYER) in path] == []


async def test_unsigned_artifact_is_refused(world, registry, signed):
    await refused(world, registry, signed[1], f"{signed[0]} is not signed; nothing of it is used")


async def test_signature_by_another_key_is_refused(world, registry, signed, form):
    form(registry, signed[0], cosign.key())

    await refused(world, registry, signed[1], r"none of its 1 signatures is by a key of flux-system/keys \(team.pub\)")


async def test_good_signature_of_another_artifact_is_refused(world, registry, signed, key, form):
    form(registry, signed[0], key, about=digest(b"something else"))

    await refused(world, registry, signed[1], "none of its 1 signatures")


async def test_attestation_is_no_signature(world, registry, signed, key):
    cosign.bundle(registry, signed[0], key, predicate="https://spdx.dev/Document")

    await refused(world, registry, signed[1], "is not signed")


async def test_attestation_stands_in_the_way_of_no_signature(world, registry, signed, key):
    cosign.bundle(registry, signed[0], key, predicate="https://spdx.dev/Document")
    cosign.sign(registry, signed[0], key)

    await world.sync(signed[1])


async def test_older_signature_does_not_count_beside_a_bundle(world, registry, signed, key):
    cosign.sign(registry, signed[0], key)
    cosign.bundle(registry, signed[0], cosign.key())

    await refused(world, registry, signed[1], "none of its 1 signatures")


@pytest.mark.parametrize("form", ["tag", "bundle"], indirect=True)
async def test_tampered_signature_is_refused(world, registry, signed, key, form):
    form(registry, signed[0], cosign.Key(key.public, lambda data: key.sign(data + b" ")))

    await refused(world, registry, signed[1], "none of its 1 signatures")


@pytest.mark.parametrize(
    "junk", [b"", b"{", b"[]", b'{"critical": 1}', b'{"dsseEnvelope": {"payloadType": 1}}', b"[" * 9999]
)
async def test_what_is_no_signature_is_none(world, registry, signed, junk):
    layers = [{**registry.blob(junk, cosign.PAYLOAD), "annotations": {"dev.cosignproject.cosign/signature": "!"}}]
    registry.artifact(layers=layers, tag=f"{signed[0].replace(':', '-')}.sig")

    await refused(world, registry, signed[1], "is not signed")


async def test_signatures_without_end_are_refused(world, registry, signed):
    many = [registry.blob(b"%d" % number, cosign.PAYLOAD) for number in range(101)]
    registry.artifact(layers=many, tag=f"{signed[0].replace(':', '-')}.sig")

    with pytest.raises(Rejected, match="more than 100 signatures of one artifact"):
        await world.sync(signed[1])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"key.pem": b"x"}, "holds no public key; its name has to end in .pub"),
        ({"a.pub": b"x"}, "the key a.pub is no public key in PEM that cosign signs with"),
    ],
)
async def test_secret_without_a_usable_key_is_named(world, registry, signed, key, data, message):
    world.secrets.data["keys"] = data
    cosign.sign(registry, signed[0], key)

    with pytest.raises(Rejected, match=message) as caught:
        await world.sync(signed[1])

    assert caught.value.reason == "VerificationError"


async def test_missing_keys_are_waited_for(world, signed):
    world.secrets.data.clear()

    with pytest.raises(NotReady, match="flux-system/keys not found") as caught:
        await world.sync(signed[1])

    assert caught.value.reason == "VerificationError"


async def test_signatures_of_many_manifests_are_counted_together(world, registry, signed, key):
    for number in range(51):
        layers = [registry.blob(b"%d %d" % (number, place), cosign.PAYLOAD) for place in range(2)]
        kind = "application/vnd.dev.cosign.artifact.sig.v1+json"
        registry.artifact(layers=layers, subject={"digest": signed[0]}, artifactType=kind)

    with pytest.raises(Rejected, match="more than 100 signatures of one artifact"):
        await world.sync(signed[1])


async def test_signatures_of_many_bytes_are_refused_before_they_come(world, registry, signed):
    layers = [{**registry.blob(b"%d" % number, cosign.PAYLOAD), "size": 1 << 20} for number in range(9)]
    registry.artifact(layers=layers, tag=f"{signed[0].replace(':', '-')}.sig")

    with pytest.raises(Rejected, match="more than 8 MiB of signatures of one artifact"):
        await world.sync(signed[1])

    assert not [path for path in registry.paths if "blobs" in path]


async def test_artifact_that_another_one_fetched_unverified_is_verified_all_the_same(world, registry, signed, read):
    await world.sync(read())

    with pytest.raises(VerificationFailed, match="is not signed"):
        await world.sync(signed[1])
