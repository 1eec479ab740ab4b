"""Builds a kustomization: accumulates what it refers to, generates, transforms, and at the end settles names and order.

A kustomization is built like this, and each folder that it refers to before it in the same way: resources in order,
generated objects, components (which work on what is there so far), then the transformers in kustomize's fixed order.
Hashes and references to changed names come once, at the top, over everything.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gitopsd.plugin import Rejected, Tree
from gitopsd_plugins.kustomize import (
    config,
    crds,
    defaults,
    documents,
    fieldspec,
    generators,
    kustomization,
    names,
    openapi,
    order,
    origins,
    patches,
    plugins,
    replacements,
    transformers,
)
from gitopsd_plugins.kustomize.config import Config
from gitopsd_plugins.kustomize.fieldspec import FieldSpec, FieldSpecs
from gitopsd_plugins.kustomize.identity import text
from gitopsd_plugins.kustomize.kustomization import Kustomization, Label
from gitopsd_plugins.kustomize.loader import Loader
from gitopsd_plugins.kustomize.resource import LOCAL, Resource
from gitopsd_plugins.kustomize.resources import Resources
from gitopsd_plugins.kustomize.typefacts import TypeFacts
from gitopsd_plugins.kustomize.variables import Variables

MAX_RESOURCES = 100_000
MAX_KUSTOMIZATIONS = 5_000  # one folder may be read any number of times, so that few files could cost forever
VALIDATED = "validated-by"
Overlay = Callable[[Kustomization], Kustomization]
Step = tuple[str, Callable[[Resources], None]]
"""The name of a built-in transformer, and what it does."""


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
    found = build_.read(loader, component=None, tolerant=overlay is not None)
    return build_.finish(loader, overlay(found) if overlay else found, reorder=reorder)


def build_generated(tree: Tree, path: str, found: Kustomization, *, restricted: bool = False) -> Built:
    """Build a kustomization that is in no file, as if it stood at `path`."""
    return _Build().finish(Loader(tree, path, restricted=restricted), found, reorder=True)


@dataclass(slots=True)
class _Build:
    warnings: list[str] = field(default_factory=list)
    variables: Variables = field(default_factory=Variables)
    types: TypeFacts = field(default_factory=TypeFacts)
    metadata: tuple[str, ...] = ()
    """`buildMetadata` of the top kustomization; anything in it makes all origins be noted."""
    read_so_far: int = 0

    def read(self, loader: Loader, *, component: bool | None = False, tolerant: bool = False) -> Kustomization:
        self.read_so_far += 1
        if self.read_so_far > MAX_KUSTOMIZATIONS:
            raise Rejected(f"{loader.root or '.'}: more than {MAX_KUSTOMIZATIONS} kustomizations are read in one build")
        name = loader.file()
        if not name:
            raise Rejected(f"unable to find one of {', '.join(kustomization.NAMES)} in {loader.root or '.'}")
        data, shown = loader.tree.read(loader.path(name)), loader.shown(name)
        found = kustomization.read(data, shown, component=component, tolerant=tolerant)
        if tolerant:
            self.warnings.extend(f"{shown}: {key}: unknown field, passed over" for key in kustomization.unknown(data))
        self.warnings.extend(kustomization.deprecations(found, shown))
        if found.openapi and not self.types.fixed:
            self.types.use(openapi.facts(found.openapi, loader))
        return found

    def finish(self, loader: Loader, found: Kustomization, *, reorder: bool) -> Built:
        self.metadata = found.build_metadata
        resources = Resources(types=self.types)
        settings = self.accumulate(resources, found, loader, config.EMPTY)
        names.add_hashes(resources)
        names.NameReferences(resources, settings.references).fix()
        self.variables.resolve(resources, settings.var_reference)
        resources.keep(lambda r: r.labels("annotations").get(LOCAL, "false") == "false")
        items = _ordered(resources, found, reorder=reorder)
        for resource in items:
            origins.finished(resource, self.metadata)
            _settle_annotations(resource)
        return Built(items, tuple(self.warnings))

    def accumulate(self, resources: Resources, found: Kustomization, loader: Loader, settings: Config) -> Config:
        """Add what the kustomization makes; the result is the configuration with all that was added to it below."""
        for entry in (*found.resources, *found.bases):
            settings = self._add(resources, entry, loader, settings)
        own = config.DEFAULT
        for file in found.configurations:
            own = own.merged(config.read(loader.read(file), loader.shown(file)))
        settings = settings.merged(own)
        for file in found.crds:
            settings = settings.merged(crds.read(loader.read(file), loader.shown(file)))
        self._generate(resources, found, loader)
        for entry in found.components:
            below = loader.below(entry)
            settings = self.accumulate(resources, self.read(below, component=True), below, settings)
        if len(resources) > MAX_RESOURCES:
            raise Rejected(f"{loader.root or '.'}: more than {MAX_RESOURCES} resources")
        self._transform(resources, found, loader, settings)
        for plugin in self._plugins(found.validators, loader):
            _validate(resources, plugin, loader)
        for variable in found.vars:
            self.variables.declare(variable, resources)
        return settings

    def _add(self, resources: Resources, entry: str, loader: Loader, settings: Config) -> Config:
        if entry and loader.is_file(entry):
            objects = documents.read(loader.read(entry), loader.shown(entry))
            if self.metadata:
                origins.set_file(objects, loader.origin_of(entry))
            resources.extend(objects)
            return settings
        below = loader.below(entry)
        inner = Resources(types=self.types)
        theirs = self.accumulate(inner, self.read(below), below, config.EMPTY)
        resources.extend(inner)
        return settings.merged(theirs)

    def _generate(self, resources: Resources, found: Kustomization, loader: Loader) -> None:
        for kind, make, entries in (
            ("ConfigMapGenerator", generators.config_map, found.config_map_generator),
            ("SecretGenerator", generators.secret, found.secret_generator),
        ):
            for entry in entries:
                made = make(entry, found.generator_options, loader)
                if self.metadata:
                    origins.set_maker([made], origins.of_field(self._file(loader), kind))
                resources.absorb(made)
        for plugin in self._plugins(found.generators, loader):
            plugins.generate(resources, plugin, loader, origins.of_plugin(plugin) if self.metadata else None)

    def _transform(self, resources: Resources, found: Kustomization, loader: Loader, settings: Config) -> None:
        for kind, run in _steps(found, loader, settings):
            run(resources)
            if self.metadata:
                origins.note_change(resources, origins.of_field(self._file(loader), kind))
        for plugin in self._plugins(found.transformers, loader):
            plugins.transform(resources, plugin, loader)
            if self.metadata and (origin := origins.of_plugin(plugin)):
                origins.note_change(resources, origin)

    def _plugins(self, entries: Sequence[str], loader: Loader) -> list[Resource]:
        """Plugin configurations: in place, in files, or what a folder builds."""
        found = Resources()
        for entry in entries:
            if "\n" in entry or ":" in entry:
                inline = documents.read(entry, loader.shown("inline plugin"))
                if self.metadata:
                    origins.set_file(inline, self._file(loader))
                found.extend(inline)
            else:
                self._add(found, entry, loader, config.EMPTY)
        return found.items

    def _file(self, loader: Loader) -> str:
        """The kustomization file of a folder, from the built one on; a made-up one has the usual name."""
        return loader.origin_of(loader.file() or kustomization.NAMES[0])


def _steps(found: Kustomization, loader: Loader, settings: Config) -> Iterator[Step]:
    """The transformers that fields ask for, in kustomize's fixed order, whatever the order in the file."""
    if found.patches_strategic_merge:
        run = partial(patches.apply_strategic, entries=found.patches_strategic_merge, loader=loader)
        yield "PatchStrategicMergeTransformer", run
    for patch in found.patches:
        yield "PatchTransformer", partial(patches.apply, patch=patch, loader=loader)
    if found.namespace:
        specs = settings.namespace
        yield "NamespaceTransformer", partial(transformers.set_namespace, namespace=found.namespace, specs=specs)
    if found.name_prefix:
        yield "PrefixTransformer", partial(names.surround, specs=settings.name_prefix, prefix=found.name_prefix)
    if found.name_suffix:
        yield "SuffixTransformer", partial(names.surround, specs=settings.name_suffix, suffix=found.name_suffix)
    yield from _label_steps(found, settings)
    if found.common_annotations:
        fields = settings.common_annotations
        yield (
            "AnnotationsTransformer",
            partial(transformers.set_entries, entries=found.common_annotations, specs=fields),
        )
    for patch in found.patches_json6902:
        yield "PatchJson6902Transformer", partial(patches.apply_json, patch=patch, loader=loader)
    for replica in found.replicas:
        yield "ReplicaCountTransformer", partial(transformers.set_replicas, replica=replica, specs=settings.replicas)
    yield from _image_steps(found, settings)
    if found.replacements:
        yield "ReplacementTransformer", partial(replacements.apply_all, entries=found.replacements, loader=loader)


def _label_steps(found: Kustomization, settings: Config) -> Iterator[Step]:
    """One for each entry of `labels`, and one for `commonLabels`, which runs beside them even where it is empty."""
    for label in found.labels:
        specs = FieldSpecs(_label_fields(label, settings))
        yield "LabelTransformer", partial(transformers.set_entries, entries=label.pairs, specs=specs)
    if found.labels or found.common_labels:
        common = partial(transformers.set_entries, entries=found.common_labels, specs=settings.common_labels)
        yield "LabelTransformer", common


def _image_steps(found: Kustomization, settings: Config) -> Iterator[Step]:
    """All images are changed in one pass, which notes itself once for each."""
    images = (*found.images, *found.image_tags)
    if images:
        yield "ImageTagTransformer", partial(transformers.set_images, images=images, specs=settings.images)
    for _ in images[1:]:
        yield "ImageTagTransformer", lambda resources: None


def _validate(resources: Resources, plugin: Resource, loader: Loader) -> None:
    """Run a validator, which may refuse and may change nothing but its own mark. Raises `Rejected` naming it."""
    before = [copy.deepcopy(resource.body) for resource in resources]
    plugins.transform(resources, plugin, loader)
    after = [_without_mark(resource.body) for resource in resources]
    if before != after:
        raise Rejected(f"{plugin.file}: {plugin}: validator shouldn't modify the resource map; list it in transformers")


def _without_mark(body: dict[str, Any]) -> dict[str, Any]:
    metadata: Any = body.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    if not isinstance(labels, dict) or VALIDATED not in labels:
        return body
    left = {key: value for key, value in labels.items() if key != VALIDATED}
    others = {key: value for key, value in metadata.items() if key != "labels"}
    return {**body, "metadata": {**others, **({"labels": left} if left else {})}}


def _label_fields(label: Label, settings: Config) -> list[FieldSpec]:
    own = fieldspec.merged(map(config.as_spec, label.fields), settings.labels.specs)
    if label.include_selectors:
        return fieldspec.merged(own, settings.common_labels.specs)
    templates = settings.template_labels.specs if label.include_templates else ()
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
        kept = {key: text(value) for key, value in (annotations or {}).items()}
        if kept:
            resource.metadata["annotations"] = kept
        else:
            resource.metadata.pop("annotations", None)
