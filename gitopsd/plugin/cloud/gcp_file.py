"""Google's files of credentials: a service account's key, a user's own login, an identity of somebody else that Google trusts.

No program is started for one, and no other cloud is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio.to_thread
import msgspec

from gitopsd.model.errors import Rejected
from gitopsd.plugin.cloud import ask as asking
from gitopsd.plugin.cloud import environment, jwt
from gitopsd.plugin.cloud.ask import Ask
from gitopsd.plugin.cloud.gcp_exchange import EVERYTHING, Exchange, exchanged, granted, impersonated
from gitopsd.plugin.cloud.lent import Token
from gitopsd.plugin.context import Context
from gitopsd.plugin.sources import access

NAME = "GOOGLE_APPLICATION_CREDENTIALS"
TOKENS = "https://oauth2.googleapis.com/token"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE = 600


async def token(scopes: str, ctx: Context, timeout: float) -> Token:
    """A token by the file that the environment names. Raises `Rejected` for one that cannot be used, `Transient`."""
    place = f"{ctx.platform[NAME]} ({NAME})"
    try:
        found = msgspec.json.decode(await environment.content(NAME, ctx), type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Rejected(f"{place} is no JSON object", reason=access.FAILED) from error
    match found.get("type"):
        case "service_account":
            return await by_key(found, place, scopes, ctx, timeout, own=True)
        case "authorized_user":
            return await _by_user(found, place, ctx, timeout)
        case "external_account":
            return await _by_other(found, place, scopes, ctx, timeout)
    raise Rejected(
        f"{place}: credentials of type {str(found.get('type'))[:40]!r} are not served; service_account, authorized_user and "
        "external_account are",
        reason=access.FAILED,
    )


async def by_key(
    found: Mapping[str, Any], place: str, scopes: str, ctx: Context, timeout: float, *, own: bool
) -> Token:
    """A token for a statement signed with the key of a service account; `own`: the operator named the addresses in it."""
    email, url = _text(found, "client_email", place), str(found.get("token_uri") or TOKENS)
    now = int(ctx.now().timestamp())
    claims: dict[str, str | int] = {"iss": email, "scope": scopes, "aud": url, "iat": now, "exp": now + _LIFE}
    key = _text(found, "private_key", place).encode()
    try:
        assertion = jwt.signed(claims, key, {"kid": str(found.get("private_key_id", ""))})
    except ValueError:
        raise Rejected(f"{place}: private_key is no RSA key in PEM form", reason=access.FAILED) from None
    ctx.conceal(key)
    ask = Ask(
        method="POST",
        url=url,
        data={"grant_type": _GRANT, "assertion": assertion},
        own=own,
        what=f"Google's tokens for {email} ({place})",
    )
    return granted(await asking.json(ask, ctx, timeout), ask, ctx)


async def _by_user(found: Mapping[str, Any], place: str, ctx: Context, timeout: float) -> Token:
    form = {name: _text(found, name, place) for name in ("client_id", "client_secret", "refresh_token")}
    for name in ("client_secret", "refresh_token"):
        ctx.conceal(form[name].encode())
    ask = Ask(
        method="POST",
        url=str(found.get("token_uri") or TOKENS),
        data={"grant_type": "refresh_token", **form},
        what=f"Google's tokens for the user of {place}",
        remedy="log in again",
    )
    return granted(await asking.json(ask, ctx, timeout), ask, ctx)


async def _by_other(found: Mapping[str, Any], place: str, scopes: str, ctx: Context, timeout: float) -> Token:
    subject = await _subject(found, place, ctx, timeout)
    ctx.conceal(subject.encode())
    impersonation = str(found.get("service_account_impersonation_url") or "")
    exchange = Exchange(
        url=_text(found, "token_url", place),
        audience=_text(found, "audience", place),
        sort=_text(found, "subject_token_type", place),
        subject=subject,
        who=place,
    )
    lent = await exchanged(exchange, EVERYTHING if impersonation else scopes, ctx, timeout)
    return await impersonated(lent, impersonation, scopes, ctx, timeout) if impersonation else lent


async def _subject(found: Mapping[str, Any], place: str, ctx: Context, timeout: float) -> str:
    """The other side's token, from a file or an address."""
    source = found.get("credential_source")
    source = source if isinstance(source, Mapping) else {}
    if source.get("file"):
        data = await _file(Path(str(source["file"])), place)
    elif source.get("url"):
        given = source.get("headers")
        headers = {str(name): str(value) for name, value in given.items()} if isinstance(given, Mapping) else {}
        ask = Ask(url=str(source["url"]), headers=headers, what=f"{source['url']} (named by {place})")
        data = await asking.text(ask, ctx, timeout)
    else:
        raise Rejected(
            f"{place}: credential_source names no file and no url; programs are not started, and other clouds not asked",
            reason=access.FAILED,
        )
    form = source.get("format")
    form = form if isinstance(form, Mapping) else {}
    value: object = data.decode("utf-8", "replace").strip()
    if form.get("type") == "json":
        try:
            value = msgspec.json.decode(data, type=dict[str, Any]).get(str(form.get("subject_token_field_name")))
        except (msgspec.DecodeError, msgspec.ValidationError):
            value = None
    if not isinstance(value, str) or not value or not value.isprintable():
        raise Rejected(f"{place}: there is no token where credential_source says", reason=access.FAILED)
    return value


async def _file(path: Path, place: str) -> bytes:
    try:
        return await anyio.to_thread.run_sync(environment.read, path)
    except OSError as error:
        why = (error.strerror or "").lower()
        raise Rejected(f"{place}: {path} cannot be read: {why}", reason=access.FAILED) from error


def _text(found: Mapping[str, Any], name: str, place: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise Rejected(f"{place} lacks {name}", reason=access.FAILED)
    return value
