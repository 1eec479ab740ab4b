"""Object stores: the declared kind Bucket and the source behind it.

Importing this registers; obstore (extra `gitopsd[bucket]`) is imported in a worker process, when a bucket is asked.
"""

from __future__ import annotations

from gitopsd.plugin import Kind, Source, hookimpl
from gitopsd_plugins.bucket.kind import Bucket
from gitopsd_plugins.bucket.source import BucketSource


@hookimpl
def gitopsd_kinds() -> list[Kind]:
    """The declared kind."""
    return [Bucket()]


@hookimpl
def gitopsd_sources() -> list[Source]:
    """What fetches it."""
    return [BucketSource()]
