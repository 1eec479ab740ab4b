"""Acting as somebody else: the `Impersonate-*` headers, and whether the one who sends them may.

It knows headers and asks `Access`; who sends them was settled before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace
from multidict import CIMultiDict

from gitopsd_plugins.sandbox.access.access import Access
from gitopsd_plugins.sandbox.requests import status
from gitopsd_plugins.sandbox.requests.user import ANONYMOUS, ANYBODY, Attributes, User, authenticated

USER, GROUP, UID, EXTRA = "Impersonate-User", "Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-"
ACCOUNT = "system:serviceaccount:"


def acting(access: Access, sender: User, headers: CIMultiDict[str]) -> User:
    """Who the request is from, in the end. Raises `Refused` where the sender may not act so."""
    name, groups = headers.get(USER, ""), tuple(headers.getall(GROUP, ()))
    extras = {key[len(EXTRA) :].lower(): headers.get(key, "") for key in headers if key.title().startswith(EXTRA)}
    uid = headers.get(UID, "")
    if not name:
        if groups or extras or uid:
            raise status.bad_request(f"requested {[*groups, *extras]} without impersonating a user name")
        return sender
    for asked in _questions(sender, name, groups, uid, extras):
        if not access.allows(asked):
            raise access.refusal(asked)
    if name == ANONYMOUS:
        return User(name=name, groups=groups or (ANYBODY,))
    return authenticated(name, groups)


def _questions(
    sender: User, name: str, groups: tuple[str, ...], uid: str, extras: Mapping[str, str]
) -> Iterable[Attributes]:
    """What the sender must be allowed: one question for each name that he takes on."""
    asked = Attributes(user=sender, verb="impersonate")
    if name.startswith(ACCOUNT) and name.count(":") == 3:
        namespace, account = name.split(":")[2:]
        yield replace(asked, resource="serviceaccounts", namespace=namespace, name=account)
    else:
        yield replace(asked, resource="users", name=name)
    for group in groups:
        yield replace(asked, resource="groups", name=group)
    authentication = replace(asked, group="authentication.k8s.io")
    if uid:
        yield replace(authentication, resource="uids", name=uid)
    for key, value in extras.items():
        yield replace(authentication, resource="userextras", subresource=key, name=value)
