"""Which keys a host is trusted with."""

from __future__ import annotations

import pytest

from gitopsd_plugins.git.wire import known_hosts
from gitopsd_plugins.git.wire.known_hosts import MalformedLine

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
HASHED = "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg="
"""192.168.1.61, as OpenSSH's own documentation has it."""


@pytest.mark.parametrize(
    ("names", "host", "port", "known"),
    [
        ("git.example.org", "git.example.org", 22, True),
        ("git.example.org", "GIT.example.org", 22, True),
        ("git.example.org", "git.example.org", 2222, False),
        ("[git.example.org]:2222", "git.example.org", 2222, True),
        ("a,git.example.org,b", "git.example.org", 22, True),
        ("*.example.org", "git.example.org", 22, True),
        ("*.example.org,!git.example.org", "git.example.org", 22, False),
        ("gi?.example.org", "git.example.org", 22, True),
        ("example.org", "git.example.org", 22, False),
        ("gitXexample.org", "git.example.org", 22, False),
        (HASHED, "192.168.1.61", 22, True),
        (HASHED, "192.168.1.62", 22, False),
        ("|2|x|y", "git.example.org", 22, False),
        ("|1|", "git.example.org", 22, False),
    ],
)
def test_names_of_a_line(names, host, port, known):
    found = known_hosts.keys(f"# comment\n\n{names} {KEY} comment\n", known_hosts.name(host, port))

    assert [key.type for key in found] == (["ssh-ed25519"] if known else [])


def test_all_keys_of_a_host_count():
    other = "ssh-rsa AAAAB3NzaC1yc2E="

    found = known_hosts.keys(f"h {KEY}\nh {other}\nh {KEY}\nother {other}\n", "h")

    assert [key.type for key in found] == ["ssh-ed25519", "ssh-rsa"]


@pytest.mark.parametrize("line", [f"@cert-authority h {KEY}", f"@revoked h {KEY}", "h ssh-ed25519 no!base64"])
def test_line_that_cannot_be_heeded_is_refused(line):
    with pytest.raises(MalformedLine, match="line 2"):
        known_hosts.keys(f"x {KEY}\n{line}\n", "h")
