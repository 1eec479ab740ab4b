"""Who asks, and what a question of authorization is made of."""

from __future__ import annotations

from dataclasses import dataclass

MASTERS = "system:masters"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who asks, after impersonation."""

    name: str
    groups: tuple[str, ...] = ()


ADMIN = User(name="sandbox-admin", groups=(MASTERS, "system:authenticated"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
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
