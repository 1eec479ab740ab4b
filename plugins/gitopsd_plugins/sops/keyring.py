"""The keys that an app may use, by the names that Flux gives them in a Secret.

`*.agekey` holds age identities, or an SSH private key; `*.asc` OpenPGP keys; `sops.vault-token`, `sops.aws-kms`,
`sops.gcp-kms` and `sops.azure-kv` what is needed to ask such a service. `sops.addresses`, ours, says which addresses may be asked.
Keys are named by Secret and key in messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gitopsd.plugin import Keys

AGE, PGP = ".agekey", ".asc"
VAULT, AWS, GCP, AZURE = "sops.vault-token", "sops.aws-kms", "sops.gcp-kms", "sops.azure-kv"
ADDRESSES = "sops.addresses"
SERVICES = {"hc_vault": VAULT, "kms": AWS, "gcp_kms": GCP, "azure_kv": AZURE}
"""Which key of a Secret opens which service, by the name in SOPS's metadata."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One of them. `place` is Secret and key, for messages."""

    place: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """All keys, in the order in which they are tried."""

    age: tuple[Key, ...] = ()
    pgp: tuple[Key, ...] = ()
    services: Mapping[str, Key] = field(default_factory=dict)
    """By the key's name; the first Secret that has it."""
    addresses: tuple[str, ...] = ()
    """Where credentials may be sent; empty for no such limit."""
    places: tuple[str, ...] = ()
    """The Secrets that were looked at."""


def of(secrets: Sequence[Keys]) -> Keyring:
    """The keys of these Secrets; keys with other names are left alone."""
    found = [Key(place=f"{s.place}[{name}]", content=s.values[name]) for s in secrets for name in sorted(s.values)]
    services: dict[str, Key] = {}
    for secret in secrets:
        for name in SERVICES.values():
            if name in secret.values:
                services.setdefault(name, Key(place=f"{secret.place}[{name}]", content=secret.values[name]))
    return Keyring(
        age=tuple(key for key in found if key.place.endswith(f"{AGE}]")),
        pgp=tuple(key for key in found if key.place.endswith(f"{PGP}]")),
        services=services,
        addresses=tuple(a.rstrip("/") for s in secrets for a in s.values.get(ADDRESSES, b"").decode().split()),
        places=tuple(secret.place for secret in secrets),
    )
