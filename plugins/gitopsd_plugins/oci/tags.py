"""Which tag a version constraint chooses. The filter is a pattern that somebody wrote: it runs in a worker process only."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from gitopsd.plugin import Intake
from gitopsd.plugin.sources import semver


def newest(constraint: str, tags: Sequence[str]) -> str | None:
    """The tag of the highest version that is allowed; `_` stands for the `+` that no tag may hold."""
    versions = {tag.replace("_", "+"): tag for tag in sorted(tags)}
    found = semver.constraint(constraint).newest(versions)
    return versions[found] if found else None


def filtered(payload: bytes, intake: Intake) -> bytes:
    """The tags in which a pattern is found, as a job: some patterns take for ever on some tags."""
    pattern, tags = msgspec.msgpack.decode(payload, type=tuple[str, list[str]])
    find = re.compile(pattern).search
    return msgspec.msgpack.encode([tag for tag in tags if find(tag)])
