"""The values: identities, digests, revisions, manifests, and the error tree."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fakes.things import APP, AT, id_of, manifest, record
from hypothesis import given
from hypothesis import strategies as st

from gitopsd.model import digest, errors
from gitopsd.model.change import Action
from gitopsd.model.errors import GitopsdError
from gitopsd.model.identity import ObjectRef
from gitopsd.model.inventory import Suspension
from gitopsd.model.manifest import Manifest, Rendered
from gitopsd.model.tree import Revision

words = st.text("abcdefgh-.", min_size=1, max_size=8)


@given(words, words, words)
def test_a_reference_reads_what_it_writes(kind: str, namespace: str, name: str) -> None:
    ref = ObjectRef(kind=kind, namespace=namespace, name=name)
    assert ObjectRef.parse(str(ref)) == ref
    assert ObjectRef.parse(f"{kind}/{name}", namespace=namespace) == ref


@pytest.mark.parametrize("text", ["", "name", "Kind/name", "a/b/c/d", "Kind//name", "Kind/ns/"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not KIND/NAMESPACE/NAME"):
        ObjectRef.parse(text)


@given(st.text("abc/@.-", max_size=10).filter(lambda name: not name.startswith("@")), st.text("0af", min_size=1))
def test_a_revision_reads_what_it_writes(name: str, hexes: str) -> None:
    revision = Revision(digest=f"sha1:{hexes}", name=name)
    assert Revision.parse(str(revision)) == revision


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=4)
values = st.recursive(scalars, lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=3), max_leaves=6)


@given(st.dictionaries(st.text(max_size=2), values, max_size=4))
def test_a_digest_does_not_depend_on_the_order_of_keys(value: dict[str, object]) -> None:
    assert digest.of_value(value) == digest.of_value(dict(reversed(value.items())))
    assert digest.of_secret(value, b"1") != digest.of_secret(value, b"2")
    assert digest.of_value(value) != digest.of_secret(value, b"1")


def test_text_that_no_encoding_holds_has_a_digest_too() -> None:
    assert digest.of_value("\ud800") == digest.of_value("\ud800")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"apiVersion": "v1", "kind": "X"}, "metadata is missing"),
        ({"apiVersion": "v1", "kind": "X", "metadata": {}}, "name is missing"),
        ({"apiVersion": "v1", "kind": "X", "metadata": {"name": 1}}, "name is missing or not a string"),
        ({"apiVersion": 1, "kind": "X", "metadata": {"name": "a"}}, "apiVersion is missing"),
        ({"apiVersion": "v1", "metadata": {"name": "a"}}, "kind is missing"),
    ],
)
def test_what_is_no_manifest_says_what_is_missing(body: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Manifest.of(body)


def test_version_is_no_part_of_an_identity() -> None:
    bodies = [{"apiVersion": f"apps/{v}", "kind": "Deployment", "metadata": {"name": "a"}} for v in ("v1", "v1beta1")]
    one, other = map(Manifest.of, bodies)
    assert one.id == other.id
    assert (one.version, other.api_version) == ("v1", "apps/v1beta1")


def test_a_secrets_digest_is_keyed_and_a_set_with_one_is_sensitive() -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"k": "dg=="}}
    keyed = Manifest.of(body, key=b"k")
    assert keyed.digest.startswith("hmac-sha256:")
    assert Rendered(manifests=(keyed,)).sensitive
    assert not Rendered(manifests=(manifest("a"), manifest("b", "SecretStore"))).sensitive
    assert "dg==" not in repr(keyed)


def test_identities_read_as_users_write_them() -> None:
    assert (str(id_of("a")), str(id_of("shop", "Namespace", namespace=""))) == ("ConfigMap/default/a", "Namespace/shop")
    assert str(APP) == "Kustomization/flux-system/app"


def test_only_these_actions_write() -> None:
    assert {str(a) for a in Action if a.writes} == {"create", "update", "recreate", "adopt", "delete"}


@pytest.mark.parametrize(("until", "holds"), [(None, True), (AT + timedelta(1), True), (AT, False)])
def test_a_suspension_holds_until_its_time_has_come(until: datetime | None, holds: bool) -> None:
    held = Suspension(actor="ada", since=AT, until=until)
    assert (replace(record(), suspension=held).held(datetime(2026, 1, 1, tzinfo=UTC)) is not None) is holds
    assert record().held(AT) is None


def test_every_error_says_what_happens_next_and_in_one_word_why() -> None:
    found = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, GitopsdError)]
    for error in found:
        assert error("x").reason == error.default_reason
        assert error("x", reason="Why").reason == "Why"
    assert errors.Conflict("x", retry_after=3.0).retry_after == 3.0
