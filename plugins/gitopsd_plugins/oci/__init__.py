"""OCI registries: the declared kind OCIRepository, the source behind it, and the verbs `pull` and `push`.

Importing this registers; nothing else is loaded before something is fetched.
"""

from __future__ import annotations

from gitopsd.plugin import Kind, Source, hookimpl
from gitopsd_plugins.oci.kind import OCIRepository
from gitopsd_plugins.oci.source import OciSource


@hookimpl
def gitopsd_kinds() -> list[Kind]:
    """The declared kind."""
    return [OCIRepository()]


@hookimpl
def gitopsd_sources() -> list[Source]:
    """What fetches it."""
    return [OciSource()]
