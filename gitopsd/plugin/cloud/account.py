"""Service accounts: what they are in a cloud, and tokens of theirs to be exchanged there.

Their annotations say it, in the words of the clouds and of Flux. In the file home a Secret of the account's name may say it
instead, by keys, and may hold the token too; it comes first, and needs no cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gitopsd.model.errors import NotReady, Rejected
from gitopsd.plugin.context import UNREADABLE, AccountToken, Context, ServiceAccount
from gitopsd.plugin.sources import access

TOKEN = "token"
"""The key of a Secret that holds the account's own token."""
ANNOTATIONS = {
    "roleArn": "eks.amazonaws.com/role-arn",
    "clientId": "azure.workload.identity/client-id",
    "tenantId": "azure.workload.identity/tenant-id",
    "gcpServiceAccount": "iam.gke.io/gcp-service-account",
    "workloadIdentityProvider": "gcp.auth.fluxcd.io/workload-identity-provider",
}
"""The key in a Secret, and the annotation of a service account that says the same."""
_LOOK_AGAIN = timedelta(minutes=1)
"""How long it counts what a cluster said of an account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A service account by name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"ServiceAccount/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What an account is in clouds. `keys` are those of a Secret, whatever said it; `secret`: a Secret did."""

    account: Account
    keys: Mapping[str, str] = field(repr=False)
    secret: bool
    absent: str = ""
    """Where a Secret was looked for that is not there."""
    until: datetime

    @property
    def place(self) -> str:
        """Who said it, for messages."""
        return f"Secret/{self.account.namespace}/{self.account.name}" if self.secret else str(self.account)

    def need(self, key: str) -> str:
        """The value of a key. Raises `Rejected` where nobody says it, naming key or annotation."""
        if found := self.keys.get(key, ""):
            return found
        name = f"the key {key}" if self.secret else f"the annotation {ANNOTATIONS[key]}"
        raise Rejected(f"{self.place} lacks {name}", reason=access.FAILED)

    def wrong(self, key: str, form: str) -> Rejected:
        """The error for a value that has not this form."""
        name = f"the key {key}" if self.secret else f"the annotation {ANNOTATIONS[key]}"
        return Rejected(f"{self.place}: {name} is {self.keys.get(key, '')[:80]!r}, not {form}", reason=access.FAILED)


async def described(account: Account, ctx: Context) -> Described:
    """What the account is in clouds. Raises `NotReady` where nobody knows it, saying where it was looked for."""
    try:
        data = await ctx.credentials.secret(account.namespace, account.name)
    except NotReady as absent:
        if absent.reason == UNREADABLE:
            raise
        missing = str(absent)
        return await ctx.kept.get(("account", account), ctx.now(), lambda: _in_cluster(account, missing, ctx))
    keys = {name: value.decode("utf-8", "replace").strip() for name, value in data.items()}
    return Described(account=account, keys=keys, secret=True, until=ctx.now() + _LOOK_AGAIN)


async def _in_cluster(account: Account, absent: str, ctx: Context) -> Described:
    found = await _asked(account, absent, ctx)
    keys = {key: found.annotations.get(name, "").strip() for key, name in ANNOTATIONS.items()}
    return Described(account=account, keys=keys, secret=False, absent=absent, until=ctx.now() + _LOOK_AGAIN)


async def _asked(account: Account, absent: str, ctx: Context, *, secrets: bool = False) -> ServiceAccount:
    try:
        return await ctx.account(account.namespace, account.name, secrets=secrets)
    except NotReady as nobody:
        raise NotReady(
            f"{nobody}; or describe it in a Secret of that name ({absent})", reason=access.FAILED
        ) from nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pulls:
    secrets: Sequence[Mapping[str, bytes]] = field(repr=False)
    until: datetime


async def pull_secrets(account: Account, ctx: Context) -> Sequence[Mapping[str, bytes]]:
    """The Secret of the account's name, else the imagePullSecrets that it has in the cluster. Raises as `described`."""
    try:
        return (await ctx.credentials.secret(account.namespace, account.name),)
    except NotReady as error:
        if error.reason == UNREADABLE:
            raise
        absent = str(error)

    async def asked() -> _Pulls:
        found = await _asked(account, absent, ctx, secrets=True)
        return _Pulls(secrets=found.pull_secrets, until=ctx.now() + _LOOK_AGAIN)

    return (await ctx.kept.get(("pulls", account), ctx.now(), asked)).secrets


async def token(it: Described, audience: str, ctx: Context) -> AccountToken:
    """A token of the account for this audience: the one in its Secret, else a new one from the cluster.

    Raises `NotReady` where there is neither, `Rejected` where the cluster issues none.
    """
    if given := it.keys.get(TOKEN, ""):
        return AccountToken(value=given, expires=ctx.now() + _LOOK_AGAIN)
    try:
        return await ctx.issue(it.account.namespace, it.account.name, (audience,))
    except NotReady as nobody:
        where = f"put it into {it.place} under {TOKEN}" if it.secret else f"put it into a Secret ({it.absent})"
        raise NotReady(f"{nobody}; or {where}", reason=access.FAILED) from nobody
