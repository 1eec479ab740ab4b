"""Builds a kustomization: accumulates what it refers to, generates, transforms, and at the end settles names and order.

A kustomization is built like this, and each folder that it refers to before it in the same way: resources in order,
generated objects, components (which work on what is there so far), then the transformers in kustomize's fixed order.
Hashes and references to changed names come once, at the top, over everything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gitopsd.plugin import Rejected, Tree
from gitopsd_plugins.kustomize import (
    defaults,
    documents,
    fieldspec,
    generators,
    kustomization,
    names,
    order,
    patches,
    referrers,
    transformers,
)
from gitopsd_plugins.kustomize.fieldspec import FieldSpec, FieldSpecs
from gitopsd_plugins.kustomize.identity import Gvk, text
from gitopsd_plugins.kustomize.kustomization import Kustomization, Label
from gitopsd_plugins.kustomize.loader import Loader
from gitopsd_plugins.kustomize.resource import LOCAL, ORIGIN, Resource
from gitopsd_plugins.kustomize.resources import Resources

MAX_RESOURCES = 100_000
Overlay = Callable[[Kustomization], Kustomization]


@dataclass(frozen=True, slots=True)
class Built:
    """The objects in order, and sentences about what is outdated."""

    resources: list[Resource]
    warnings: tuple[str, ...] = ()


def build(
    tree: Tree, path: str = "", *, restricted: bool = True, reorder: bool = True, overlay: Overlay | None = None
) -> Built:
    """Build the folder at `path`.

    `restricted`: files must lie at or below the folder that names them. `reorder`: kustomize's legacy order where the
    kustomization chooses none. `overlay` changes the top kustomization after it was read. Raises `Rejected`.
    """
    loader = Loader(tree, path, restricted=restricted)
    if tree.find(loader.root) is None:
        raise Rejected(f"{path}: no such folder")
    build_ = _Build()
    found = build_.read(loader, component=None)
    return build_.finish(loader, overlay(found) if overlay else found, reorder=reorder)


def build_generated(tree: Tree, path: str, found: Kustomization, *, restricted: bool = False) -> Built:
    """Build a kustomization that is in no file, as if it stood at `path`."""
    return _Build().finish(Loader(tree, path, restricted=restricted), found, reorder=True)


@dataclass(slots=True)
class _Build:
    warnings: list[str] = field(default_factory=list)

    def read(self, loader: Loader, *, component: bool | None = False) -> Kustomization:
        name = loader.file()
        if not name:
            raise Rejected(f"unable to find one of {', '.join(kustomization.NAMES)} in {loader.root or '.'}")
        found = kustomization.read(loader.tree.read(loader.path(name)), loader.shown(name), component=component)
        self.warnings.extend(kustomization.deprecations(found, loader.shown(name)))
        return found

    def finish(self, loader: Loader, found: Kustomization, *, reorder: bool) -> Built:
        resources = Resources()
        self.accumulate(resources, found, loader)
        names.add_hashes(resources)
        names.NameReferences(resources, referrers.REFERENCES).fix()
        resources.keep(lambda r: r.labels("annotations").get(LOCAL, "false") == "false")
        items = _ordered(resources, found, reorder=reorder)
        for resource in items:
            _settle_annotations(resource)
        return Built(items, tuple(self.warnings))

    def accumulate(self, resources: Resources, found: Kustomization, loader: Loader) -> None:
        for entry in (*found.resources, *found.bases):
            self._add(resources, entry, loader)
        for generator in found.config_map_generator:
            resources.absorb(generators.config_map(generator, found.generator_options, loader))
        for generator in found.secret_generator:
            resources.absorb(generators.secret(generator, found.generator_options, loader))
        for entry in found.components:
            below = loader.below(entry)
            self.accumulate(resources, self.read(below, component=True), below)
        if len(resources) > MAX_RESOURCES:
            raise Rejected(f"{loader.root or '.'}: more than {MAX_RESOURCES} resources")
        _transform(resources, found, loader)

    def _add(self, resources: Resources, entry: str, loader: Loader) -> None:
        if entry and loader.is_file(entry):
            resources.extend(documents.read(loader.read(entry), loader.shown(entry)))
            return
        below = loader.below(entry)
        inner = Resources()
        self.accumulate(inner, self.read(below), below)
        resources.extend(inner)


def _transform(resources: Resources, found: Kustomization, loader: Loader) -> None:
    """kustomize's fixed order, whatever the order in the file."""
    patches.apply_strategic(resources, found.patches_strategic_merge, loader)
    for patch in found.patches:
        patches.apply(resources, patch, loader)
    if found.namespace:
        transformers.set_namespace(resources, found.namespace, FieldSpecs(defaults.NAMESPACES))
    if found.name_prefix:
        names.surround(resources, FieldSpecs(defaults.NAMES), prefix=found.name_prefix)
    if found.name_suffix:
        names.surround(resources, FieldSpecs(defaults.NAMES), suffix=found.name_suffix)
    for label in found.labels:
        transformers.set_entries(resources, label.pairs, FieldSpecs(_label_fields(label)))
    transformers.set_entries(resources, found.common_labels, FieldSpecs(defaults.COMMON_LABELS))
    transformers.set_entries(resources, found.common_annotations, FieldSpecs(defaults.COMMON_ANNOTATIONS))
    for patch in found.patches_json6902:
        patches.apply_json(resources, patch, loader)
    for replica in found.replicas:
        transformers.set_replicas(resources, replica, FieldSpecs(defaults.REPLICAS))
    transformers.set_images(resources, (*found.images, *found.image_tags), FieldSpecs(defaults.IMAGES))


def _label_fields(label: Label) -> list[FieldSpec]:
    own = [FieldSpec(f.path, Gvk(f.group, f.version, f.kind), f.create) for f in label.fields]
    if label.include_selectors:
        return fieldspec.merged(own, defaults.COMMON_LABELS)
    templates = defaults.TEMPLATE_LABELS if label.include_templates else ()
    return fieldspec.merged(own, templates, (defaults.METADATA_LABELS,))


def _ordered(resources: Resources, found: Kustomization, *, reorder: bool) -> list[Resource]:
    options = found.sort_options
    if options is None:
        resources.check_unique()
        return order.legacy(resources.items) if reorder else resources.items
    if options.order not in {"fifo", "legacy"}:
        raise Rejected("the field 'sortOptions.order' must be one of [fifo, legacy]")
    if options.order == "fifo":
        if options.legacy_sort_options is not None:
            raise Rejected(
                "the field 'sortOptions.legacySortOptions' is set but the selected sort order is 'fifo', not 'legacy'"
            )
        return resources.items
    resources.check_unique()
    if options.legacy_sort_options is None:
        return order.legacy(resources.items)
    return order.legacy(
        resources.items, options.legacy_sort_options.order_first, options.legacy_sort_options.order_last
    )


def _settle_annotations(resource: Resource) -> None:
    """Annotations are texts; kustomize writes them so in the end, and drops the map when it is empty."""
    annotations = resource.metadata.get("annotations")
    if annotations is None or isinstance(annotations, dict):
        kept = {key: text(value) for key, value in (annotations or {}).items() if key != ORIGIN}
        if kept:
            resource.metadata["annotations"] = kept
        else:
            resource.metadata.pop("annotations", None)
