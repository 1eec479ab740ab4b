"""One request to a service, with its refusals in words. Answers are small; what they say is never quoted but for errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from gitopsd.plugin import Context, Rejected, Transient

TIMEOUT = 15.0
MAX_ANSWER = 256 * 1024
FAILED = "DecryptionFailed"
"""The reason of everything that goes wrong here."""
_PASSING = frozenset({408, 425, 429})


async def post(
    url: str,
    body: Mapping[str, Any] | bytes,
    ctx: Context,
    *,
    headers: Mapping[str, str],
    named: str,
) -> Mapping[str, Any]:
    """The answer to a POST, as JSON. `named` says who was asked for what.

    Raises `Rejected` where the service says no, `Transient` where it is away or asks for patience. Redirects are refused:
    the credentials are for this address.
    """
    import aiohttp  # 0.3 s that whoever asks no service never needs

    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **headers}
    try:
        async with (
            ctx.http.session(timeout=TIMEOUT, limit=1) as session,
            session.post(url, data=content, headers=sent, proxy=ctx.http.proxy(url), allow_redirects=False) as answer,
        ):
            data = await answer.content.read(MAX_ANSWER + 1)
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Transient(f"{named}: cannot be reached: {type(error).__name__}", reason=FAILED) from error
    except ValueError as error:
        raise Rejected(f"{named}: is no address", reason=FAILED) from error
    found = _json(data)
    if status == 200:
        return found
    message = f"{named}: answered {status}{_said(found)}"
    if status >= 500 or status in _PASSING:
        raise Transient(message, reason=FAILED)
    raise Rejected(message, reason=FAILED)


async def form(url: str, body: Mapping[str, str], ctx: Context, *, named: str) -> Mapping[str, Any]:
    """The same for a form, as servers of tokens take it."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return await post(url, urlencode(body).encode(), ctx, headers=headers, named=named)


def _json(data: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(data[:MAX_ANSWER])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _said(found: Mapping[str, Any]) -> str:
    """The service's own words, in whichever of the usual places they stand."""
    inner = found.get("error")
    words = found.get("errors") or found.get("message") or found.get("Message")
    if isinstance(inner, Mapping):
        words = inner.get("message")
    elif isinstance(inner, str):
        words = found.get("error_description") or inner
    texts = words if isinstance(words, list) else [words] if words else [found.get("__type", "")]
    said = "; ".join(str(text).strip().replace("\n", " ")[:200] for text in texts if text)
    return f": {said}" if said else ""
