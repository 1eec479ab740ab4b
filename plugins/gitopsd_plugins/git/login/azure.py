"""`provider: azure`: a token for Azure DevOps by this process's own identity in Azure, over plain HTTP.

Workload identity where the platform gives a federated token (AKS), else the managed identity of the machine. The variables
are those of Azure's own libraries; they come from the operator, so their addresses may be private ones.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import anyio.to_thread
import msgspec

from gitopsd.plugin import Context, Digest, Rejected, digest
from gitopsd.plugin.sources import access
from gitopsd_plugins.git.login import api
from gitopsd_plugins.git.login.tokens import Token

RESOURCE = "499b84ac-1321-427f-aa17-267ca6975798"
"""Azure DevOps, in every tenant."""
AUTHORITY = "https://login.microsoftonline.com"
MACHINE = "http://169.254.169.254"

_JWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_MAX_ASSERTION = 1 << 16


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    access_token: str
    expires_in: int | str


def key(ctx: Context) -> Digest:
    """What a token is kept under."""
    return digest.of_value(["azure", dict(ctx.platform)])


async def token(ctx: Context) -> Token:
    """A new token. Raises `Rejected` where Azure refuses it, or this process has no identity there; `Transient`."""
    given = ctx.platform
    if given.get("AZURE_FEDERATED_TOKEN_FILE"):
        answer = await _workload(ctx)
    else:
        answer = await _machine(ctx)
    try:
        found = msgspec.convert(answer, _Answer)
        life = timedelta(seconds=int(found.expires_in))
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        raise Rejected("Azure answered without a token", reason=access.FAILED) from error
    ctx.conceal(found.access_token.encode())
    return Token(value=found.access_token, expires=_end(ctx.now(), life))


def _end(now: datetime, life: timedelta) -> datetime:
    return now + min(life, timedelta(days=2))


async def _workload(ctx: Context) -> Any:
    given = ctx.platform
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID"):
        if not given.get(name):
            raise Rejected(f"workload identity in Azure needs {name} in the environment", reason=access.FAILED)
    file = Path(given["AZURE_FEDERATED_TOKEN_FILE"])
    try:
        assertion = (await anyio.to_thread.run_sync(file.read_bytes))[:_MAX_ASSERTION].decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Rejected(f"{file} (AZURE_FEDERATED_TOKEN_FILE) cannot be read: {error}", reason=access.FAILED) from error
    authority = (given.get("AZURE_AUTHORITY_HOST") or AUTHORITY).rstrip("/")
    form = {
        "grant_type": "client_credentials",
        "client_id": given["AZURE_CLIENT_ID"],
        "client_assertion_type": _JWT,
        "client_assertion": assertion,
        "scope": f"{RESOURCE}/.default",
    }
    url = f"{authority}/{given['AZURE_TENANT_ID']}/oauth2/v2.0/token"
    return await api.ask(ctx, "POST", url, form=form, what=f"Azure at {authority}", own=True)


async def _machine(ctx: Context) -> Any:
    given = ctx.platform
    host = (given.get("AZURE_POD_IDENTITY_AUTHORITY_HOST") or MACHINE).rstrip("/")
    asked = {"api-version": "2018-02-01", "resource": RESOURCE}
    if given.get("AZURE_CLIENT_ID"):
        asked["client_id"] = given["AZURE_CLIENT_ID"]
    url = f"{host}/metadata/identity/oauth2/token?{urlencode(asked)}"
    return await api.ask(
        ctx, "GET", url, headers={"Metadata": "true"}, what=f"the managed identity at {host}", own=True
    )
