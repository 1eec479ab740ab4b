"""What opens a repository, as a value; how it is come by, worker processes need not load (`access.py`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from gitopsd.plugin import Digest, Tls


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Credentials for one origin. `authorization` is the HTTP header's value; the rest of the text fields is for ssh."""

    authorization: str = field(default="", repr=False)
    tls: Tls = field(default=Tls(), repr=False)
    user: str = "git"
    identity: str = field(default="", repr=False)
    passphrase: str = field(default="", repr=False)
    known_hosts: str = field(default="", repr=False)
    who: Digest | None = None
    """Whose they are, where they change by the hour."""
