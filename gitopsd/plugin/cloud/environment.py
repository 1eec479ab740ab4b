"""What the environment says of this process's own identity in a cloud: the names that are read, and files that it points to.

The names are those of the clouds' own libraries. Nothing else of the environment gets to plugins.
"""

from __future__ import annotations

from pathlib import Path

import anyio.to_thread

from gitopsd.model.errors import Rejected
from gitopsd.plugin.context import Context
from gitopsd.plugin.sources import access

SECRET = frozenset({"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET", "VAULT_TOKEN"})
"""Those of them that are secret themselves: masked from the start."""

NAMES = SECRET | {
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_ENDPOINT_URL_EKS",
    "AWS_ENDPOINT_URL_KMS",
    "AWS_ENDPOINT_URL_STS",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_ID",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "AZURE_RESOURCE_MANAGER_URL",
    "AZURE_TENANT_ID",
    "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS",
    "CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER",
    "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS",
    "CLOUDSDK_API_ENDPOINT_OVERRIDES_STS",
    "GCE_METADATA_HOST",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "VAULT_NAMESPACE",
}

MAX_FILE = 1 << 16


async def content(name: str, ctx: Context) -> bytes:
    """What stands in the file that a variable names. Raises `Rejected` where it cannot be read."""
    path = Path(ctx.platform[name])
    try:
        data = await anyio.to_thread.run_sync(read, path)
    except OSError as error:
        why = (error.strerror or "").lower()
        raise Rejected(f"{path} ({name}) cannot be read: {why}", reason=access.FAILED) from error
    if len(data) > MAX_FILE:
        raise Rejected(f"{path} ({name}) is larger than {MAX_FILE >> 10} KiB", reason=access.FAILED)
    return data


async def token(name: str, ctx: Context) -> str:
    """A token in the file that a variable names, read anew each time, since somebody else renews it; masked."""
    data = await content(name, ctx)
    try:
        found = data.decode("ascii").strip()
    except UnicodeDecodeError:
        found = ""
    if not found or not found.isprintable():
        raise Rejected(f"{ctx.platform[name]} ({name}) holds no token", reason=access.FAILED)
    ctx.conceal(found.encode())
    return found


def read(path: Path) -> bytes:
    """A file up to a byte more than the limit; blocks. Raises OSError."""
    with path.open("rb") as file:
        return file.read(MAX_FILE + 1)
