"""The hooks: called once at start, without arguments, each returning objects of one role. The registry calls them.

A plugin is a module with functions of these names, marked with `hookimpl`, found by the entry-point group `gitopsd`:

    from gitopsd.plugin import hookimpl

    @hookimpl
    def gitopsd_sources():
        return [MySource()]
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from gitopsd.plugin.decryption import Decryptor, KeyService
from gitopsd.plugin.roles import ClusterAccess, HealthRule, Kind, Renderer, Sink, Source

PROJECT = "gitopsd"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def gitopsd_kinds() -> Iterable[Kind]:  # type: ignore[empty-body]  # a specification has no body
    """Declared kinds and what they mean."""


@hookspec
def gitopsd_unserved() -> Iterable[tuple[str, str]]:  # type: ignore[empty-body]  # as above
    """(group, kind) of declared kinds that are known and not served: listed as such, unless another plugin serves them."""


@hookspec
def gitopsd_sources() -> Iterable[Source]:  # type: ignore[empty-body]  # as above
    """Where content comes from."""


@hookspec
def gitopsd_renderers() -> Iterable[Renderer]:  # type: ignore[empty-body]  # as above
    """What makes manifests of a tree."""


@hookspec
def gitopsd_decryptors() -> Iterable[Decryptor]:  # type: ignore[empty-body]  # as above
    """What opens encrypted files."""


@hookspec
def gitopsd_key_services() -> Iterable[KeyService]:  # type: ignore[empty-body]  # as above
    """Services that keep the keys of encrypted files."""


@hookspec
def gitopsd_sinks() -> Iterable[Sink]:  # type: ignore[empty-body]  # as above
    """Where manifests go."""


@hookspec
def gitopsd_accesses() -> Iterable[ClusterAccess]:  # type: ignore[empty-body]  # as above
    """Ways to reach a cluster."""


@hookspec
def gitopsd_health() -> Iterable[HealthRule]:  # type: ignore[empty-body]  # as above
    """Health of kinds of objects."""
