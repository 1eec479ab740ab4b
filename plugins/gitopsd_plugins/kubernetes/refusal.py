"""What the API server's refusals mean: its Status answers as errors of gitopsd's tree.

Pure. The texts name the object first and then the server's own words, so that they read like Flux's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitopsd.plugin import Conflict, GitopsdError, Rejected, Transient

_IMMUTABLE = re.compile(
    r"(?<!not )\b(is|are|field is) immutable|immutable field|may not change once set|cannot be changed|may not be changed"
    r"|cannot change roleRef",
    re.I,
)
_FORBIDDEN_UPDATES = re.compile(
    r"updates to .* for fields other than .* are forbidden|updates may not change fields other than", re.I | re.S
)

_GONE_VERSION = re.compile(r"request to convert CR (?:to|from) an invalid group/version: (\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer of the API server. `body` is the decoded JSON ({} for none); for a refusal it is a `Status`."""

    status: int
    body: Mapping[str, Any] = field(default_factory=dict)
    retry_after: float | None = None

    @property
    def ok(self) -> bool:
        """True where the request was carried out."""
        return self.status < 400

    @property
    def reason(self) -> str:
        """The server's word for the refusal, for example `Invalid` or `NotFound`."""
        return str(self.body.get("reason") or _WORDS.get(self.status, self.status))

    @property
    def message(self) -> str:
        """The server's own words."""
        return str(self.body.get("message") or f"HTTP {self.status}")[:4000]


_WORDS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def error(reply: Reply, what: str) -> GitopsdError:
    """The error for a refused request; `what` says on which object what failed: `Deployment/web/app dry-run failed`."""
    text = f"{what} ({reply.reason}): {reply.message}"
    if reply.status == 409 and reply.reason in {"Conflict", "AlreadyExists"}:
        return Conflict(text, reason=reply.reason)
    if reply.status in {408, 429, 502, 503, 504} or reply.reason in {"ServerTimeout", "Timeout"}:
        return Transient(text, retry_after=reply.retry_after)
    return Rejected(text, reason=reply.reason, retry_after=reply.retry_after)


def is_immutable(reply: Reply) -> bool:
    """True only where all that the server has against it is that fields cannot be changed in place."""
    if reply.status not in {400, 403, 409, 422}:
        return False
    details = reply.body.get("details")
    causes = details.get("causes") if isinstance(details, Mapping) else None
    said = [str(cause.get("message", "")) for cause in causes or () if isinstance(cause, Mapping)] or [reply.message]
    return all(_IMMUTABLE.search(text) or _FORBIDDEN_UPDATES.search(text) for text in said)


def gone_version(reply: Reply) -> str:
    """The apiVersion that some manager holds fields in and that is not served any more; '' where that is not the trouble."""
    found = None if reply.ok else _GONE_VERSION.search(reply.message)
    return found[1] if found else ""


def is_missing_namespace(reply: Reply, namespace: str) -> bool:
    """True where the object could not be written because its namespace does not exist yet."""
    details = reply.body.get("details")
    kind = details.get("kind") if isinstance(details, Mapping) else ""
    name = details.get("name") if isinstance(details, Mapping) else ""
    return reply.status == 404 and bool(namespace) and kind == "namespaces" and name == namespace
