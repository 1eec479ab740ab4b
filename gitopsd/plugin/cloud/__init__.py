"""Identities in clouds: short-lived keys and tokens without a password anywhere, over plain HTTP.

    keys = await aws.keys(account, "eu-west-1", ctx, timeout)
    token = await azure.token(account, "https://vault.azure.net/.default", ctx, timeout)
    token = await gcp.token(account, gcp.SCOPES, ctx, timeout)

`account` is the `Account` whose identity is used, a service account of the namespace of whoever asks; None is this process's own
identity, as the environment or the machine's metadata service tells it. What is given is kept in `Context.kept` until shortly
before it ends, and masked. Where it is refused (401) say so by `ctx.kept.forget(it)` and ask once more.

Addresses out of the environment, and the clouds' own, are the operator's choice and may be private ones. An address out of an
object obeys the settings of the network.
"""

from gitopsd.plugin.cloud.account import Account
from gitopsd.plugin.cloud.lent import Keys, Token

__all__ = ["Account", "Keys", "Token"]
