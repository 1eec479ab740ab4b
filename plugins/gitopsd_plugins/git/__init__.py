"""Git: the declared kind GitRepository and the source behind it.

Importing this registers; dulwich, paramiko and their like are imported when something is fetched.
"""

from __future__ import annotations

from gitopsd.plugin import Kind, Source, hookimpl
from gitopsd_plugins.git.kind import GitRepository
from gitopsd_plugins.git.source import GitSource


@hookimpl
def gitopsd_kinds() -> list[Kind]:
    """The declared kind."""
    return [GitRepository()]


@hookimpl
def gitopsd_sources() -> list[Source]:
    """What fetches it."""
    return [GitSource()]
