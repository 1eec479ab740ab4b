"""The renderer: a tree and the overlay of a Flux Kustomization to manifests. Pure, runs in a worker process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import structs

from gitopsd.plugin import Folder, Manifest, PathError, Rejected, Rendered, Tree, spec
from gitopsd_plugins.kustomize import build
from gitopsd_plugins.kustomize.app import postbuild
from gitopsd_plugins.kustomize.app.overlay import Overlay
from gitopsd_plugins.kustomize.app.spec import CommonMetadata
from gitopsd_plugins.kustomize.build import Built
from gitopsd_plugins.kustomize.files import generated
from gitopsd_plugins.kustomize.files.kustomization import CONFIG_GROUP, Kustomization
from gitopsd_plugins.kustomize.objects.resource import Resource

_NO_RESOURCES = ("originAnnotations",)
"""Flux's way of letting a kustomization without resources build; it shows in what generators and components make."""


class KustomizeRenderer:
    """Builds like Flux: the whole artifact may be read, a missing kustomization file is made up, the order is kustomize's."""

    name = "kustomize"
    version = "3"

    def render(
        self, tree: Tree, spec: Mapping[str, Any], values: Sequence[Mapping[str, bytes] | None] = ()
    ) -> Rendered:
        """The objects of the folder `spec["path"]`, with `values` of `substituteFrom`. Raises `Rejected` naming file and field."""
        overlay = _decoded(spec)
        built = _build(tree, overlay)
        warnings: list[str] = []
        if overlay.post_build is not None:
            variables = postbuild.variables(overlay.post_build, values)
            warnings = postbuild.substitute(built.resources, overlay.post_build, variables, strict=overlay.strict)
        if overlay.common_metadata is not None:
            _add_metadata(built.resources, overlay.common_metadata)
        manifests = (_manifest(resource) for resource in built.resources)
        return Rendered(
            manifests=tuple(m for m in manifests if m.id.group != CONFIG_GROUP),
            reads=tree.reads,
            warnings=(*built.warnings, *warnings),
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

    def exists(component: str) -> bool:
        return tree.find(f"{path}/{component}") is not None

    def over(own: Kustomization) -> Kustomization:
        return overlay.over(own if own.resources else structs.replace(own, build_metadata=_NO_RESOURCES), exists)

    if generated.has_kustomization(tree, path):
        return build.build(tree, path, restricted=False, overlay=over)
    try:
        return build.build_generated(tree, path, overlay.over(generated.for_folder(tree, path), exists))
    except Rejected as error:
        if str(error).startswith("spec.") or error.reason != Rejected.default_reason:
            raise  # what was laid over is to blame, or what says so itself, not the folder
        raise Rejected(f"{error}; {generated.HINT}") from error


def _add_metadata(resources: Sequence[Resource], common: CommonMetadata) -> None:
    for field, entries in (("labels", common.labels), ("annotations", common.annotations)):
        for resource in resources if entries else ():
            found = resource.metadata.get(field)
            resource.metadata[field] = {**(found if isinstance(found, dict) else {}), **entries}


def _manifest(resource: Resource) -> Manifest:
    try:
        return Manifest.of(resource.body)
    except ValueError as error:
        raise Rejected(f"{resource.file or 'kustomization'}: {resource}: {error}") from error
