"""Kustomize for gitopsd: the declared kind Kustomization of Flux, and the renderer that builds kustomizations in Python.

Both are imported when somebody asks for them: a worker process, which imports this package to render, has no use for the kind.
"""

from __future__ import annotations

from collections.abc import Iterable

from gitopsd.plugin import Kind, Renderer, hookimpl


@hookimpl
def gitopsd_kinds() -> Iterable[Kind]:
    """Kustomization."""
    from gitopsd_plugins.kustomize.kind import KustomizationKind

    return [KustomizationKind()]


@hookimpl
def gitopsd_renderers() -> Iterable[Renderer]:
    """kustomize."""
    from gitopsd_plugins.kustomize.renderer import KustomizeRenderer

    return [KustomizeRenderer()]
