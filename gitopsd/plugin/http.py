"""HTTP for plugins: TLS settings, proxies from the environment's words, and sessions that leak no credentials.

A plugin follows redirects itself, if at all, and only after it has dropped credentials where the origin changes
(`same_origin`). Proxies and CA bundles come from the settings that `daemon.py` or the command
line read from the environment; `NO_PROXY` knows hosts, domains, ports and CIDR ranges.
"""

from __future__ import annotations

import ipaddress
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gitopsd.model.errors import Misconfigured
from gitopsd.plugin import egress
from gitopsd.plugin.egress import Egress, Guard

if TYPE_CHECKING:
    import aiohttp

_MEMORY = Path("/dev/shm")
_PORTS = {"http": 80, "https": 443, "ssh": 22}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How to trust and be trusted. Contents are PEM; `name` replaces the host name in the check of the certificate."""

    ca: bytes = field(default=b"", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    name: str = ""
    insecure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """Proxy addresses by scheme and the hosts that need none, as in the usual environment variables."""

    http: str = field(default="", repr=False)
    https: str = field(default="", repr=False)
    all: str = field(default="", repr=False)
    """For what is neither, as ssh."""
    no_proxy: tuple[str, ...] = ()

    @classmethod
    def everywhere(cls, address: str) -> Proxies:
        """One proxy for all URLs."""
        return cls(http=address, https=address, all=address)

    def for_url(self, url: str) -> str:
        """The proxy to use for this URL; '' for a direct connection."""
        parts = urlsplit(url)
        proxy = {"https": self.https, "http": self.http}.get(parts.scheme, self.all)
        host = parts.hostname or ""
        return "" if not proxy or any(_exempt(host, parts.port, rule) for rule in self.no_proxy) else proxy


def _exempt(host: str, port: int | None, rule: str) -> bool:
    if rule == "*":
        return True
    if "/" in rule:
        try:
            return ipaddress.ip_address(host) in ipaddress.ip_network(rule, strict=False)
        except ValueError:
            return False
    name, colon, wanted = rule.rpartition(":")
    if colon and wanted.isdigit() and not rule.startswith("["):
        if port != int(wanted):
            return False
        rule = name
    rule = rule.removeprefix("*").removeprefix(".")
    return host == rule or host.endswith("." + rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """Makes client sessions. `ca_file` is an extra CA bundle for everything (PEM); '' for the system's own."""

    proxies: Proxies = Proxies()
    ca_file: str = ""
    user_agent: str = "gitopsd"
    egress: Egress = field(default_factory=Egress)
    own_proxies: bool = True
    """The proxies are the operator's: what the setting about addresses says is not about them."""

    def prepare(self) -> None:
        """Load what the first session needs: in a thread, as it takes 0.3 s, for which the loop would stand still."""
        import aiohttp  # noqa: F401 - see above

        with suppress(Misconfigured):  # whoever needs the certificates says what is wrong with them
            self.trust(Tls())

    def session(
        self,
        *,
        tls: Tls | None = None,
        limit: int = 16,
        headers: dict[str, str] | None = None,
        timeout: float = 60.0,
        proxy: str = "",
        anywhere: bool = False,
    ) -> aiohttp.ClientSession:
        """A session with a connection pool of its own; the caller closes it. `timeout` in seconds for a whole request.

        `proxy` is the SOCKS proxy of the whole session; one for http is given to each request. `anywhere`: the setting about
        addresses does not hold, as for clusters, which the user chose by their own address.
        """
        import aiohttp  # 0.3 s that worker processes and short commands never need

        connector = self._connector(limit, self.trust(tls or Tls()), proxy, anywhere)
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=min(timeout, 10.0)),
            headers={"User-Agent": self.user_agent, **(headers or {})},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    def _connector(self, limit: int, trust: ssl.SSLContext, proxy: str, anywhere: bool) -> aiohttp.TCPConnector:
        from gitopsd.plugin.connections import Pool

        if is_socks(proxy):
            from gitopsd.plugin import socks

            bounds = Egress() if self.own_proxies else self.egress
            return socks.connector(proxy, bounds, limit=limit, ssl=trust)
        if anywhere or self.egress.private:
            return Pool(limit=limit, ssl=trust)
        exempt = frozenset(egress.hosts(self.proxies.http, self.proxies.https) if self.own_proxies else ())
        guard = Guard(self.egress, exempt)
        return Pool(limit=limit, ssl=trust, socket_factory=guard.socket, resolver=guard.resolver())

    def trust(self, tls: Tls) -> ssl.SSLContext:
        """The TLS context of these settings. Raises `Misconfigured` for certificates that do not parse."""
        return _trust(self.ca_file, tls)

    def proxy(self, url: str) -> str | None:
        """The proxy for this URL as aiohttp takes it with each request: a SOCKS proxy belongs to the session."""
        found = self.proxies.for_url(url)
        return None if is_socks(found) else found or None

    def socks(self, url: str) -> str:
        """The SOCKS proxy for this URL, for the session; '' for none."""
        found = self.proxies.for_url(url)
        return found if is_socks(found) else ""


@lru_cache(maxsize=64)
def _trust(ca_file: str, tls: Tls) -> ssl.SSLContext:
    """Kept, since reading the system's certificates takes 80 ms of the loop's time; a context is never changed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if tls.ca:
            context.load_verify_locations(cadata=tls.ca.decode("ascii"))
        else:
            context = ssl.create_default_context()
            if ca_file:
                context.load_verify_locations(cafile=ca_file)
    except (ssl.SSLError, OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"the CA certificates cannot be read: {error}") from error
    if tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate:
        _load_client_certificate(context, tls)
    return context


def is_socks(proxy: str) -> bool:
    """True for the address of a SOCKS proxy."""
    return proxy.startswith(("socks5://", "socks5h://"))


def same_origin(one: str, other: str) -> bool:
    """True when credentials given for one URL may be sent to the other: same scheme, host and port."""
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _load_client_certificate(context: ssl.SSLContext, tls: Tls) -> None:
    """Python loads a client certificate from a file only, so it passes through an anonymous one in memory."""
    with NamedTemporaryFile(dir=_MEMORY if _MEMORY.is_dir() else None, prefix="gitopsd-") as file:
        file.write(tls.certificate + b"\n" + tls.key)
        file.flush()
        try:
            context.load_cert_chain(file.name)
        except (ssl.SSLError, OSError) as error:
            raise Misconfigured(f"the client certificate and its key do not fit: {error}") from error
