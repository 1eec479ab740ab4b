"""Whole lists, page by page, so that neither side holds everything at once, and the loop goes on between some objects and the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from anyio.lowlevel import checkpoint

from gitopsd.plugin import Body
from gitopsd_plugins.kubernetes.client import JSON, Client
from gitopsd_plugins.kubernetes.refusal import Reply

T = TypeVar("T")
PAGE = 500
_MAX_PAGES = 2000
_AT_ONCE = 100
"""Objects that are looked at in one turn of the loop: a few milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[T]):
    """A list as of `resource_version`. `refusal` is set where the server said no."""

    items: tuple[T, ...] = ()
    resource_version: str = ""
    refusal: Reply | None = None


async def read(
    client: Client, path: str, params: Mapping[str, str], take: Callable[[Body], T], *, accept: str = JSON
) -> Listing[T]:
    """What `take` makes of each object of the whole list, or the refusal.

    A page that expires on the way starts the list anew, once.
    """
    listing = await _read(client, path, params, take, accept)
    if listing.refusal is not None and listing.refusal.status == 410:
        listing = await _read(client, path, params, take, accept)
    return listing


async def _read(
    client: Client, path: str, params: Mapping[str, str], take: Callable[[Body], T], accept: str
) -> Listing[T]:
    items: list[T] = []
    page: dict[str, str] = {}
    for _ in range(_MAX_PAGES):
        reply = await client.get(path, {**params, "limit": str(PAGE), **page}, accept=accept)
        if not reply.ok:
            return Listing(refusal=reply)
        found: list[Body] = reply.body.get("items") or []
        for start in range(0, len(found), _AT_ONCE):
            items += map(take, found[start : start + _AT_ONCE])
            await checkpoint()
        metadata: Mapping[str, Any] = reply.body.get("metadata") or {}
        if not metadata.get("continue"):
            return Listing(items=tuple(items), resource_version=metadata.get("resourceVersion", ""))
        page = {"continue": metadata["continue"]}
    return Listing(refusal=Reply(status=413, body={"reason": "TooManyItems", "message": f"over {_MAX_PAGES} pages"}))
