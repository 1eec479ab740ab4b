"""Artifacts that somebody else made: the declared kind ExternalArtifact and the source behind it."""

from __future__ import annotations

from gitopsd.plugin import Kind, Source, hookimpl
from gitopsd_plugins.external.kind import ExternalArtifact
from gitopsd_plugins.external.source import ExternalSource


@hookimpl
def gitopsd_kinds() -> list[Kind]:
    """The declared kind."""
    return [ExternalArtifact()]


@hookimpl
def gitopsd_sources() -> list[Source]:
    """What fetches it."""
    return [ExternalSource()]
