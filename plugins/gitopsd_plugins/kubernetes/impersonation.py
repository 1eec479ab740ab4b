"""The same way to a cluster, as another user. Kubernetes decides whether we may, and what he may; nothing falls back to us."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gitopsd.plugin import Access, Misconfigured
from gitopsd_plugins.kubernetes.refusal import Reply

_PREFIX = "impersonate-"


def of(access: Access, user: str, name: str) -> Access:
    """The access, called `name`, whose requests are made as `user`."""

    async def headers() -> Mapping[str, str]:
        from multidict import CIMultiDict

        own: CIMultiDict[str] = CIMultiDict(await access.headers() if access.headers else {})
        if any(header.lower().startswith(_PREFIX) for header in own):
            raise Misconfigured(
                f"cluster {access.cluster}: its kubeconfig acts as another user already, who cannot act as {user} in turn; "
                "remove `as` from it"
            )
        own["Impersonate-User"] = user
        return own

    return replace(access, cluster=name, headers=headers, act_as=user)


def explained(reply: Reply, access: Access) -> Reply:
    """A 403 with the words that say whose right is missing."""
    if reply.status != 403 or not access.act_as:
        return reply
    if "cannot impersonate" in reply.message:
        remedy = f"gitopsd acts as {access.act_as} here and may not: grant its own identity the verb impersonate on it"
    else:
        remedy = f"gitopsd acts as {access.act_as} here: grant that one the right, or name another service account"
    return replace(reply, body={**reply.body, "message": f"{reply.message}; {remedy}"})
