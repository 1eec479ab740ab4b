"""Who asks, and what a question of authorization is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

MASTERS = "system:masters"
ANONYMOUS = "system:anonymous"
KNOWN = "system:authenticated"
ANYBODY = "system:unauthenticated"


class User(Struct, frozen=True, kw_only=True):
    """Who asks, after impersonation."""

    name: str
    groups: tuple[str, ...] = ()


ADMIN = User(name="sandbox-admin", groups=(MASTERS, "system:authenticated"))


class Attributes(Struct, frozen=True, kw_only=True):
    """One question: may `user` do this?"""

    user: User
    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


def authenticated(name: str, groups: tuple[str, ...] = ()) -> User:
    """A user with the groups that the server adds: to everyone, and to service accounts."""
    added: tuple[str, ...] = ("system:authenticated",)
    if name.startswith("system:serviceaccount:"):
        added = ("system:serviceaccounts", f"system:serviceaccounts:{name.split(':')[2]}", *added)
    return User(name=name, groups=(*groups, *added))


def subject(certificate: Mapping[str, Any] | None) -> tuple[str, tuple[str, ...]]:
    """User and groups of a client's certificate, as the standard library gives it; empty without one."""
    parts = [part for entry in (certificate or {}).get("subject", ()) for part in entry]
    name = next((value for key, value in parts if key == "commonName"), "")
    return name, tuple(value for key, value in parts if key == "organizationName")
