"""`provider: azure`: Azure DevOps takes a token of an identity in Azure, of this process or of a service account."""

from __future__ import annotations

from gitopsd.plugin import Context
from gitopsd.plugin.cloud import Account, Token, azure

HOSTS = r"https://(?:dev\.azure\.com|[a-zA-Z0-9-]+\.visualstudio\.com)"
"""A token goes to Azure DevOps' own hosts only."""
SCOPE = "499b84ac-1321-427f-aa17-267ca6975798/.default"
"""Azure DevOps, in every tenant."""


async def token(account: Account | None, ctx: Context, timeout: float) -> Token:
    """A token. Raises `Rejected`, `NotReady` and `Transient` as `azure.token` does."""
    return await azure.token(account, SCOPE, ctx, timeout)
