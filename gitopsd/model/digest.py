"""Content addresses: `sha256:<64 hex>` of bytes, or of a value's canonical JSON. Equal digest means nothing to do."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any, NewType

Digest = NewType("Digest", str)


def of_bytes(content: bytes) -> Digest:
    """The digest of these bytes."""
    return Digest(f"sha256:{hashlib.sha256(content).hexdigest()}")


def of_value(value: Any) -> Digest:
    """The digest of a JSON value, independent of the order of its keys."""
    return of_bytes(_canonical(value))


def of_secret(value: Any, key: bytes) -> Digest:
    """The keyed digest of a value that holds secrets: without the key nothing can be guessed from it."""
    return Digest(f"hmac-sha256:{hmac.new(key, _canonical(value), hashlib.sha256).hexdigest()}")


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
