"""HTTP as sources need it: bodies within limits, what a server says about later, and errors in the one error tree."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gitopsd.model.errors import GitopsdError, Rejected, Transient
from gitopsd.plugin import egress
from gitopsd.plugin.hosts import HostFailed

if TYPE_CHECKING:
    import aiohttp

PIECE = 256 << 10


async def body(response: aiohttp.ClientResponse, limit: int, what: str, *, reason: str) -> bytes:
    """All that came. Raises `Rejected` for more than `limit` bytes."""
    found = bytearray()
    async for piece in pieces(response):
        found += piece
        if len(found) > limit:
            raise Rejected(f"{what} answered with more than {limit >> 10} KiB", reason=reason)
    return bytes(found)


async def pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The body as it comes."""
    while piece := await response.content.read(PIECE):
        yield piece


@contextmanager
def translated(what: str, *, timeout: float, reason: str, trust: str = "", slow: str = "") -> Iterator[None]:
    """Turn the errors of connections into the one error tree: `HostFailed` for what is true for everybody who asks there.

    `what` names the place in messages, `trust` what to do where the certificate is not trusted, `slow` where nothing comes.
    """
    import aiohttp

    try:
        yield
    except GitopsdError:
        raise
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError) as error:
        raise untrusted(what, str(error.__cause__ or error), reason=reason, trust=trust) from error
    except aiohttp.ClientConnectorDNSError as error:
        raise unknown(what, reason=reason) from error
    except TimeoutError as error:
        raise silent(what, timeout, reason=reason, slow=slow) from error
    except (aiohttp.ClientConnectorError, OSError) as error:
        raise unreachable(what, error, reason=reason) from error
    except aiohttp.ClientHttpProxyError as error:
        raise Transient(f"{what}: the proxy on the way answered {error.status}", reason=reason) from error
    except (aiohttp.ClientError, UnicodeError) as error:
        # the texts of these errors may hold whole URLs, with what signs them
        raise HostFailed(f"{what}: the connection broke ({type(error).__name__})", reason=reason) from error


def untrusted(what: str, why: str, *, reason: str, trust: str = "") -> Rejected:
    """The other side's certificate does not convince."""
    return Rejected(f"{what}: the certificate is not trusted: {why[:200]}{trust}", reason=reason)


def unknown(what: str, *, reason: str) -> HostFailed:
    """Its name has no address."""
    return HostFailed(f"{what}: the host is not known; check it, and the name service", reason=reason)


def silent(what: str, timeout: float, *, reason: str, slow: str = "") -> HostFailed:
    """Nothing came in time, which is `timeout` in seconds."""
    return HostFailed(f"{what}: no answer within {timeout:g} s{slow}", reason=reason)


def unreachable(what: str, error: BaseException, *, reason: str) -> GitopsdError:
    """No connection, or one that broke; or the settings forbid where it leads."""
    if forbidden := egress.why(error):
        return Rejected(f"{what}: {forbidden}; see network.allowedNetworks", reason=reason)
    said = (at.strerror for at in egress.causes(error) if isinstance(at, OSError) and at.strerror)
    why = next(said, type(error).__name__)
    return HostFailed(f"{what}: cannot be reached: {why[:200].lower()}", reason=reason)
