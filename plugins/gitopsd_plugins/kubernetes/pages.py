"""Whole lists, page by page, so that neither side holds everything at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitopsd.plugin import Body
from gitopsd_plugins.kubernetes.client import JSON, Client
from gitopsd_plugins.kubernetes.refusal import Reply

PAGE = 500
_MAX_PAGES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list as of `resource_version`. `refusal` is set where the server said no."""

    items: tuple[Body, ...] = ()
    resource_version: str = ""
    refusal: Reply | None = None


async def read(client: Client, path: str, params: Mapping[str, str], *, accept: str = JSON) -> Listing:
    """The whole list, or the refusal; a page that expires on the way starts the list anew, once."""
    listing = await _read(client, path, params, accept)
    if listing.refusal is not None and listing.refusal.status == 410:
        listing = await _read(client, path, params, accept)
    return listing


async def _read(client: Client, path: str, params: Mapping[str, str], accept: str) -> Listing:
    items: list[Body] = []
    page: dict[str, str] = {}
    for _ in range(_MAX_PAGES):
        reply = await client.get(path, {**params, "limit": str(PAGE), **page}, accept=accept)
        if not reply.ok:
            return Listing(refusal=reply)
        items += reply.body.get("items") or []
        metadata: Mapping[str, Any] = reply.body.get("metadata") or {}
        if not metadata.get("continue"):
            return Listing(items=tuple(items), resource_version=metadata.get("resourceVersion", ""))
        page = {"continue": metadata["continue"]}
    return Listing(refusal=Reply(status=413, body={"reason": "TooManyItems", "message": f"over {_MAX_PAGES} pages"}))
