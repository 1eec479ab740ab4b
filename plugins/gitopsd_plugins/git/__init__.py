"""Git: the declared kind GitRepository and the source behind it.

Importing this registers. The kind and the source are imported when the daemon asks for them, since a worker process, which
imports this package for a job, has no use for them; dulwich, paramiko and their like when something is fetched.
"""

from __future__ import annotations

from gitopsd.plugin import Kind, Source, hookimpl


@hookimpl
def gitopsd_kinds() -> list[Kind]:
    """The declared kind."""
    from gitopsd_plugins.git.kind import GitRepository

    return [GitRepository()]


@hookimpl
def gitopsd_sources() -> list[Source]:
    """What fetches it."""
    from gitopsd_plugins.git.source import GitSource

    return [GitSource()]
