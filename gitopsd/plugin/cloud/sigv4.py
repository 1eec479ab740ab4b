"""Amazon's signature, version 4: as headers of a request, as an address that is signed itself, and its last step alone. Pure.

The secret is never sent. Amazon's own names stand in what is signed, so they stand here.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

from gitopsd.plugin.cloud.lent import Keys

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """When and for which service of which region a signature is good."""

    region: str
    service: str
    now: datetime

    @property
    def at(self) -> str:
        """The time as Amazon writes it."""
        return self.now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")

    def __str__(self) -> str:
        return f"{self.at[:8]}/{self.region}/{self.service}/aws4_request"


def signed(
    keys: Keys, method: str, url: str, headers: Mapping[str, str], body: bytes, scope: Scope
) -> Mapping[str, str]:
    """All headers of a request, the signature among them. The URL is to be sent as it is, in its very letters."""
    all_ = {**headers, "Host": urlsplit(url).netloc, "X-Amz-Date": scope.at}
    if keys.token:
        all_["X-Amz-Security-Token"] = keys.token
    names, request = _canonical(method, url, all_, hashlib.sha256(body).hexdigest(), scope)
    signature = sign(keys, request, scope)
    said = f"{ALGORITHM} Credential={keys.access}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**all_, "Authorization": said}


def presigned(keys: Keys, method: str, url: str, headers: Mapping[str, str], scope: Scope, *, seconds: int) -> str:
    """The address of a request without a body, signed and good for so many seconds; whoever asks sends these headers along."""
    all_ = {**headers, "Host": urlsplit(url).netloc}
    query = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{keys.access}/{scope}",
        "X-Amz-Date": scope.at,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": ";".join(sorted(name.lower() for name in all_)),
    }
    if keys.token:
        query["X-Amz-Security-Token"] = keys.token
    joint = "&" if urlsplit(url).query else "?"
    url = f"{url}{joint}{_query(query.items())}"
    # Only S3 leaves the body open; to all others it is the empty one.
    body = UNSIGNED if scope.service == "s3" else hashlib.sha256(b"").hexdigest()
    _, request = _canonical(method, url, all_, body, scope)
    return f"{url}&X-Amz-Signature={sign(keys, request, scope)}"


def sign(keys: Keys, request: str, scope: Scope, at: str = "") -> str:
    """The signature of a canonical request; `at` is the time where it is written in another way than `scope` does."""
    text = f"{ALGORITHM}\n{at or scope.at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{keys.secret}".encode()
    for part in str(scope).split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _canonical(method: str, url: str, headers: Mapping[str, str], body: str, scope: Scope) -> tuple[str, str]:
    """The names of what is signed, and the request in the one form that both sides sign. `body` is its digest."""
    parts = urlsplit(url)
    plain = sorted((name.lower(), " ".join(value.split())) for name, value in headers.items())
    names = ";".join(name for name, _ in plain)
    lines = "".join(f"{name}:{value}\n" for name, value in plain)
    query = _query(parse_qsl(parts.query, keep_blank_values=True))
    path = parts.path or "/"
    if scope.service != "s3":
        path = quote(path, safe="/-_.~")  # once more than it is sent, but for S3
    return names, f"{method}\n{path}\n{query}\n{lines}\n{names}\n{body}"


def _query(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join(sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs))
