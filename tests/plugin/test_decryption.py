"""With what a service may be asked: the first Secret that holds it, the account, and the own identity for named keys only."""

from __future__ import annotations

import pytest

from gitopsd.plugin import Answers, Asker, Keys, Rejected, digest
from gitopsd.plugin.cloud import Account

OWN, SHARED = (Keys(place=f"Secret/a/{name}", values={"x": name.encode()}) for name in ("own", "shared"))
ROBOT = Account(namespace="a", name="robot")


def test_the_first_secret_that_holds_it_counts() -> None:
    found = Asker(keys=(OWN, SHARED)).held("x")
    assert found is not None
    assert (found.place, found.content) == ("Secret/a/own[x]", b"own")
    assert Asker(keys=(OWN, SHARED)).held("y") is None
    assert "b'own'" not in repr(found)


@pytest.mark.parametrize(
    ("rules", "key", "allowed"),
    [
        ((), "arn:aws:kms:eu-west-1:1:key/a", False),
        (("*",), "arn:aws:kms:eu-west-1:1:key/a", True),
        (("arn:aws:kms:*:1:key/*",), "arn:aws:kms:eu-west-1:1:key/a", True),
        (("arn:aws:kms:*:1:key/*",), "arn:aws:kms:eu-west-1:2:key/a", False),
        (("https://v/v1/transit/keys/main",), "https://v/v1/transit/keys/main2", False),
        (("https://v.example/*",), "https://vxexample/a", False),
        (("https://v/*",), "https://v/a\nb", False),
        (("a", "b*"), "bc", True),
    ],
)
def test_the_own_identity_is_for_keys_that_match_a_rule_as_a_whole(
    rules: tuple[str, ...], key: str, allowed: bool
) -> None:
    assert Asker(own=rules).may_be_itself(key) is allowed


def test_an_account_goes_before_the_own_identity_and_nobody_is_refused() -> None:
    assert Asker(account=ROBOT, own=("*",)).identity("k", "x") == ROBOT
    assert Asker(own=("*",)).identity("k", "x") is None
    with pytest.raises(Rejected, match=r"there is no x in Secret/a/own or Secret/a/shared, .* decryption.ownIdentity"):
        Asker(keys=(OWN, SHARED)).identity("k", "x")


def test_later_answers_join_earlier_ones() -> None:
    one, two = digest.of_value("1"), digest.of_value("2")
    both = Answers(opened={one: b"k"}) | Answers(refused={two: "no"})
    assert (both.opened, both.refused) == ({one: b"k"}, {two: "no"})
    assert "b'k'" not in repr(both)
