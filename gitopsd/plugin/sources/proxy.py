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
    name = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    http = replace(ctx.http, proxies=Proxies.everywhere(f"{parts.scheme}://{login}{name}"), own_proxies=False)
    return replace(ctx, http=http, hosts=ctx.hosts.through(f"{parts.scheme}://{name}"))
