"""Where a redirect may lead, and whether credentials may come along. Pure.

Never from https to http, never to another scheme, never to an address of the link itself: there cloud machines keep their
credentials, and nobody redirects there for a good reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from gitopsd.model.errors import Rejected
from gitopsd.plugin import egress

if TYPE_CHECKING:
    from yarl import URL

MAX_REDIRECTS = 10
"""As many as Go's client follows, and with it Flux and kustomize."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})


def target(url: str, location: str, *, reason: str, how: str = "redirects") -> str:
    """The URL that an answer from `url` leads to, `how` in words. Raises `Rejected` for one that nobody should go to."""
    try:
        found = urljoin(url, location)
        old, new = urlsplit(url), urlsplit(found)
        host, _ = new.hostname or "", new.port
    except ValueError as error:
        raise Rejected(f"{place(url)} {how} to what is no URL", reason=reason) from error
    if new.scheme not in {"http", "https"} or not host or new.username is not None:
        raise Rejected(f"{place(url)} {how} to what is no http URL", reason=reason)
    if old.scheme == "https" and new.scheme == "http":
        raise Rejected(f"{place(url)} {how} from https to http ({host}); that is not followed", reason=reason)
    if host != old.hostname and egress.of_the_link(host):
        raise Rejected(f"{place(url)} {how} to {host}, an address of this machine's own link", reason=reason)
    return found


def exact(url: str) -> URL:
    """A URL as it is to be sent: what signs an address is over its very letters, which a client would write in its own way."""
    from yarl import URL

    return URL(url, encoded=url.isascii() and url.isprintable() and " " not in url)


def place(url: str) -> str:
    """A URL for a message: without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
