"""Which addresses are out of bounds, whatever way they are written."""

from __future__ import annotations

import pytest

from gitopsd.plugin import egress
from gitopsd.plugin.egress import Egress, ForbiddenAddress

PRIVATE = [
    "10.0.0.1",
    "172.16.5.4",
    "192.168.1.1",
    "127.0.0.1",
    "0.0.0.0",
    "169.254.169.254",
    "100.64.0.1",
    "224.0.0.1",
    "::1",
    "::",
    "fe80::1%eth0",
    "fd00::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "::ffff:a9fe:a9fe",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "[::1]",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_address_that_is_not_public_is_refused(address):
    with pytest.raises(ForbiddenAddress, match=r"network\.privateAddresses"):
        Egress(private=False).check(address)


@pytest.mark.parametrize("address", ["140.82.121.4", "2606:50c0:8000::153", "git.example.org", "::ffff:140.82.121.4"])
def test_public_address_and_name_pass(address):
    Egress(private=False).check(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_everything_passes_by_default(address):
    Egress().check(address)


@pytest.mark.parametrize(
    ("address", "network"), [("10.1.2.3", "10.0.0.0/8"), ("::ffff:10.1.2.3", "10.0.0.0/8"), ("fd00::1", "fd00::/8")]
)
def test_allowed_network_passes(address, network):
    Egress(private=False, allowed=("192.168.0.0/16", network)).check(address)


def test_reason_is_found_below_other_errors():
    forbidden = ForbiddenAddress("10.0.0.1 is no public address")
    caused = ValueError("x")
    caused.__cause__ = ConnectionError("all of them", forbidden)

    assert egress.why(caused) == str(forbidden)
    assert egress.why(ValueError("x")) == ""
