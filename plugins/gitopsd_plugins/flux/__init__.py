"""Flux's kinds that gitopsd knows and does not serve yet: objects of them are listed as such and stop nothing else.

A plugin that serves one of them takes it over; nothing needs to change here.
"""

from __future__ import annotations

from collections.abc import Iterable

from gitopsd.plugin import hookimpl

UNSERVED = {
    "source.extensions.fluxcd.io": ("ArtifactGenerator",),
    "helm.toolkit.fluxcd.io": ("HelmRelease",),
    "notification.toolkit.fluxcd.io": ("Alert", "Provider", "Receiver"),
    "image.toolkit.fluxcd.io": ("ImagePolicy", "ImageRepository", "ImageUpdateAutomation"),
    "fluxcd.controlplane.io": ("FluxInstance", "FluxReport", "ResourceSet", "ResourceSetInputProvider"),
}


@hookimpl
def gitopsd_unserved() -> Iterable[tuple[str, str]]:
    """Each (group, kind)."""
    return [(group, kind) for group, kinds in UNSERVED.items() for kind in kinds]
