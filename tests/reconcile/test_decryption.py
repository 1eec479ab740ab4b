"""Whose decryption counts: the app's own, else what is set for all."""

from __future__ import annotations

import pytest

from gitopsd.model.declared import Decryption, ValuesRef
from gitopsd.reconcile import decryption

OWN = ValuesRef(kind="Secret", namespace="a", name="own", field="x")
ALL = ValuesRef(kind="Secret", namespace="f", name="all", field="y", optional=True)
NONE = Decryption(verify=True)
SHARED = Decryption(provider="sops", keys=ALL, verify=True)


@pytest.mark.parametrize(
    ("own", "shared", "expected"),
    [
        (None, NONE, None),
        (Decryption(verify=False), NONE, None),
        (None, SHARED, SHARED),
        (Decryption(verify=False), SHARED, Decryption(provider="sops", keys=ALL, verify=False)),
        (Decryption(provider="sops", keys=OWN), SHARED, Decryption(provider="sops", keys=OWN, verify=True)),
        (Decryption(provider="sops"), Decryption(verify=False), Decryption(provider="sops", verify=False)),
        (Decryption(provider="sops"), Decryption(account="b"), Decryption(provider="sops", account="b")),
        (Decryption(provider="sops", account="a"), Decryption(account="b"), Decryption(provider="sops", account="a")),
    ],
)
def test_the_apps_own_goes_before_what_is_set_for_all(
    own: Decryption | None, shared: Decryption, expected: Decryption | None
) -> None:
    assert decryption.effective(own, shared) == expected
