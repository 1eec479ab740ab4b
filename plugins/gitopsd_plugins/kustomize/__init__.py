"""Kustomize for gitopsd: the declared kind Kustomization of Flux, and the renderer that builds kustomizations in Python."""

from __future__ import annotations

from collections.abc import Iterable

from gitopsd.plugin import Kind, Renderer, hookimpl
from gitopsd_plugins.kustomize.kind import KustomizationKind
from gitopsd_plugins.kustomize.renderer import KustomizeRenderer


@hookimpl
def gitopsd_kinds() -> Iterable[Kind]:
    """Kustomization."""
    return [KustomizationKind()]


@hookimpl
def gitopsd_renderers() -> Iterable[Renderer]:
    """kustomize."""
    return [KustomizeRenderer()]
