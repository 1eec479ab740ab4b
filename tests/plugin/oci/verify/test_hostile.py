"""Whatever a signature is changed into: it proves something, or is refused in words, and nothing else happens."""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import cosign, notary
from fakes.notary import AT, COSE, JWS, Authority
from fakes.registry import Registry
from fakes.sigstore import Sigstore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitopsd.plugin import Misconfigured
from gitopsd.plugin.oci.verify import cosign as forms
from gitopsd.plugin.oci.verify import keyless, keys, notation, stamp
from gitopsd.plugin.oci.verify.keyless import Order
from gitopsd.plugin.oci.verify.proof import Refused

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 70), 1 << 70),
    st.text(max_size=20),
    st.lists(st.integers(), max_size=3),
    st.sampled_from(["", "AAAA", "=", "é", "\0", "2026-01-01", [], {}, [[]], {"a": {}}, "9" * 5000]),
)
ENOUGH = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def places(value, path=()):
    """Every place in a JSON value."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, key)
            yield from places(inner, (*path, key))


def changed(value, path, junk):
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = junk
    return copy


@pytest.fixture(scope="module")
def sigstore():
    return Sigstore()


@pytest.fixture(scope="module")
def registry():
    return Registry()


@pytest.fixture(scope="module")
def subject(registry):
    return registry.artifact(b"", tag="latest")


@pytest.fixture(scope="module")
def bundle(registry, sigstore, subject):
    sigstore.bundle(registry, subject, sigstore.signer())
    return next(data for data in registry.blobs.values() if b"dsseEnvelope" in data)


def order(sigstore, subject, *signed):
    return Order(signed=signed, digest=subject, identities=(), root=sigstore.trusted_root())


@ENOUGH
@given(data=st.data())
def test_changed_bundle_is_refused_or_says_the_same(data, sigstore, subject, bundle):
    document = json.loads(bundle)
    place = data.draw(st.sampled_from(list(places(document))))
    raw = json.dumps(changed(document, place, data.draw(JUNK))).encode()

    signed = forms.of_bundle(raw)
    answer = keyless.answer(order(sigstore, subject, signed)) if signed else None

    assert answer is None or answer.by.startswith("ada@example.org") or answer.wrong


@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
@ENOUGH
@given(data=st.data())
def test_changed_certificate_in_a_bundle_is_refused_or_says_the_same(data, sigstore, subject, bundle):
    document = json.loads(bundle)
    place = ("verificationMaterial", "certificate", "rawBytes")
    whole = base64.b64decode(document[place[0]][place[1]][place[2]])
    at = data.draw(st.integers(0, len(whole) - 1))
    raw = whole[:at] + data.draw(st.binary(min_size=1, max_size=1)) + whole[at + 1 :]
    signed = forms.of_bundle(json.dumps(changed(document, place, base64.b64encode(raw).decode())).encode())
    assert signed is not None

    answer = keyless.answer(order(sigstore, subject, signed))

    assert answer.by.startswith("ada@example.org") or answer.wrong


@ENOUGH
@given(data=st.data())
def test_changed_promise_is_refused_or_says_the_same(data, sigstore, registry, subject):
    sigstore.sign(registry, subject, sigstore.signer())
    layer = json.loads(registry.manifests[registry.tags[f"{subject.replace(':', '-')}.sig"]][1])["layers"][0]
    whole = forms.of_payload(registry.blobs[layer["digest"]], layer["annotations"])
    assert whole is not None
    promise = json.loads(whole.promise)
    place = data.draw(st.sampled_from(list(places(promise))))
    signed = replace(whole, promise=json.dumps(changed(promise, place, data.draw(JUNK))))

    answer = keyless.answer(order(sigstore, subject, signed))

    assert answer.by.startswith("ada@example.org") or answer.wrong


@ENOUGH
@given(junk=st.binary(max_size=300), signature=st.text(max_size=50))
def test_junk_is_no_signature_by_a_key(junk, signature):
    signed = [forms.of_bundle(junk), forms.of_payload(junk, {forms.SIGNATURE: signature})]

    assert keys.signer([found for found in signed if found], "sha256:a", {"a.pub": cosign.key().public}) == ""


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture(scope="module")
def asked(registry, subject, authority):
    def ask(form, envelope):
        statement = {
            "name": "a",
            "registryScopes": ["*"],
            "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:a"],
            "trustedIdentities": ["*"],
        }
        policy = json.dumps({"version": "1.0", "trustPolicies": [statement]}).encode()
        target = notary.target(registry, subject)
        return notation.Order(
            envelopes=((form, envelope),),
            target=notation.Target(media_type=target["mediaType"], digest=subject, size=target["size"]),
            repository="registry.example.org/app",
            secret={"trustpolicy.json": policy, "ca.crt": authority.pem},
            now=AT + timedelta(hours=1),
        )

    return ask


@pytest.fixture(scope="module")
def signer(authority):
    """One for all examples, so that an example fails again."""
    return authority.signer()


@pytest.fixture(scope="module")
def payload(registry, subject):
    return json.dumps({"targetArtifact": notary.target(registry, subject)}).encode()


@pytest.fixture(scope="module")
def in_jws(signer, payload):
    return json.loads(notary.jws(signer, payload, notary.headers()))


@pytest.fixture(scope="module")
def in_cose(signer, payload):
    return notary.cose(signer, payload, notary.headers())


@ENOUGH
@given(data=st.data())
def test_changed_envelope_in_jws_is_refused_or_says_the_same(data, in_jws, asked):
    place = data.draw(st.sampled_from(list(places(in_jws))))
    envelope = json.dumps(changed(in_jws, place, data.draw(JUNK))).encode()

    answer = notation.answer(asked(JWS, envelope))

    assert answer.by == notary.ADA or answer.wrong


@ENOUGH
@given(data=st.data())
def test_headers_of_any_sort_are_refused_or_good(data, signer, payload, asked):
    name = data.draw(st.sampled_from(["cty", "crit", "signingScheme", "signingTime", "expiry", "authenticSigningTime"]))
    headers = notary.headers(**{name: data.draw(JUNK)})
    form = data.draw(st.sampled_from([JWS, COSE]))

    answer = notation.answer(asked(form, notary.FORMS[form](signer, payload, headers)))

    assert answer.by == notary.ADA or answer.wrong


@ENOUGH
@given(data=st.data())
def test_changed_envelope_in_cose_is_refused_or_says_the_same(data, in_cose, asked):
    at = data.draw(st.integers(0, len(in_cose) - 1))
    envelope = in_cose[:at] + data.draw(st.binary(max_size=4)) + in_cose[at + data.draw(st.integers(0, 4)) :]

    answer = notation.answer(asked(COSE, envelope))

    assert answer.by == notary.ADA or answer.wrong


@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
@ENOUGH
@given(data=st.data())
def test_changed_certificate_is_refused_or_says_the_same(data, signer, in_jws, asked):
    whole = signer.raw[0]
    at = data.draw(st.integers(0, len(whole) - 1))
    changed_one = whole[:at] + data.draw(st.binary(min_size=1, max_size=1)) + whole[at + 1 :]
    envelope = changed(in_jws, ("header", "x5c", 0), base64.b64encode(changed_one).decode())

    answer = notation.answer(asked(JWS, json.dumps(envelope).encode()))

    assert answer.by == notary.ADA or answer.wrong


ODD = {
    "a version that is none": (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01"),
    "a name of bits": (b"\x0c\x03ada", b"\x03\x03ada"),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_certificate_that_the_library_stumbles_over_is_refused(signer, in_jws, asked, odd):
    raw = signer.raw[0].replace(*odd, 1)
    assert raw != signer.raw[0]
    envelope = changed(in_jws, ("header", "x5c", 0), base64.b64encode(raw).decode())

    assert notation.answer(asked(JWS, json.dumps(envelope).encode())).wrong == (
        "has a certificate that cannot be read",
    )


def test_certificate_of_a_version_that_is_none_is_refused_in_a_bundle_too(sigstore, subject, bundle):
    document = json.loads(bundle)
    place = ("verificationMaterial", "certificate", "rawBytes")
    raw = base64.b64decode(document[place[0]][place[1]][place[2]]).replace(
        b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01", 1
    )
    signed = forms.of_bundle(json.dumps(changed(document, place, base64.b64encode(raw).decode())).encode())
    assert signed is not None

    [why] = keyless.answer(order(sigstore, subject, signed)).wrong

    assert why.startswith("proves nothing: 1 is not a valid X509 version")


@pytest.mark.parametrize("library", ["sigstore.errors", "sigstore.models"])
def test_without_the_library_the_extra_is_named(monkeypatch, sigstore, subject, library):
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(Misconfigured, match=r"pip install 'gitopsd\[sigstore\]'"):
        keyless.answer(order(sigstore, subject))


def test_cose_names_its_extra(monkeypatch, asked):
    monkeypatch.setitem(sys.modules, "cbor2", None)

    [why] = notation.answer(asked(COSE, b"")).wrong

    assert "is in COSE" in why
    assert "pip install 'gitopsd[notation]'" in why


def test_time_stamps_name_their_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)

    with pytest.raises(Refused, match=r"time stamp .*pip install 'gitopsd\[notation\]'"):
        stamp.period(b"", b"", [])
