"""The overlay in a worker process: what is opened once is opened once, and no error that leaves quotes it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from gitopsd.model.errors import Rejected
from gitopsd.model.manifest import Manifest
from gitopsd.plugin import Keys, Locked
from gitopsd.reconcile import unsealing
from gitopsd.reconcile.unsealing import Unseal, Unsealing

DATA = Path(__file__).parents[1] / "data" / "sops"
SEALED = (DATA / "sealed" / "guide-age.yaml").read_bytes()
PASSWORD = "correct-horse-battery"
SOPS = "gitopsd_plugins.sops.decryptor:SopsDecryptor"


@pytest.fixture
def overlay() -> Unsealing:
    keys = Keys(place="Secret/a/b", values={"x.agekey": (DATA / "keys" / "identity.agekey").read_bytes()})
    return Unsealing(Unseal(decryptor=SOPS, keys=(keys,), verify=True))


def secret(**data: bytes) -> Manifest:
    values = {name.replace("_", "."): base64.b64encode(value).decode() for name, value in data.items()}
    return Manifest.of(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "b"}, "data": values}
    )


def test_what_is_not_sealed_passes_through_and_leaves_no_trace(overlay: Unsealing) -> None:
    assert overlay.reveal("a.yaml", b"a: 1\n") == b"a: 1\n"
    assert not overlay.used


def test_what_was_sealed_is_remembered_as_secret(overlay: Unsealing) -> None:
    assert PASSWORD.encode() in overlay.reveal("a.yaml", SEALED)
    assert overlay.used
    assert overlay.values == {PASSWORD, "admin"}


def test_sealed_values_of_a_secret_are_opened_and_others_stay(overlay: Unsealing) -> None:
    manifest = overlay.revealed(secret(x_yaml=SEALED, plain=b"x"))
    assert PASSWORD.encode() in base64.b64decode(manifest.body["data"]["x.yaml"])
    assert base64.b64decode(manifest.body["data"]["plain"]) == b"x"


def test_a_value_that_cannot_be_opened_names_the_secret_and_its_key(overlay: Unsealing) -> None:
    with pytest.raises(Rejected, match=r"^Secret/b/a: data: x.yaml: stringData.password was changed"):
        overlay.revealed(
            secret(x_yaml=SEALED.replace(b"password: ENC[AES256_GCM,data:", b"password: ENC[AES256_GCM,data:AAAA"))
        )


def test_a_sealed_secret_is_refused_where_nothing_opens_it() -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "b"}, "sops": {"mac": "x"}}
    with pytest.raises(
        Rejected, match=r"Secret/b/a: is encrypted with sops, and is not to be decrypted; set spec.decryption"
    ):
        unsealing.refuse_sealed([Manifest.of(body)], [SOPS])
    unsealing.refuse_sealed([Manifest.of({**body, "kind": "SopsSecret"})], [SOPS])


def test_the_values_of_secrets_are_known_but_for_names_of_objects() -> None:
    found = Manifest.of({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shop-production"}})
    assert set(unsealing.secrets_in([secret(x=b"hunter2", y=b"a", z=b"production"), found])) == {b"hunter2"}


def test_an_error_leaves_without_what_was_opened(overlay: Unsealing) -> None:
    overlay.reveal("a.yaml", SEALED)
    with pytest.raises(Rejected) as raised, unsealing.discreet([], overlay):
        raise Rejected(f"cannot read {PASSWORD}: no", reason="X")
    assert str(raised.value) == "cannot read ***: no"
    assert raised.value.reason == "X"


def test_the_trace_of_a_bug_leaves_without_it_too(overlay: Unsealing) -> None:
    overlay.reveal("a.yaml", SEALED)
    with pytest.raises(KeyError) as raised, unsealing.discreet(["another-secret"], overlay):
        _bug()
    assert raised.value.args == ("***",)
    assert raised.value.__cause__ is not None
    assert raised.value.__cause__.args == ("***",)


def _bug() -> None:
    try:
        raise ValueError(base64.b64encode(PASSWORD.encode()).decode())
    except ValueError as error:
        raise KeyError("another-secret") from error


def test_locks_pass_as_they_are(overlay: Unsealing) -> None:
    with pytest.raises(Locked), unsealing.discreet([PASSWORD], overlay):
        raise Locked(())
