"""The keys that an app may use and that are at hand, by the names that Flux gives them in a Secret.

`*.agekey` holds age identities, or an SSH private key; `*.asc` OpenPGP keys. What else is there is for services. Keys are named by
Secret and key in messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitopsd.plugin import Credential, Keys

AGE, PGP = ".agekey", ".asc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """All keys, in the order in which they are tried."""

    age: tuple[Credential, ...] = ()
    pgp: tuple[Credential, ...] = ()
    places: tuple[str, ...] = ()
    """The Secrets that were looked at."""


def of(secrets: Sequence[Keys]) -> Keyring:
    """The keys of these Secrets; keys with other names are left alone."""
    found = [
        Credential(place=f"{s.place}[{name}]", content=s.values[name]) for s in secrets for name in sorted(s.values)
    ]
    return Keyring(
        age=tuple(key for key in found if key.place.endswith(f"{AGE}]")),
        pgp=tuple(key for key in found if key.place.endswith(f"{PGP}]")),
        places=tuple(secret.place for secret in secrets),
    )
