"""A bucket through obstore: listing and reading, with errors in gitopsd's words.

What obstore says in its errors may hold addresses with signatures in them, so that no text of it is ever repeated: a status,
a code and a few known words are picked out.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from gitopsd.plugin import GitopsdError, Misconfigured, Rejected, Transient, egress
from gitopsd.plugin.egress import Egress
from gitopsd.plugin.hosts import HostFailed
from gitopsd.plugin.sources import access, gate
from gitopsd.plugin.sources.gate import Gate
from gitopsd_plugins.bucket.index import Found, shown
from gitopsd_plugins.bucket.order import Order
from gitopsd_plugins.bucket.place import FAILED

MISSING = "a Bucket needs the extra [bucket]; install gitopsd[bucket] (pip install 'gitopsd[bucket]')"
CHUNK = 1 << 20

_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,64})</Code>")
_PATH = re.compile(r'[Pp]ath "([^"\n]{1,1024})"')


class Gone(Transient):
    """An object that was listed is not there, or is another one by now."""


@contextmanager
def opened(order: Order) -> Iterator[Remote]:
    """One bucket, for as long as the context lasts. Raises `Rejected` where the settings leave no way to it."""
    with ExitStack() as stack:
        client, through = _way(order, stack)
        yield Remote(order, _store(order, client), through)


class Remote:
    """One bucket, made by `opened`. Used from several threads."""

    def __init__(self, order: Order, store: Any, through: Gate) -> None:
        self._order = order
        self._store = store
        self._gate = through

    def listing(self) -> Iterator[Found]:
        """All objects whose names begin with the prefix's folders. Raises `Rejected` and `Transient` naming the bucket."""
        count = 0
        # obstore's prefixes are whole folders; the rest of a prefix is left to whoever looks at the names.
        folder = self._order.prefix.rpartition("/")[0]
        with self._translated():
            for chunk in self._store.list(folder or None, chunk_size=1000):
                count += len(chunk)
                if count > self._order.limits.objects:
                    most = f"{self._order.limits.objects:,}"
                    raise Rejected(f"{self._order.place}: more than {most} objects; narrow spec.prefix", reason=FAILED)
                for meta in chunk:
                    yield Found(name=meta["path"], etag=(meta["e_tag"] or "").strip('"'), size=meta["size"])

    def read(self, name: str, into: IO[bytes], etag: str = "", limit: int = 0) -> None:
        """Write one object, of exactly this version, into a file. Raises `Gone` where there is none, `Rejected` over `limit`."""
        options = {"if_match": f'"{etag}"' if self._order.provider != "azure" else etag} if etag else None
        size = 0
        with self._translated(name):
            for chunk in self._store.get(name, options=options).stream(min_chunk_size=CHUNK):
                size += len(chunk)
                if size > limit:
                    raise Rejected(f"{shown(name)}: more bytes than it was listed with", reason=FAILED)
                self._keep(into, chunk)

    def _keep(self, file: IO[bytes], chunk: bytes) -> None:
        try:
            file.write(chunk)
        except OSError as error:
            raise Transient(f"{self._order.spool} cannot be written: {error.strerror}", reason=FAILED) from error

    @contextmanager
    def _translated(self, name: str = "") -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            if self._gate.problem is not None:
                raise _of_gate(self._gate.problem, self._order) from None
            raise meaning(error, self._order, name) from None  # the cause's text may hold a signature


def _store(order: Order, client: Mapping[str, Any]) -> Any:
    try:
        from obstore.exceptions import BaseError
        from obstore.store import AzureStore, GCSStore, S3Store
    except ImportError as error:
        raise Misconfigured(MISSING, reason="FeatureNotSupported") from error
    kinds: dict[str, Any] = {"gcp": GCSStore, "azure": AzureStore}
    more: dict[str, Any] = (
        {"credential_provider": lambda: {"token": order.token, "expires_at": None}} if order.token else {}
    )
    retry = {"max_retries": 2, "retry_timeout": timedelta(seconds=order.timeout / 2)}
    try:
        made: Any = kinds.get(order.provider, S3Store)(
            order.bucket, config=dict(order.store), client_options=client, retry_config=retry, **more
        )
    except (BaseError, OSError, ValueError) as error:
        raise Rejected(f"{order.place}: {_about_options(error)}", reason=access.FAILED) from None
    return made


def _way(order: Order, stack: ExitStack) -> tuple[Mapping[str, Any], Gate]:
    """The options of the connection. The library looks up names and follows redirects by itself: the gate keeps it to its host."""
    options: dict[str, Any] = dict(order.client)
    bounds = order.egress
    if order.ca_file and "root_certificate" not in options:
        options["root_certificate"] = Path(order.ca_file).read_bytes()
    proxy = options.get("proxy_url", "")
    if not bounds.private:
        with _within_bounds(order):
            bounds.check_url(order.url)
            proxy = _checked(proxy, bounds) if proxy and not order.own_proxies else proxy
    way = gate.opened(bounds, timeout=order.timeout, proxy=proxy, only=_host(order), ca_file=order.ca_file)
    through = stack.enter_context(way)
    return {**options, "proxy_url": through.url}, through


def _host(order: Order) -> tuple[str, int]:
    """Whom the library asks, for all that it asks."""
    parts = urlsplit(str(order.store.get("endpoint", order.url)))
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _checked(proxy: str, bounds: Egress) -> str:
    """The proxy of a Secret by its address, so that its name is looked up once."""
    if proxy.startswith("https://"):
        raise egress.ForbiddenAddress(
            "an https:// proxy is no way while the setting network.privateAddresses forbids addresses; use http:// or socks5://"
        )
    return egress.pinned(proxy, bounds)


@contextmanager
def _within_bounds(order: Order) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _of_gate(error, order) from error


def _of_gate(error: OSError, order: Order) -> GitopsdError:
    """What it means that the way was refused, or led nowhere."""
    if isinstance(error, gate.Elsewhere):
        return Rejected(f"{order.place} {error}; check spec.endpoint and spec.region", reason=FAILED)
    if isinstance(error, egress.ForbiddenAddress):
        return Rejected(f"{order.place}: {error}", reason=FAILED)
    if isinstance(error, ssl.SSLError):
        return Rejected(f"{order.place}: the certificate of the proxy on the way is not trusted", reason=FAILED)
    if isinstance(error, socket.gaierror):
        return HostFailed(f"the host of {order.place} is not known; check spec.endpoint", reason=FAILED)
    if isinstance(error, TimeoutError):
        return _late(order)
    return HostFailed(f"{order.place} cannot be reached; check spec.endpoint", reason=FAILED)


def _late(order: Order) -> HostFailed:
    return HostFailed(f"{order.place} did not answer within {order.timeout:g} s; see spec.timeout", reason=FAILED)


def _about_options(error: Exception) -> str:
    if "ertificate" in str(error):
        return "the CA certificates cannot be read; check spec.certSecretRef"
    return "the credentials cannot be used; check the form of the keys in spec.secretRef"


def meaning(error: Exception, order: Order, name: str = "") -> GitopsdError:
    """What an error of obstore's means."""
    text = f"{error!s} {error!r}"
    status = int(found.group(1)) if (found := _STATUS.search(text)) else 0
    code = found.group(1) if (found := _CODE.search(text)) else ""
    kind = type(error).__name__
    if kind == "InvalidPathError":
        bad = found.group(1) if (found := _PATH.search(text)) else name
        return Rejected(
            f"{order.place}: {shown(bad)}: a name that can be no path; rename the object or narrow spec.prefix",
            reason=FAILED,
        )
    if kind == "PreconditionError" or (name and (kind == "FileNotFoundError" or status == 404)):
        return Gone(f"{order.place}: {shown(name)} changed while it was read; it is asked again", reason=FAILED)
    return _of_status(status, code, order) or _of_connection(text, order)


def _of_status(status: int, code: str, order: Order) -> GitopsdError | None:
    said = f"{status} {code}".strip()
    if status in {401, 403}:
        why = "refused the credentials" if order.login else "asks for credentials"
        return Rejected(f"{order.place} {why} ({said}); check {order.login or 'spec.secretRef'}", reason=access.FAILED)
    if status == 404:
        return Rejected(f"{order.place} not found ({said}); check spec.bucketName and spec.endpoint", reason=FAILED)
    if status in {429, 500, 502, 503, 504}:
        return HostFailed(f"{order.place} answered {said}; it is asked again later", reason=FAILED)
    if status in {301, 307}:
        return Rejected(f"{order.place} is elsewhere ({said}); check spec.region and spec.endpoint", reason=FAILED)
    if status:
        return Rejected(f"{order.place} answered {said}; check spec.endpoint and spec.region", reason=FAILED)
    return None


def _of_connection(text: str, order: Order) -> GitopsdError:
    if "TimedOut" in text or "timed out" in text:
        return _late(order)
    if "ertificate" in text or "UnknownIssuer" in text:
        return Rejected(
            f"the certificate of {order.place} is not trusted; put its CA as ca.crt into spec.certSecretRef",
            reason=FAILED,
        )
    if "redirect" in text:
        return Rejected(
            f"{order.place} redirects in a circle, or out of https; check spec.endpoint and spec.region", reason=FAILED
        )
    if "dns error" in text:
        return HostFailed(f"the host of {order.place} is not known; check spec.endpoint", reason=FAILED)
    return HostFailed(f"{order.place} cannot be reached; check spec.endpoint", reason=FAILED)
