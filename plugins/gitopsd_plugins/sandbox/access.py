"""Who may do what: everything is allowed to everyone who authenticated, but for the rules that a test adds.

It answers authorization questions and the review resources that ask them. It knows no objects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gitopsd_plugins.sandbox import status
from gitopsd_plugins.sandbox.call import Call, User

ADMIN = User(name="sandbox-admin", groups=("system:masters", "system:authenticated"))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """A rule that refuses; each field is a value or `*`. `namespace=''` means requests at the cluster scope."""

    user: str = "*"
    verb: str = "*"
    group: str = "*"
    resource: str = "*"
    namespace: str = "*"

    def matches(self, asked: Attributes) -> bool:
        """Whether the rule speaks of this question. A resource may be written with its subresource."""
        resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
        given = (self.user, self.verb, self.group, self.resource, self.namespace)
        found = (asked.user.name, asked.verb, asked.group, resource, asked.namespace)
        return all(rule in ("*", value) for rule, value in zip(given, found, strict=True))


@dataclass(slots=True)
class Access:
    """The rules in force. `authorizer`, if set, is asked after the rules and says whether a question is allowed."""

    denied: list[Deny] = field(default_factory=list)
    authorizer: Callable[[Attributes], bool] | None = None

    def allows(self, asked: Attributes) -> bool:
        """The answer to one question."""
        if any(rule.matches(asked) for rule in self.denied):
            return False
        return self.authorizer is None or self.authorizer(asked)

    def check(self, call: Call) -> None:
        """Raises `Refused` (403) in the API server's words."""
        if not self.denied and self.authorizer is None:
            return
        asked = attributes(call)
        if not self.allows(asked):
            raise status.forbidden(asked.group, asked.resource, asked.name, _reason(asked))


def attributes(call: Call) -> Attributes:
    """The question that a request asks."""
    return Attributes(
        user=call.user,
        verb=call.verb,
        group=call.resource.group,
        resource=call.resource.plural,
        subresource=call.target.subresource,
        namespace=call.target.namespace,
        name=call.target.name,
    )


def _reason(asked: Attributes) -> str:
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    return f'User "{asked.user.name}" cannot {asked.verb} resource "{resource}" in API group "{asked.group}" {where}'
