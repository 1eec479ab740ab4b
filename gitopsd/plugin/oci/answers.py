"""What registries answer when it is not what was asked for, in the one error tree and in words. Nothing is sent from here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from gitopsd.model.errors import GitopsdError, Rejected
from gitopsd.plugin.hosts import HostFailed
from gitopsd.plugin.oci.manifest import FAILED
from gitopsd.plugin.sources import access

if TYPE_CHECKING:
    import aiohttp


class NotFound(Rejected):
    """The registry does not have it."""


def refused(
    response: aiohttp.ClientResponse, data: bytes, what: str, *, login: bool, at: str, wait: float | None = None
) -> GitopsdError:
    """The error for a status that is not the one hoped for.

    `login` is whether there was one, `at` where it is named, `wait` how many seconds the answer asks to stay away.
    """
    status, said = response.status, _words(data)
    match status:
        case _ if status == 429 or status >= 500 or (status == 403 and wait is not None):
            return HostFailed(
                f"{what}: the registry answered {status}{said}; it is asked again later",
                reason=FAILED,
                retry_after=wait,
            )
        case 401 | 403 if login:
            return Rejected(
                f"{what}: the registry refused the login ({status}{said}); check {at}", reason=access.FAILED
            )
        case 401 | 403:
            return Rejected(
                f"{what}: the registry asks for a login ({status}{said}); name one in {at}",
                reason=access.FAILED,
            )
        case 404:
            return NotFound(f"{what}: not found in the registry (404{said})", reason=FAILED)
        case 407:
            return Rejected(f"{what}: the proxy on the way asks for a login (407)", reason=FAILED)
    return Rejected(f"{what}: the registry answered {status}{said}", reason=FAILED)


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
