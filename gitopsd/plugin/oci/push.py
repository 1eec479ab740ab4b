"""Putting an artifact into a registry: blobs that are not there yet, then the manifest that names them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlencode, urlsplit

from gitopsd.model.errors import Rejected
from gitopsd.plugin import follow
from gitopsd.plugin.oci import manifest
from gitopsd.plugin.oci.answers import NotFound
from gitopsd.plugin.oci.client import Client
from gitopsd.plugin.oci.manifest import FAILED, Descriptor

_OCTETS = {"Content-Type": "application/octet-stream"}


def described(data: bytes, media_type: str) -> Descriptor:
    """What a manifest says of these bytes."""
    return Descriptor(media_type=media_type, digest=f"sha256:{hashlib.sha256(data).hexdigest()}", size=len(data))


async def blob(client: Client, wanted: Descriptor, content: bytes | Path) -> None:
    """Send a blob unless the registry has it. Raises `Transient`, `Rejected`."""
    try:
        async with client.send("HEAD", f"blobs/{wanted.digest}", push=True):
            return
    except NotFound:
        url = await _begin(client)
    joint = "&" if urlsplit(url).query else "?"
    url += joint + urlencode({"digest": wanted.digest})
    if isinstance(content, bytes):
        await _send(client, url, content)
        return
    with content.open("rb") as opened:
        await _send(client, url, opened)


async def put(client: Client, raw: bytes, media_type: str, tag: str) -> str:
    """Put a manifest under a tag; its digest. The registry checks that it has all that the manifest names."""
    digest = described(raw, media_type).digest
    headers = {"Content-Type": media_type}
    async with client.send("PUT", f"manifests/{tag}", headers=headers, data=raw, push=True) as response:
        said = response.headers.get("Docker-Content-Digest", digest)
    manifest.check(raw, said, f"{client.repository}:{tag}")
    return digest


async def _begin(client: Client) -> str:
    """Where the bytes may go."""
    async with client.send("POST", "blobs/uploads/", push=True) as response:
        location = response.headers.get("Location", "")
        here = str(response.url)
    if not location:
        raise Rejected(f"{client.repository}: the registry names no place for an upload", reason=FAILED)
    return follow.target(here, location, reason=FAILED, how="sends an upload")


async def _send(client: Client, url: str, content: bytes | BinaryIO) -> None:
    async with client.send("PUT", url, headers=_OCTETS, data=content, push=True):
        return
