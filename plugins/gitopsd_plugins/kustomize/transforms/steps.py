"""What the fields of a kustomization do to the resources, as steps in kustomize's fixed order, whatever the order in the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from gitopsd_plugins.kustomize.files.kustomization import Kustomization, Label
from gitopsd_plugins.kustomize.files.loader import Loader
from gitopsd_plugins.kustomize.objects.resources import Resources
from gitopsd_plugins.kustomize.references import config, defaults, fieldspec, names, replacements
from gitopsd_plugins.kustomize.references.config import Config
from gitopsd_plugins.kustomize.references.fieldspec import FieldSpec, FieldSpecs
from gitopsd_plugins.kustomize.transforms import patches, transformers


@dataclass(frozen=True, slots=True)
class Step:
    """One transformer at work: its name for `buildMetadata`, the field (and entry of it) that asks for it, what it does."""

    kind: str
    field: str
    run: Callable[[Resources], None]
    index: int | None = None


def of(found: Kustomization, loader: Loader, settings: Config) -> Iterator[Step]:
    """The steps that the fields ask for."""
    if found.patches_strategic_merge:
        run = partial(patches.apply_strategic, entries=found.patches_strategic_merge, loader=loader)
        yield Step("PatchStrategicMergeTransformer", "patchesStrategicMerge", run)
    for index, patch in enumerate(found.patches):
        yield Step("PatchTransformer", "patches", partial(patches.apply, patch=patch, loader=loader), index)
    yield from _renaming(found, settings)
    yield from _labelling(found, settings)
    if found.common_annotations:
        fields = settings.common_annotations
        run = partial(transformers.set_entries, entries=found.common_annotations, specs=fields)
        yield Step("AnnotationsTransformer", "commonAnnotations", run)
    for index, patch in enumerate(found.patches_json6902):
        run = partial(patches.apply_json, patch=patch, loader=loader)
        yield Step("PatchJson6902Transformer", "patchesJson6902", run, index)
    for index, replica in enumerate(found.replicas):
        run = partial(transformers.set_replicas, replica=replica, specs=settings.replicas)
        yield Step("ReplicaCountTransformer", "replicas", run, index)
    yield from _images(found, settings)
    if found.replacements:
        run = partial(replacements.apply_all, entries=found.replacements, loader=loader)
        yield Step("ReplacementTransformer", "replacements", run)


def _renaming(found: Kustomization, settings: Config) -> Iterator[Step]:
    if found.namespace:
        run = partial(transformers.set_namespace, namespace=found.namespace, specs=settings.namespace)
        yield Step("NamespaceTransformer", "namespace", run)
    if found.name_prefix:
        run = partial(names.surround, specs=settings.name_prefix, prefix=found.name_prefix)
        yield Step("PrefixTransformer", "namePrefix", run)
    if found.name_suffix:
        run = partial(names.surround, specs=settings.name_suffix, suffix=found.name_suffix)
        yield Step("SuffixTransformer", "nameSuffix", run)


def _labelling(found: Kustomization, settings: Config) -> Iterator[Step]:
    """One for each entry of `labels`, and one for `commonLabels`, which runs beside them even where it is empty."""
    for index, label in enumerate(found.labels):
        specs = FieldSpecs(_label_fields(label, settings))
        run = partial(transformers.set_entries, entries=label.pairs, specs=specs)
        yield Step("LabelTransformer", "labels", run, index)
    if found.labels or found.common_labels:
        run = partial(transformers.set_entries, entries=found.common_labels, specs=settings.common_labels)
        yield Step("LabelTransformer", "commonLabels", run)


def _images(found: Kustomization, settings: Config) -> Iterator[Step]:
    """All images are changed in one pass, which notes itself once for each."""
    images = (*found.images, *found.image_tags)
    if images:
        run = partial(transformers.set_images, images=images, specs=settings.images)
        yield Step("ImageTagTransformer", "images", run)
    for _ in images[1:]:
        yield Step("ImageTagTransformer", "images", lambda resources: None)


def _label_fields(label: Label, settings: Config) -> list[FieldSpec]:
    own = fieldspec.merged(map(config.as_spec, label.fields), settings.labels.specs)
    if label.include_selectors:
        return fieldspec.merged(own, settings.common_labels.specs)
    templates = settings.template_labels.specs if label.include_templates else ()
    return fieldspec.merged(own, templates, (defaults.METADATA_LABELS,))
