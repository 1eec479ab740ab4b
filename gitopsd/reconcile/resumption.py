"""PURE. After a restart: which sources serve what is stored, and by when each is asked.

A process that begins must not ask every host for everything at once; nor may it learn of news later than one that went on
running would. So a source that was asked a moment ago is due when it was due anyhow. One whose interval has passed meanwhile
serves what is stored and is asked soon: at once where there are few, spread over up to an interval where there are many.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from gitopsd.model.declared import SourceIntent
from gitopsd.model.digest import Digest
from gitopsd.model.tree import Artifact, Polled

SPACING = timedelta(seconds=0.1)
"""Between two sources that are overdue."""


def left(
    intent: SourceIntent,
    spec: Digest,
    artifact: Artifact,
    polled: Polled | None,
    upstream: Iterable[datetime | None],
    *,
    sources: int,
    now: datetime,
) -> timedelta | None:
    """Within what time it is to be asked; None for at once, before anything is served.

    `upstream` says since when each of what it reads is as it is now, None for unknown; `sources` is how many there are in all.
    """
    if polled is None or polled.failing or polled.spec != spec or polled.at > now:
        return None
    if artifact.spec != intent.content or intent.unsupported or intent.depends_on:
        return None
    if any(since is None or since > polled.at for since in upstream):
        return None
    rest = polled.at + intent.interval - now
    return rest if rest > timedelta(0) else min(intent.interval, SPACING * sources)
