"""Who may do what: rules that a test adds, then masters may do all, then role-based access control.

It answers authorization questions in the API server's words. It knows no objects; `rbac.py` reads the roles.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field

from gitopsd_plugins.sandbox.access import rbac
from gitopsd_plugins.sandbox.requests import status
from gitopsd_plugins.sandbox.requests.call import Call
from gitopsd_plugins.sandbox.requests.user import KNOWN, MASTERS, Attributes, User
from gitopsd_plugins.sandbox.storage.store import Store

FOR_EVERYONE = ("/api", "/apis", "/healthz", "/livez", "/openapi", "/readyz", "/version")


class Deny(Struct, frozen=True, kw_only=True):
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


class Access(Struct):
    """The rules in force, over the roles in `store`."""

    store: Store
    denied: list[Deny] = field(default_factory=list)
    """Refusals that hold for everyone, masters too."""
    authorizer: Callable[[Attributes], bool] | None = None
    """Decides instead of roles, if set."""

    def allows(self, asked: Attributes) -> bool:
        """The answer to one question."""
        if any(rule.matches(asked) for rule in self.denied):
            return False
        if self.authorizer is not None:
            return self.authorizer(asked)
        return MASTERS in asked.user.groups or rbac.allows(self.store, asked)

    def allows_url(self, user: User, verb: str, path: str) -> bool:
        """Whether a user may ask for a path that is no resource; discovery is for everyone who is known."""
        if MASTERS in user.groups or (KNOWN in user.groups and verb == "get" and path.startswith(FOR_EVERYONE)):
            return True
        return rbac.allows_url(self.store, user, verb, path)

    def check(self, call: Call) -> None:
        """Raises `Refused` (403) in the API server's words."""
        if MASTERS in call.user.groups and not self.denied and self.authorizer is None:
            return
        asked = attributes(call)
        # everyone may ask about himself
        if asked.resource.startswith("self") or self.allows(asked):
            return
        raise self.refusal(asked)

    def refusal(self, asked: Attributes) -> status.Refused:
        """403 for a question whose answer is no."""
        return status.forbidden(asked.group, asked.resource, asked.name, _reason(asked))


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
