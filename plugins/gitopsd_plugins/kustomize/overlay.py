"""What a Flux Kustomization lays over the kustomization file that it points to (reference: Flux's generator)."""

from __future__ import annotations

from msgspec import structs

from gitopsd.plugin import Spec
from gitopsd_plugins.kustomize.kustomization import Image, Kustomization, Patch


class Overlay(Spec, frozen=True, kw_only=True):
    """The renderer's spec: where to build, and what to lay over it. Part of every cache key, so only what matters here."""

    path: str = ""
    target_namespace: str = ""
    name_prefix: str = ""
    name_suffix: str = ""
    patches: tuple[Patch, ...] = ()
    images: tuple[Image, ...] = ()

    def over(self, found: Kustomization) -> Kustomization:
        """The kustomization with namespace, prefix and suffix replaced, patches added, images merged by name."""
        return structs.replace(
            found,
            namespace=self.target_namespace or found.namespace,
            name_prefix=self.name_prefix or found.name_prefix,
            name_suffix=self.name_suffix or found.name_suffix,
            patches=(*found.patches, *self.patches),
            images=merged_images((*found.images, *found.image_tags), self.images),
            image_tags=(),
        )


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
