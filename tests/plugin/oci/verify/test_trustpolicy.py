"""Notation's trust policies: the statement for a repository, and documents that break a rule."""

from __future__ import annotations

import json

import pytest

from gitopsd.plugin.oci.verify import trustpolicy
from gitopsd.plugin.oci.verify.trustpolicy import PolicyError

HERE = "registry.example.org:5000/team/app"


def statement(name="one", **changed):
    given = {
        "name": name,
        "registryScopes": ["*"],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:team"],
        "trustedIdentities": ["*"],
        **changed,
    }
    return {key: value for key, value in given.items() if value is not None}


def document(*statements, version="1.0"):
    return json.dumps({"version": version, "trustPolicies": list(statements)}).encode()


def test_scope_that_names_the_repository_comes_before_all_others():
    found = document(
        statement("all"),
        statement("other", registryScopes=["registry.example.org/team/app", f"{HERE}/more"]),
        statement("ours", registryScopes=[HERE]),
    )

    assert trustpolicy.read(found, HERE).name == "ours"
    assert trustpolicy.read(found, "elsewhere.example.org/x").name == "all"


@pytest.mark.parametrize(
    ("level", "actions"),
    [
        ("strict", ("enforce", "enforce", "enforce", "enforce")),
        ("permissive", ("enforce", "log", "log", "log")),
        ("audit", ("log", "log", "log", "log")),
    ],
)
def test_levels(level, actions):
    found = trustpolicy.read(document(statement(signatureVerification={"level": level})), HERE)

    assert tuple(found.actions.values()) == actions


def test_override_changes_one_action():
    how = {"level": "permissive", "override": {"revocation": "skip", "expiry": "enforce"}}

    found = trustpolicy.read(document(statement(signatureVerification=how)), HERE)

    assert found.actions == {
        "authenticity": "enforce",
        "authenticTimestamp": "log",
        "expiry": "enforce",
        "revocation": "skip",
    }


def test_skip_needs_nothing_and_looks_at_nothing():
    found = statement(signatureVerification={"level": "skip"}, trustStores=None, trustedIdentities=None)

    assert trustpolicy.read(document(found), HERE).skips
    assert trustpolicy.read(document(statement(signatureVerification={"level": "skip"})), HERE).skips


def how(**more):
    return {"signatureVerification": {"level": "strict", **more}}


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (b"", "is no trust policy"),
        (b"[" * 5000, "is no trust policy"),
        (b'{"trustPolicies": 1}', "is no trust policy"),
        (document(statement(), version="2.0"), r"is of version '2\.0'; 1\.0 is known"),
        (document(), "needs trustPolicies"),
        (document(statement(), statement(registryScopes=[HERE])), "each with a name of its own"),
        (document(statement(name="")), "has a statement without a name"),
        (document(statement(registryScopes=[])), "statement 'one' has no registryScopes"),
        (document(statement(registryScopes=["*", HERE])), r"has '\*' beside other registryScopes"),
        (document(statement(registryScopes=["a", HERE])), "has the scope 'a'; write HOST/REPOSITORY"),
        (document(statement(registryScopes=[f"{HERE}:v1"])), "write HOST/REPOSITORY, no tag, no scheme"),
        (document(statement(registryScopes=[f"oci://{HERE}"])), "write HOST/REPOSITORY, no tag, no scheme"),
        (document(statement(registryScopes=["x.org/*"])), "write HOST/REPOSITORY"),
        (document(statement(), statement("two")), r"has the scope '\*' twice"),
        (document(statement(registryScopes=["x.org/y"])), "has no statement for registry"),
        (document(statement(signatureVerification={})), "has the level ''; use strict, permissive, audit or skip"),
        (document(statement(signatureVerification={"level": "skip", "override": {"expiry": "log"}})), "level skip"),
        (document(statement(**how(override={"integrity": "log"}))), "overrides 'integrity'; use authenticity"),
        (document(statement(**how(override={"expiry": "skip"}))), "overrides expiry by 'skip'; use enforce or log"),
        (document(statement(**how(override={"revocation": "no"}))), "overrides revocation by 'no'"),
        (document(statement(**how(verifyTimestamp="never"))), "has verifyTimestamp 'never'; use always"),
        (document(statement(trustStores=[])), "needs trustStores and trustedIdentities"),
        (document(statement(trustedIdentities=None)), "needs trustStores and trustedIdentities"),
        (document(statement(trustStores=["team"])), "has the trust store 'team'; write TYPE:NAME"),
        (document(statement(trustStores=["x:team"])), "TYPE of ca, signingAuthority, tsa"),
        (document(statement(trustStores=["ca:../team"])), r"has the trust store 'ca:\.\./team'"),
        (document(statement(trustedIdentities=["*", "x509.subject: C=a"])), r"has '\*' beside other trustedIdentities"),
        (document(statement(trustedIdentities=["C=DE"])), r"write x509\.subject"),
        (document(statement(trustedIdentities=["x509.subject: C=DE"])), "lacks ST, O"),
        (document(statement(trustedIdentities=["x509.subject: nothing"])), "is no distinguished name"),
        (document(statement(trustedIdentities=["x509.subject: C=DE, ST=BE, O=#1234"])), "holds =#"),
        (document(statement(trustedIdentities=["x509.subject: C=DE, ST=BE, O=a, O=b"])), "has the attribute O twice"),
        (document(statement(trustedIdentities=["x509.subject: C=DE+ST=BE, O=a"])), "several attributes at one level"),
        (document(statement(trustedIdentities=["did:x"])), r"no trusted identity of the kind x509\.subject"),
        (
            document(
                statement(trustedIdentities=["x509.subject: C=DE, ST=BE, O=a", "x509.subject: C=DE, ST=BE, O=a, CN=b"])
            ),
            "of which one covers another",
        ),
    ],
)
def test_document_that_breaks_a_rule_is_refused_in_words(found, message):
    with pytest.raises(PolicyError, match=message):
        trustpolicy.read(found, HERE)


def test_words_of_a_name_are_read_as_people_write_them():
    found = statement(trustedIdentities=[r"x509.subject: C=DE,  ST=BE, O=Ex\, Ltd, CN=a b"])

    [identity] = trustpolicy.read(document(found), HERE).identities

    assert sorted(identity.values()) == ["BE", "DE", "Ex, Ltd", "a b"]
