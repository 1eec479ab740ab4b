"""What an index says of a chart's versions, as it is kept: one small JSON file per chart, and the only part that is read. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec

from gitopsd.plugin import Rejected

INVALID = "IndexationFailed"
"""Flux's reason for an index that cannot be read."""

FOLDER = "charts"
MAX_TEXT = 4096
MAX_URLS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One version of a chart. `urls` as they stand there, `digest` as hex or '', `created` as it stands there."""

    version: str
    urls: tuple[str, ...] = ()
    digest: str = ""
    created: str = ""


_DECODER = msgspec.json.Decoder(tuple[Entry, ...])


def path(chart: str) -> str:
    """Where a chart's versions are kept in the repository's tree."""
    return f"{FOLDER}/{quote(chart, safe='')}.json"


def encode(found: Sequence[Entry]) -> bytes:
    """The file's bytes."""
    return msgspec.json.encode(found)


def decode(data: bytes) -> Sequence[Entry]:
    """The inverse of `encode`."""
    return _DECODER.decode(data)


def entry(fields: Any) -> Entry | None:
    """One version of what an index holds; None where it has no version, which Flux leaves out too."""
    if not isinstance(fields, dict):
        return None
    version, urls = fields.get("version"), fields.get("urls")
    if not isinstance(version, str) or not version or len(version) > MAX_TEXT:
        return None
    kept = [url for url in urls if isinstance(url, str)] if isinstance(urls, list) else []
    return Entry(
        version=version,
        urls=tuple(url for url in kept[:MAX_URLS] if len(url) <= MAX_TEXT),
        digest=_text(fields.get("digest")),
        created=_text(fields.get("created")),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= MAX_TEXT else ""


def malformed(why: str) -> Rejected:
    """The error for an index that cannot be read."""
    return Rejected(f"the index cannot be read: {why}", reason=INVALID)
