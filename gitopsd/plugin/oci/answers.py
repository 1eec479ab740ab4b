"""What registries answer when it is not what was asked for, in the one error tree and in words. Nothing is sent from here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import msgspec

from gitopsd.model.errors import GitopsdError, Rejected, Transient
from gitopsd.plugin.oci.manifest import FAILED
from gitopsd.plugin.sources import access

if TYPE_CHECKING:
    import aiohttp

MAX_RETRY_AFTER = 3600.0
PIECE = 256 << 10


class NotFound(Rejected):
    """The registry does not have it."""


async def body(response: aiohttp.ClientResponse, limit: int, what: str) -> bytes:
    """All that came. Raises `Rejected` for more than `limit` bytes."""
    found = bytearray()
    async for piece in pieces(response):
        found += piece
        if len(found) > limit:
            raise Rejected(f"{what} answered with more than {limit >> 10} KiB", reason=FAILED)
    return bytes(found)


async def pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The body as it comes."""
    while piece := await response.content.read(PIECE):
        yield piece


def refused(response: aiohttp.ClientResponse, data: bytes, what: str, *, login: bool) -> GitopsdError:
    """The error for a status that is not the one hoped for; `login` is whether there was one."""
    status, said = response.status, _words(data)
    match status:
        case 401 | 403 if login:
            return Rejected(
                f"{what}: the registry refused the login ({status}{said}); check spec.secretRef", reason=access.FAILED
            )
        case 401 | 403:
            return Rejected(
                f"{what}: the registry asks for a login ({status}{said}); name one in spec.secretRef",
                reason=access.FAILED,
            )
        case 404:
            return NotFound(f"{what}: not found in the registry (404{said})", reason=FAILED)
        case 407:
            return Rejected(f"{what}: the proxy on the way asks for a login (407)", reason=FAILED)
        case _ if status == 429 or status >= 500:
            after = retry_after(response.headers.get("Retry-After", ""), datetime.now(UTC))
            return Transient(
                f"{what}: the registry answered {status}{said}; it is asked again later",
                reason=FAILED,
                retry_after=after,
            )
    return Rejected(f"{what}: the registry answered {status}{said}", reason=FAILED)


def retry_after(text: str, now: datetime) -> float | None:
    """The header's seconds or date, as seconds from now; None where it says nothing that can be read."""
    if text.isdigit() and len(text) < 10:
        return min(float(text), MAX_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max((at - now).total_seconds(), 0.0), MAX_RETRY_AFTER)


def _words(data: bytes) -> str:
    """What the registry says in its own words, on one line; '' where it says nothing."""
    try:
        errors: Any = msgspec.json.decode(data)
        first = errors["errors"][0]
        text = f"{first.get('code', '')}: {first.get('message', '')}"
    except (msgspec.DecodeError, KeyError, IndexError, TypeError, AttributeError):
        return ""
    plain = "".join(character if character.isprintable() else " " for character in text)
    return f", {plain[:150]}"


@contextmanager
def translated(what: str, timeout: float) -> Iterator[None]:
    """Turn the errors of connections into the one error tree; `what` names the place in messages."""
    import aiohttp

    try:
        yield
    except GitopsdError:
        raise
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError) as error:
        why = str(error.__cause__ or error)[:200]
        raise Rejected(
            f"{what}: the certificate is not trusted: {why}; put its CA as ca.crt into spec.certSecretRef",
            reason=FAILED,
        ) from error
    except aiohttp.ClientConnectorDNSError as error:
        raise Transient(f"{what}: the host is not known; check spec.url and the name service", reason=FAILED) from error
    except TimeoutError as error:
        raise Transient(f"{what}: no answer within {timeout:g} s; see spec.timeout", reason=FAILED) from error
    except (aiohttp.ClientConnectorError, OSError) as error:
        why = (error.strerror or "").lower() or type(error).__name__
        raise Transient(f"{what}: cannot be reached: {why}", reason=FAILED) from error
    except aiohttp.ClientHttpProxyError as error:
        raise Transient(f"{what}: the proxy on the way answered {error.status}", reason=FAILED) from error
    except aiohttp.ClientError as error:
        # the texts of these errors may hold whole URLs, with what signs them
        raise Transient(f"{what}: the connection broke ({type(error).__name__})", reason=FAILED) from error
