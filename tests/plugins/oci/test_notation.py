"""Signatures of the Notary Project: what the trust policy asks for has to hold, and each failure has its own words."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from fakes import notary
from fakes.notary import ADA, AT, COSE, DAY, JWS, PREFIX, Authority
from fakes.registry import digest, layer
from fakes.stamps import Stamps

from gitopsd.plugin import Rejected, VerificationFailed

pytestmark = pytest.mark.asyncio

LAYER = layer({"a.yaml": b"a: 1\n"})
NOW = AT + timedelta(hours=15, minutes=4, seconds=5)
"""The clock of the tests' context stands at 2026-01-02T03:04:05Z."""


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def subject(registry):
    return registry.artifact(LAYER, tag="latest")


def policy(level="strict", *, scopes=("*",), stores=("ca:team",), identities=("*",), **how):
    statement = {
        "name": "ours",
        "registryScopes": list(scopes),
        "signatureVerification": {"level": level, **how},
        "trustStores": list(stores),
        "trustedIdentities": list(identities),
    }
    return json.dumps({"version": "1.0", "trustPolicies": [statement]}).encode()


@pytest.fixture
def trust(world, authority):
    """Puts a policy, and more, into the Secret."""

    def put(found=None, **more):
        world.secrets.data["trust"] = {"trustpolicy.json": found or policy(), "ca.crt": authority.pem, **more}

    put()
    return put


@pytest.fixture
def intent(read, trust):
    return read(verify={"provider": "notation", "secretRef": {"name": "trust"}})


@pytest.fixture(params=[JWS, COSE], ids=["jws", "cose"])
def form(request):
    return request.param


async def refused(world, registry, intent, message):
    """The artifact stays out, and its layer is not even asked for."""
    with pytest.raises(VerificationFailed, match=message) as caught:
        await world.sync(intent)

    assert caught.value.reason == "VerificationError"
    assert [path for path in registry.paths if digest(LAYER) in path] == []


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512", "PS256", "PS384", "PS512"])
async def test_good_signature_lets_the_artifact_in(world, registry, intent, subject, authority, form, algorithm):
    notary.sign(registry, subject, authority.signer(algorithm=algorithm), form=form)

    _, stored = await world.sync(intent)

    assert stored.files == 1
    assert stored.verified == f"verified signature of revision latest@{subject} by {ADA}"


async def test_signature_is_found_by_the_tag_that_stands_in_for_referrers(world, registry, intent, subject, authority):
    registry.referrers = False
    notary.sign(registry, subject, authority.signer())
    signature = list(registry.manifests)[-1]
    registry.index((signature, {"artifactType": notary.NOTATION}), tag=subject.replace(":", "-"))

    await world.sync(intent)


async def test_good_one_beside_bad_ones_is_enough(world, registry, intent, subject, authority):
    notary.attach(registry, subject, b"junk")
    notary.sign(registry, subject, Authority(name="CN=x,O=x,ST=x,C=DE").signer())
    notary.sign(registry, subject, authority.signer())

    await world.sync(intent)


async def test_unsigned_artifact_is_refused(world, registry, intent, subject):
    await refused(world, registry, intent, "is not signed with notation; nothing of it is used")


async def test_another_authority_is_refused(world, registry, intent, subject, form):
    notary.sign(registry, subject, Authority(name="CN=other,O=Example,ST=BE,C=DE").signer(), form=form)

    await refused(
        world, registry, intent, "is by a certificate of 'CN=other,O=Example,ST=BE,C=DE', which is not trusted"
    )


async def test_signer_alone_may_be_trusted(world, registry, intent, trust, subject):
    signer = Authority().signer()
    trust(**{"ca.crt": b"", "ada.pem": signer.chain[0].public_bytes(Encoding.DER)} | {"ca.crt": signer.raw[0]})
    notary.sign(registry, subject, signer)

    _, stored = await world.sync(intent)

    assert stored.verified


@pytest.mark.parametrize(
    ("identity", "good"),
    [
        ("x509.subject: C=DE, ST=BE, O=Example", True),
        ("x509.subject: C=DE, S=BE, O=Example, CN=ada", True),
        ("x509.subject: CN=eve, C=DE, ST=BE, O=Example", False),
        ("x509.subject: C=DE, ST=BE, O=Else", False),
        ("x509.subject: C=DE, ST=BE, O=Example, OU=ops", False),
    ],
)
async def test_subject_has_to_have_all_that_is_asked_for(
    world, registry, intent, trust, subject, authority, identity, good
):
    trust(policy(identities=[identity]))
    notary.sign(registry, subject, authority.signer())

    if good:
        await world.sync(intent)
    else:
        await refused(world, registry, intent, f"is by '{ADA}', whom trustedIdentities does not name")


async def test_subject_that_could_mislead_is_refused(world, registry, intent, trust, subject, authority):
    trust(policy(identities=["x509.subject: C=DE, ST=BE, O=Example"]))
    notary.sign(registry, subject, authority.signer("CN=eve,O=Else,O=Example,ST=BE,C=DE"))

    await refused(world, registry, intent, "which has the attribute O twice")


async def test_good_signature_of_another_artifact_is_refused(world, registry, intent, subject, authority, form):
    other = digest(b"something else")
    notary.sign(registry, subject, authority.signer(), form=form, about={"digest": other})

    await refused(world, registry, intent, f"its signature does not count: it is of {other}")


@pytest.mark.parametrize("about", [{"size": 7}, {"mediaType": "text/plain"}])
async def test_size_and_type_have_to_be_the_artifacts_too(world, registry, intent, subject, authority, about):
    notary.sign(registry, subject, authority.signer(), about=about)

    await refused(world, registry, intent, f"it is of {subject}")


async def test_tampered_payload_is_refused(world, registry, intent, subject, authority):
    envelope = json.loads(notary.jws(authority.signer(), b"{}", notary.headers()))
    payload = json.dumps({"targetArtifact": notary.target(registry, subject)}).encode()
    notary.attach(registry, subject, json.dumps({**envelope, "payload": notary.url64(payload)}).encode())

    await refused(world, registry, intent, "is not by its own certificate")


async def test_key_that_is_not_the_certificates_is_refused(world, registry, intent, subject, authority, form):
    thief = authority.signer()
    thief.private = notary.key()
    notary.sign(registry, subject, thief, form=form)

    await refused(world, registry, intent, "is not by its own certificate")


async def test_algorithm_has_to_be_the_keys(world, registry, intent, subject, authority, form):
    signer = authority.signer(algorithm="ES384")
    signer.algorithm = "ES256"
    notary.sign(registry, subject, signer, form=form)

    await refused(world, registry, intent, "says that its algorithm is 'ES256'; its certificate's key signs with ES384")


@pytest.mark.parametrize("algorithm", ["ES256K", "EdDSA"])
async def test_keys_that_notation_does_not_know_are_refused(world, registry, intent, subject, authority, algorithm):
    notary.sign(registry, subject, authority.signer(algorithm=algorithm))

    await refused(world, registry, intent, "(key of a kind or size that notation does not sign with|key signs with)")


PAST = {"expiry": NOW - DAY / 48, "crit": [f"{PREFIX}signingScheme", f"{PREFIX}expiry"]}
FUTURE = {**PAST, "expiry": NOW + DAY}


async def test_signature_that_expired_is_refused(world, registry, intent, subject, authority, form):
    notary.sign(registry, subject, authority.signer(), form=form, **PAST)

    await refused(world, registry, intent, "its signature does not count: it expired at 2026-01-02T02:34:05Z")


async def test_signature_that_will_expire_is_good(world, registry, intent, subject, authority, form):
    notary.sign(registry, subject, authority.signer(), form=form, **FUTURE)

    await world.sync(intent)


async def test_certificate_that_ended_is_refused(world, registry, intent, subject, authority, form):
    notary.sign(registry, subject, authority.signer(ends=AT), form=form)

    await refused(
        world, registry, intent, f"has the certificate '{ADA}', valid from .* and not at 2026-01-02T03:04:05Z"
    )


SCHEME = "notary.x509.signingAuthority"
AUTHENTIC = {
    "signingScheme": SCHEME,
    "signingTime": None,
    "authenticSigningTime": AT - DAY,
    "crit": [f"{PREFIX}signingScheme", f"{PREFIX}authenticSigningTime"],
}


async def test_clock_of_a_signing_authority_counts(world, registry, intent, trust, subject, authority, form):
    trust(policy(stores=["signingAuthority:them"]))
    notary.sign(registry, subject, authority.signer(ends=AT), form=form, **AUTHENTIC)

    await world.sync(intent)


async def test_signing_authority_needs_a_trust_store_of_its_own(world, registry, intent, subject, authority, form):
    notary.sign(registry, subject, authority.signer(), form=form, **AUTHENTIC)

    await refused(world, registry, intent, f"is of the scheme {SCHEME}, and .* no trust store of the type signingAuth")


@pytest.mark.parametrize(
    ("level", "how"), [("permissive", {}), ("strict", {"override": {"expiry": "log", "authenticTimestamp": "log"}})]
)
async def test_what_is_only_logged_lets_it_in_and_is_told(
    world, registry, intent, trust, subject, authority, level, how
):
    trust(policy(level, **how))
    notary.sign(registry, subject, authority.signer(ends=AT), **PAST)

    _, stored = await world.sync(intent)

    assert stored.verified
    assert [log["why"] for log in world.logs if log["event"] == "signature let through"] == [
        "a signature expired at 2026-01-02T02:34:05Z",
        f"a signature has the certificate '{ADA}', valid from 2025-12-02T12:00:00Z to 2026-01-01T12:00:00Z and not at "
        "2026-01-02T03:04:05Z",
    ]


async def test_audit_lets_strangers_in_and_calls_nothing_verified(world, registry, intent, trust, subject):
    trust(policy("audit"))
    notary.sign(registry, subject, Authority().signer())

    _, stored = await world.sync(intent)

    assert (stored.files, stored.verified) == (1, "")
    assert "not trusted" in world.logs[0]["why"]


async def test_audit_lets_nothing_in_that_is_not_signed_or_broken(world, registry, intent, trust, subject):
    trust(policy("audit"))
    await refused(world, registry, intent, "is not signed with notation")

    notary.attach(registry, subject, b"junk")

    await refused(world, registry, intent, "it is no envelope of notation")


async def test_skip_looks_at_nothing(world, registry, intent, trust, subject):
    trust(policy("skip"))

    _, stored = await world.sync(intent)

    assert (stored.files, stored.verified) == (1, "")
    assert world.logs[0]["why"] == "the trust policy 'ours' skips verification"


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"use": ExtendedKeyUsageOID.SERVER_AUTH}, "which is for TLS servers"),
        ({"issues": True}, "which is not for signatures alone"),
        ({"usage": [*[False] * 2, True, *[False] * 6]}, "which is not for signatures alone"),
        ({"usage": [*[True] * 2, *[False] * 7]}, ""),
    ],
)
async def test_certificate_has_to_be_for_signing_code(world, registry, intent, subject, authority, made, words):
    notary.sign(registry, subject, authority.signer(**made))

    if words:
        await refused(world, registry, intent, f"is by the certificate '{ADA}', {words}")
    else:
        await world.sync(intent)  # non-repudiation is no harm


async def test_chain_has_to_hold(world, registry, intent, subject, authority):
    signer, stranger = authority.signer(), Authority(name="CN=x,O=x,ST=x,C=DE")
    cases = {
        "is not a chain from signer to root": (signer.chain[0], stranger.certificate, authority.certificate),
        "does not end with a root that signed itself": (signer.chain[0],),
        "signed itself before the end of its chain": (*signer.chain, authority.certificate),
    }
    for words, chain in cases.items():
        registry.manifests = {subject: registry.manifests[subject]}
        signer.chain = chain
        notary.sign(registry, subject, signer)

        await refused(world, registry, intent, words)


async def test_who_may_not_issue_has_not_issued(world, registry, intent, subject, authority):
    middle = authority.signer("CN=mallory,O=Example,ST=BE,C=DE")
    mallory = Authority(name="CN=mallory,O=Example,ST=BE,C=DE", private=middle.private)
    signer = mallory.signer()
    signer.chain = (signer.chain[0], middle.chain[0], authority.certificate)
    notary.sign(registry, subject, signer)

    await refused(world, registry, intent, "CN=mallory,O=Example,ST=BE,C=DE', which may not issue others")


OCSP = "http://127.0.0.1:1/ocsp"


async def test_certificate_on_the_authoritys_list_is_refused(world, registry, intent, trust, subject, authority):
    signer = authority.signer(asks=OCSP)
    notary.sign(registry, subject, signer)
    trust(**{"ca.crl": authority.revoked(signer.chain[0])})

    await refused(world, registry, intent, f"has the certificate '{ADA}', which is revoked")


async def test_list_that_does_not_name_the_certificate_is_enough(world, registry, intent, trust, subject, authority):
    trust(**{"ca.crl": authority.revoked(authority.signer().chain[0])})
    notary.sign(registry, subject, authority.signer(asks=OCSP))

    await world.sync(intent)


@pytest.mark.parametrize("lists", ["none", "old", "another's", "forged"])
async def test_where_nobody_knows_the_remedy_is_named(world, registry, intent, trust, subject, authority, lists):
    found = {
        "none": {},
        "old": {"ca.crl": authority.revoked(at=AT - 2 * DAY, ends=AT - DAY)},
        "another's": {"ca.crl": Authority(name="CN=x,O=x,ST=x,C=DE").revoked()},
        "forged": {"ca.crl": Authority().revoked()},
    }
    trust(**found[lists])
    notary.sign(registry, subject, authority.signer(asks=OCSP))

    await refused(
        world, registry, intent, r"no service is asked; put the authority's list into the Secret as NAME\.crl"
    )


@pytest.mark.parametrize("how", [{"override": {"revocation": "skip"}}, {"override": {"revocation": "log"}}])
async def test_policy_may_do_without_lists(world, registry, intent, trust, subject, authority, how):
    trust(policy(**how))
    notary.sign(registry, subject, authority.signer(asks=OCSP))

    await world.sync(intent)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"cty": "text/plain"}, "is over content of the type 'text/plain'"),
        ({"signingScheme": "x"}, "is of the signing scheme 'x'"),
        ({"crit": []}, "does not mark as critical: io.cncf.notary.signingScheme"),
        ({"expiry": NOW + DAY}, "does not mark as critical: io.cncf.notary.expiry"),
        ({**PAST, "expiry": AT - DAY}, "expires before it was made"),
        ({"signingTime": None}, "does not say when it was made"),
        ({"authenticSigningTime": AT}, "does not say when it was made"),
        ({"crit": [f"{PREFIX}signingScheme", f"{PREFIX}x"], "x": "y"}, "marks as critical what is not known here"),
        ({"verificationPlugin": "com.example"}, "has to be checked by a plugin of notation"),
    ],
)
async def test_headers_have_to_be_right(world, registry, intent, subject, authority, form, changed, words):
    notary.sign(registry, subject, authority.signer(), form=form, **changed)

    await refused(world, registry, intent, words)


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"[" * 9999,
        b"\xd2\x84",
        b"\xd2\x84\x40\xa0\x40\x40",
        b"\x9f" * 9999,
        b"\xd2\xff",
        b"\x1b",
    ],
)
async def test_what_is_no_envelope_is_none(world, registry, intent, subject, form, junk):
    notary.attach(registry, subject, junk, form)

    await refused(world, registry, intent, "its signature does not count: it is no envelope of notation")


async def test_envelope_of_another_type_is_named(world, registry, intent, subject):
    notary.attach(registry, subject, b"{}", "text/plain")

    await refused(world, registry, intent, "is an envelope of the type 'text/plain'")


async def test_chains_without_end_are_refused(world, registry, intent, subject, authority, form):
    signer = authority.signer()
    signer.chain = signer.chain * 6
    notary.sign(registry, subject, signer, form=form)

    await refused(world, registry, intent, "has 12 certificates; 1 to 10 are read")


async def test_large_and_many_signatures_are_refused(world, registry, intent, subject):
    notary.attach(registry, subject, b"a" * ((1 << 20) + 1))
    with pytest.raises(Rejected, match="has more than 1 MiB"):
        await world.sync(intent)

    for number in range(101):
        notary.attach(registry, subject, b"%d" % number)
    with pytest.raises(Rejected, match="more than 100 signatures of one artifact"):
        await world.sync(intent)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"trustpolicy.json": b"{"}, r"spec\.verify\.secretRef: trustpolicy\.json is no trust policy"),
        ({"ca.crt": b"-----BEGIN junk"}, r"spec\.verify\.secretRef: ca\.crt is no certificate"),
        ({"ca.crl": b"junk"}, r"spec\.verify\.secretRef: ca\.crl is no list of revoked certificates"),
    ],
)
async def test_secret_that_cannot_be_used_is_named(world, registry, intent, trust, subject, authority, more, message):
    notary.sign(registry, subject, authority.signer())
    trust(**more)

    with pytest.raises(Rejected, match=message) as caught:
        await world.sync(intent)

    assert caught.value.reason == "VerificationError"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"ca.crt": b"x"}, r"the secret flux-system/trust lacks the key trustpolicy\.json"),
        ({"trustpolicy.json": b"{}"}, r"holds no certificate; its name has to end in \.crt or \.pem"),
    ],
)
async def test_secret_without_what_is_needed_is_named(world, intent, subject, data, message):
    world.secrets.data["trust"] = data

    with pytest.raises(Rejected, match=message):
        await world.sync(intent)


@pytest.fixture
def stamps(tmp_path):
    return Stamps(tmp_path / "stamps")


async def late(world, read):
    """The artifact, fetched two days from now."""
    later = datetime.now(UTC) + 2 * DAY
    world.ctx = replace(world.ctx, now=lambda: later)
    return await world.sync(read(verify={"provider": "notation", "secretRef": {"name": "trust"}}))


def stamped(registry, subject, authority, stamps, form, *, over=None):
    """A signature by a certificate that ends tomorrow, with a time stamp of today."""
    signer = authority.signer(ends=datetime.now(UTC) + DAY)
    notary.sign(registry, subject, signer, form=form, stamp=lambda signature: stamps.token(over or signature))


ALWAYS = {"stores": ["ca:team", "tsa:clock"]}


@pytest.mark.parametrize("how", [{}, {"verifyTimestamp": "afterCertExpiry"}])
async def test_time_stamp_vouches_for_a_certificate_that_ended_later(
    world, registry, read, trust, subject, authority, stamps, form, how
):
    trust(policy(**ALWAYS, **how), **{"clock.pem": stamps.root})
    stamped(registry, subject, authority, stamps, form)

    _, stored = await late(world, read)

    assert stored.verified


async def test_without_a_store_for_clocks_a_time_stamp_vouches_for_nothing(
    world, registry, read, trust, subject, authority, stamps
):
    trust(**{"clock.pem": stamps.root})
    stamped(registry, subject, authority, stamps, JWS)

    with pytest.raises(VerificationFailed, match=r"valid from .* and not at"):
        await late(world, read)


async def test_time_stamp_of_something_else_is_refused(world, registry, read, trust, subject, authority, stamps, form):
    trust(policy(**ALWAYS), **{"clock.pem": stamps.root})
    stamped(registry, subject, authority, stamps, form, over=b"something else")

    with pytest.raises(VerificationFailed, match="has a time stamp that does not hold"):
        await late(world, read)


async def test_time_stamp_that_is_too_vague_vouches_for_nothing(
    world, registry, read, trust, subject, authority, tmp_path
):
    vague = Stamps(tmp_path / "vague", accuracy=3 * 86400)
    trust(policy(**ALWAYS), **{"clock.pem": vague.root})
    stamped(registry, subject, authority, vague, JWS)

    with pytest.raises(VerificationFailed, match=r"valid from .* and not at"):
        await late(world, read)


async def test_time_stamp_of_somebody_else_is_refused(
    world, registry, read, trust, subject, authority, stamps, tmp_path
):
    trust(policy(**ALWAYS), **{"clock.pem": Stamps(tmp_path / "others", "others").root})
    stamped(registry, subject, authority, stamps, JWS)

    with pytest.raises(VerificationFailed, match="has a time stamp that does not hold"):
        await late(world, read)


async def test_time_stamp_that_is_asked_for_has_to_be_there(world, registry, intent, trust, subject, authority, form):
    trust(policy(**ALWAYS))
    notary.sign(registry, subject, authority.signer(), form=form)
    await refused(world, registry, intent, "has no time stamp, and the trust policy asks for one")

    trust(policy(**ALWAYS, verifyTimestamp="afterCertExpiry"))

    await world.sync(intent)
