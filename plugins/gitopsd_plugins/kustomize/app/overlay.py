"""What a Flux Kustomization lays over the kustomization file that it points to (reference: Flux's generator)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import structs

from gitopsd.plugin import Rejected, Spec
from gitopsd_plugins.kustomize.app.spec import CommonMetadata, KustomizationSpec, PostBuild
from gitopsd_plugins.kustomize.files.kustomization import Image, Kustomization, Patch

_REMOTE = re.compile(r"(?:git::|gh:|ssh://|https?://|git@|github\.com[:/]).", re.IGNORECASE)
Exists = Callable[[str], bool]
"""Whether something stands at a path, relative to the folder that is built."""


class Overlay(Spec, frozen=True, kw_only=True):
    """The renderer's spec: where to build, and what to lay over it. Part of every cache key, so only what matters here."""

    path: str = ""
    target_namespace: str = ""
    name_prefix: str = ""
    name_suffix: str = ""
    patches: tuple[Patch, ...] = ()
    patches_strategic_merge: tuple[str, ...] = ()
    patches_json6902: tuple[Patch, ...] = ()
    images: tuple[Image, ...] = ()
    components: tuple[str, ...] = ()
    ignore_missing_components: bool = False
    build_metadata: tuple[str, ...] = ()
    common_metadata: CommonMetadata | None = None
    post_build: PostBuild | None = None
    strict: bool = True
    """Whether a variable that nothing provides is an error, as in Flux; else it is empty."""

    def over(self, found: Kustomization, exists: Exists) -> Kustomization:
        """The kustomization with namespace, prefix and suffix replaced, patches and components added, images merged by name.

        Raises `Rejected` for a component that is not local.
        """
        return structs.replace(
            found,
            namespace=self.target_namespace or found.namespace,
            name_prefix=self.name_prefix or found.name_prefix,
            name_suffix=self.name_suffix or found.name_suffix,
            patches=(*found.patches, *self.patches),
            patches_strategic_merge=(*found.patches_strategic_merge, *self.patches_strategic_merge),
            patches_json6902=(*found.patches_json6902, *self.patches_json6902),
            components=(*found.components, *self._components(exists)),
            images=merged_images((*found.images, *found.image_tags), self.images),
            image_tags=(),
            build_metadata=self.build_metadata or found.build_metadata,
        )

    def _components(self, exists: Exists) -> tuple[str, ...]:
        for component in self.components:
            if not is_local(component):
                raise Rejected(f"spec.components: component path {component!r} must be local and relative")
        return tuple(c for c in self.components if not self.ignore_missing_components or exists(c))


def of(found: KustomizationSpec, *, strict: bool) -> Overlay:
    """What the spec of a Flux Kustomization lays over."""
    return Overlay(
        path=found.path,
        target_namespace=found.target_namespace,
        name_prefix=found.name_prefix,
        name_suffix=found.name_suffix,
        patches=tuple(Patch(patch=p.patch, target=p.target) for p in found.patches),
        patches_strategic_merge=tuple(map(json.dumps, found.patches_strategic_merge)),
        patches_json6902=tuple(Patch(patch=json.dumps(p.patch), target=p.target) for p in found.patches_json6902),
        images=found.images,
        components=found.components,
        ignore_missing_components=found.ignore_missing_components,
        build_metadata=found.build_metadata,
        common_metadata=found.common_metadata,
        post_build=found.post_build,
        strict=strict,
    )


def value(overlay: Overlay) -> Mapping[str, Any]:
    """The overlay as a JSON value, which leaves out what says nothing."""
    written: Mapping[str, Any] = msgspec.to_builtins(overlay)
    return written


def is_local(path: str) -> bool:
    """True for a path that is neither remote nor absolute."""
    return not _REMOTE.match(path) and not path.lower().removeprefix("file://").startswith("/")


def merged_images(existing: tuple[Image, ...], ours: tuple[Image, ...]) -> tuple[Image, ...]:
    """Images by name; a new tag or digest replaces both, a new name only the name."""
    result = list(existing)
    for image in ours:
        index = next((i for i, known in enumerate(result) if known.name == image.name), None)
        if index is None:
            result.append(image)
            continue
        known = result[index]
        tagged = bool(image.new_tag or image.digest)
        result[index] = structs.replace(
            known,
            new_name=image.new_name or known.new_name,
            new_tag=image.new_tag if tagged else known.new_tag,
            digest=image.digest if tagged else known.digest,
        )
    return tuple(result)
