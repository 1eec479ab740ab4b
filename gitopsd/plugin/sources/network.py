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
def translated(what: str, *, timeout: float, reason: str, trust: str = "") -> Iterator[None]:
    """Turn the errors of connections into the one error tree: `HostFailed` for what is true for everybody who asks there.

    `what` names the place in messages, `trust` what to do where the certificate is not trusted.
    """
    import aiohttp

    try:
        yield
    except GitopsdError:
        raise
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError) as error:
        why = str(error.__cause__ or error)[:200]
        raise Rejected(f"{what}: the certificate is not trusted: {why}{trust}", reason=reason) from error
    except aiohttp.ClientConnectorDNSError as error:
        raise HostFailed(f"{what}: the host is not known; check it, and the name service", reason=reason) from error
    except TimeoutError as error:
        raise HostFailed(f"{what}: no answer within {timeout:g} s", reason=reason) from error
    except (aiohttp.ClientConnectorError, OSError) as error:
        if forbidden := egress.why(error):
            raise Rejected(f"{what}: {forbidden}", reason=reason) from error
        why = (error.strerror or "").lower() or type(error).__name__
        raise HostFailed(f"{what}: cannot be reached: {why}", reason=reason) from error
    except aiohttp.ClientHttpProxyError as error:
        raise Transient(f"{what}: the proxy on the way answered {error.status}", reason=reason) from error
    except (aiohttp.ClientError, UnicodeError) as error:
        # the texts of these errors may hold whole URLs, with what signs them
        raise HostFailed(f"{what}: the connection broke ({type(error).__name__})", reason=reason) from error
