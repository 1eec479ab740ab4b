"""Builds a kustomization: accumulates what it refers to, generates, transforms, and at the end settles names and order.

A kustomization is built like this, and each folder that it refers to before it in the same way: resources in order,
generated objects, components (which work on what is there so far), then the transformers in kustomize's fixed order.
Hashes and references to changed names come once, at the top, over everything.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gitopsd.plugin import Rejected, Tree
from gitopsd_plugins.kustomize.files import documents, kustomization, openapi, places
from gitopsd_plugins.kustomize.files.kustomization import Kustomization
from gitopsd_plugins.kustomize.files.loader import Loader
from gitopsd_plugins.kustomize.objects import address, order, origins, spelled
from gitopsd_plugins.kustomize.objects.identity import text
from gitopsd_plugins.kustomize.objects.origins import Place
from gitopsd_plugins.kustomize.objects.resource import LOCAL, Resource
from gitopsd_plugins.kustomize.objects.resources import Resources
from gitopsd_plugins.kustomize.objects.typefacts import TypeFacts
from gitopsd_plugins.kustomize.references import config, crds, names
from gitopsd_plugins.kustomize.references.config import Config
from gitopsd_plugins.kustomize.references.variables import Variables
from gitopsd_plugins.kustomize.transforms import generators, plugins, steps

MAX_RESOURCES = 100_000
MAX_KUSTOMIZATIONS = 5_000  # one folder may be read any number of times, so that few files could cost forever
VALIDATED = "validated-by"
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
    found = build_.read(loader, component=None, tolerant=overlay is not None)
    if overlay is None:
        return build_.finish(loader, found, reorder=reorder)
    build_.own = found
    return build_.finish(loader, overlay(found), reorder=reorder)


def build_generated(tree: Tree, path: str, found: Kustomization, *, restricted: bool = False) -> Built:
    """Build a kustomization that is in no file, as if it stood at `path`."""
    return _Build(own=Kustomization()).finish(Loader(tree, path, restricted=restricted), found, reorder=True)


@dataclass(slots=True)
class _Build:
    warnings: list[str] = field(default_factory=list)
    variables: Variables = field(default_factory=Variables)
    types: TypeFacts = field(default_factory=TypeFacts)
    metadata: tuple[str, ...] = ()
    """`buildMetadata` of the top kustomization; anything in it makes all origins be noted."""
    own: Kustomization | None = None
    """What the top file says itself, where something is laid over it."""
    read_so_far: int = 0

    def read(self, loader: Loader, *, component: bool | None = False, tolerant: bool = False) -> Kustomization:
        self.read_so_far += 1
        if self.read_so_far > MAX_KUSTOMIZATIONS:
            raise Rejected(f"{loader.here}: more than {MAX_KUSTOMIZATIONS} kustomizations are read in one build")
        name = loader.file()
        if not name:
            raise Rejected(f"unable to find one of {', '.join(kustomization.NAMES)} in {loader.here}")
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
            _settle_metadata(resource)
        return Built(items, tuple(self.warnings))

    def accumulate(self, resources: Resources, found: Kustomization, loader: Loader, settings: Config) -> Config:
        """Add what the kustomization makes; the result is the configuration with all that was added to it below."""
        loader.need((*found.resources, *found.bases, *found.components))
        for field_name, entries in (("resources", found.resources), ("bases", found.bases)):
            for index, entry in enumerate(entries):
                settings = self._add(resources, entry, loader, settings, (field_name, index))
        own = config.DEFAULT
        for index, file in enumerate(found.configurations):
            with self._named(loader, "configurations", index):
                own = own.merged(config.read(loader.read(file), loader.shown(file)))
        settings = settings.merged(own)
        for index, file in enumerate(found.crds):
            with self._named(loader, "crds", index):
                settings = settings.merged(crds.read(loader.read(file), loader.shown(file)))
        self._generate(resources, found, loader)
        for index, entry in enumerate(found.components):
            with self._named(loader, "components", index):
                below = loader.below(entry)
            settings = self.accumulate(resources, self.read(below, component=True), below, settings)
        if len(resources) > MAX_RESOURCES:
            raise Rejected(f"{loader.here}: more than {MAX_RESOURCES} resources")
        self._transform(resources, found, loader, settings)
        for plugin in self._plugins(found.validators, loader, "validators"):
            with self._named(loader, "validators"):
                _validate(resources, plugin, loader)
        for index, variable in enumerate(found.vars):
            with self._named(loader, "vars", index):
                self.variables.declare(variable, resources)
        return settings

    def _add(
        self, resources: Resources, entry: str, loader: Loader, settings: Config, place: tuple[str, int]
    ) -> Config:
        with self._named(loader, *place):
            objects = _objects(entry, loader)
            below = loader.below(entry) if objects is None else loader
        if objects is not None:
            if self.metadata:
                origins.set_file(objects, loader.origin_of(entry))
            resources.extend(objects)
            return settings
        inner = Resources(types=self.types)
        theirs = self.accumulate(inner, self.read(below), below, config.EMPTY)
        resources.extend(inner)
        return settings.merged(theirs)

    def _generate(self, resources: Resources, found: Kustomization, loader: Loader) -> None:
        for kind, field_name, make, entries in (
            ("ConfigMapGenerator", "configMapGenerator", generators.config_map, found.config_map_generator),
            ("SecretGenerator", "secretGenerator", generators.secret, found.secret_generator),
        ):
            for index, entry in enumerate(entries):
                with self._named(loader, field_name, index):
                    made = make(entry, found.generator_options, loader)
                    if self.metadata:
                        origins.set_maker([made], origins.of_field(self._file(loader), kind))
                    resources.absorb(made)
        for plugin in self._plugins(found.generators, loader, "generators"):
            with self._named(loader, "generators"):
                plugins.generate(resources, plugin, loader, origins.of_plugin(plugin) if self.metadata else None)

    def _transform(self, resources: Resources, found: Kustomization, loader: Loader, settings: Config) -> None:
        for step in steps.of(found, loader, settings):
            with self._named(loader, step.field, step.index):
                step.run(resources)
            if self.metadata:
                origins.note_change(resources, origins.of_field(self._file(loader), step.kind))
        for plugin in self._plugins(found.transformers, loader, "transformers"):
            with self._named(loader, "transformers"):
                plugins.transform(resources, plugin, loader)
            if self.metadata and (origin := origins.of_plugin(plugin)):
                origins.note_change(resources, origin)

    def _plugins(self, entries: Sequence[str], loader: Loader, field_name: str) -> list[Resource]:
        """Plugin configurations: in place, in files, or what a folder builds."""
        found = Resources()
        for index, entry in enumerate(entries):
            if "\n" in entry or ":" in entry:
                inline = documents.read(entry, loader.shown("inline plugin"))
                if self.metadata:
                    origins.set_file(inline, self._file(loader))
                found.extend(inline)
            else:
                self._add(found, entry, loader, config.EMPTY, (field_name, index))
        return found.items

    def _file(self, loader: Loader) -> Place:
        """The kustomization file of a folder, from the built one on; a made-up one has the usual name."""
        return loader.origin_of(loader.file() or kustomization.NAMES[0])

    @contextmanager
    def _named(self, loader: Loader, field_name: str, index: int | None = None) -> Iterator[None]:
        """Name the place of the field that an error comes from."""
        try:
            yield
        except Rejected as error:
            place = places.of(loader, field_name, index, self.own if loader.above is None else None)
            raise Rejected(f"{place}: {error}", reason=error.reason) from error


def _objects(entry: str, loader: Loader) -> list[Resource] | None:
    """The objects in a file; None for what is none, and therefore a folder or a repository.

    What an URL leads to is a file if objects are in it. If not, a repository may still be meant, as kustomize has it.
    """
    if not address.is_url(entry):
        content = loader.content(entry) if entry else None
        return None if content is None else documents.read(content, loader.shown(entry))
    repository = address.repository(entry)
    if repository is None:
        return documents.read(loader.read(entry), loader.shown(entry))
    data = None if repository.certain else loader.fetched(entry)
    try:
        return None if data is None else documents.read(data, loader.shown(entry))
    except Rejected:
        return None


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


def _settle_metadata(resource: Resource) -> None:
    """Annotations are texts; kustomize writes them so in the end, and drops the map when it is empty."""
    spelled.settle(resource.metadata, ["labels"])
    annotations = resource.metadata.get("annotations")
    if annotations is None or isinstance(annotations, dict):
        kept = {key: text(value) for key, value in (annotations or {}).items()}
        if kept:
            resource.metadata["annotations"] = kept
        else:
            resource.metadata.pop("annotations", None)
