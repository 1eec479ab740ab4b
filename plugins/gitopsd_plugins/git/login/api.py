"""One request to whoever gives tokens, over plain HTTP: JSON comes back, or an error that names the place and no secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gitopsd.plugin import Context, GitopsdError, Rejected, Tls, Transient, egress
from gitopsd.plugin.sources import access

MAX_BODY = 1 << 20
TIMEOUT = 30.0


async def ask(
    ctx: Context,
    method: str,
    url: str,
    *,
    what: str,
    headers: Mapping[str, str] = {},
    form: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
    tls: Tls | None = None,
    own: bool = False,
) -> Any:
    """The JSON value that the place answers with; `what` names it in messages. `own`: the operator named it, not a spec.

    Redirects are not followed. Raises `Rejected` for a refusal, `Transient` for a place that does not answer.
    """
    import aiohttp

    given: dict[str, Any] = (
        {"data": dict(form)} if form is not None else {"json": dict(body)} if body is not None else {}
    )
    try:
        if not own:
            ctx.http.egress.check_url(url)
        async with (
            ctx.http.session(tls=tls, limit=1, timeout=TIMEOUT, proxy=ctx.http.socks(url), anywhere=own) as session,
            session.request(
                method, url, headers=dict(headers), proxy=ctx.http.proxy(url), allow_redirects=False, **given
            ) as response,
        ):
            data = await response.content.read(MAX_BODY)
            if response.status >= 300:
                raise _refused(what, response.status, data, response.headers.get("Retry-After", ""))
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        said = egress.why(error) or str(error)[:200] or type(error).__name__
        raise Transient(f"{what} cannot be reached: {said}", reason=access.FAILED) from error
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise Rejected(f"{what} did not answer with JSON", reason=access.FAILED) from error


def _refused(what: str, status: int, data: bytes, retry_after: str) -> GitopsdError:
    """With the place's own words, where it has any."""
    try:
        answer = msgspec.json.decode(data)
    except msgspec.DecodeError:
        answer = {}
    answer = answer if isinstance(answer, dict) else {}
    words = str(answer.get("error_description") or answer.get("message") or answer.get("error") or "")
    said = f" ({words.splitlines()[0][:200]})" if words.strip() else ""
    if status == 429 or status >= 500:
        after = float(retry_after) if retry_after.isdigit() else None
        return Transient(f"{what} answered {status}{said}", reason=access.FAILED, retry_after=after)
    return Rejected(f"{what} answered {status}{said}; check spec.provider and its credentials", reason=access.FAILED)
