"""Single files of the web, for renders that ask for one by its address. Nothing is declared for them."""

from __future__ import annotations

from gitopsd.plugin import Source, hookimpl
from gitopsd_plugins.web.source import FileSource


@hookimpl
def gitopsd_sources() -> list[Source]:
    """What fetches them."""
    return [FileSource()]
