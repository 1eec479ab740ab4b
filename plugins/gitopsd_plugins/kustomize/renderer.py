"""The renderer: a tree and the overlay of a Flux Kustomization to manifests. Pure, runs in a worker process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitopsd.plugin import Folder, Manifest, PathError, Rejected, Rendered, Tree, spec
from gitopsd_plugins.kustomize import build, generated
from gitopsd_plugins.kustomize.build import Built
from gitopsd_plugins.kustomize.kustomization import CONFIG_GROUP
from gitopsd_plugins.kustomize.overlay import Overlay
from gitopsd_plugins.kustomize.resource import Resource


class KustomizeRenderer:
    """Builds like Flux: the whole artifact may be read, a missing kustomization file is made up, the order is kustomize's."""

    name = "kustomize"
    version = "1"

    def render(self, tree: Tree, spec: Mapping[str, Any]) -> Rendered:
        """The objects of the folder `spec["path"]`. Raises `Rejected` naming file and field."""
        overlay = _decoded(spec)
        built = _build(tree, overlay)
        manifests = (_manifest(resource) for resource in built.resources)
        return Rendered(
            manifests=tuple(m for m in manifests if m.id.group != CONFIG_GROUP),
            reads=tree.reads,
            warnings=built.warnings,
        )


def _decoded(value: Mapping[str, Any]) -> Overlay:
    return spec.decode(value, Overlay)


def _build(tree: Tree, overlay: Overlay) -> Built:
    path = overlay.path.removeprefix("./").strip("/")
    try:
        found = tree.find(path)
    except PathError as error:
        raise Rejected(f"spec.path: {error}", reason="ArtifactFailed") from error
    if not isinstance(found, Folder):
        raise Rejected(f"spec.path: {overlay.path!r} is not a folder of the artifact", reason="ArtifactFailed")
    if generated.has_kustomization(tree, path):
        return build.build(tree, path, restricted=False, overlay=overlay.over)
    try:
        return build.build_generated(tree, path, overlay.over(generated.for_folder(tree, path)))
    except Rejected as error:
        raise Rejected(f"{error}; {generated.HINT}") from error


def _manifest(resource: Resource) -> Manifest:
    try:
        return Manifest.of(resource.body)
    except ValueError as error:
        raise Rejected(f"{resource.file or 'kustomization'}: {resource}: {error}") from error
