"""`spec.proxySecretRef`: a source's own proxy, which wins over those of the environment."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote, urlsplit

from gitopsd.plugin.context import Context
from gitopsd.plugin.http import Proxies
from gitopsd.plugin.sources import access

PLACE = "spec.proxySecretRef"
_SCHEMES = ("http", "https", "socks5")


async def routed(secret: tuple[str, str] | None, ctx: Context) -> Context:
    """The context with the proxy of this Secret for all that is asked; as it is without one.

    Raises `NotReady` for a missing Secret, `Rejected` for one that names no proxy.
    """
    if secret is None:
        return ctx
    given = await access.given(secret, ctx, PLACE)
    address = given.text("address").strip()
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in _SCHEMES:
        raise access.wrong(f"{given.label}: address must be http://, https:// or socks5:// and name a host")
    username, password = given.text("username", parts.username or ""), given.text("password", parts.password or "")
    login = f"{quote(username, safe='')}:{quote(password, safe='')}@" if username or password else ""
    name = f"[{host}]" if ":" in host else host
    whole = f"{parts.scheme}://{login}{name}" + (f":{port}" if port else "")
    return replace(ctx, http=replace(ctx.http, proxies=Proxies.everywhere(whole), own_proxies=False))
