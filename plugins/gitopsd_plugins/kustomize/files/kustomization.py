"""The kustomization file: its fields, decoded strictly, old spellings turned into today's.

Every field that kustomize knows is decoded; those that would run a program are refused by name, never ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gitopsd.plugin import Rejected, Spec, SpecError, yaml
from gitopsd_plugins.kustomize.objects import decoding

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
CONFIG_GROUP = "kustomize.config.k8s.io"
KIND, COMPONENT = "Kustomization", "Component"


class Target(Spec, frozen=True, kw_only=True):
    """Which resources something is for; all parts but the selectors are anchored regular expressions."""

    group: str = ""
    version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    label_selector: str = ""
    annotation_selector: str = ""


class PatchOptions(Spec, frozen=True, kw_only=True):
    """What a strategic merge patch may change beside the content."""

    allow_name_change: bool = False
    allow_kind_change: bool = False


class Patch(Spec, frozen=True, kw_only=True):
    """A patch, in place or in a file."""

    path: str = ""
    patch: str = ""
    target: Target | None = None
    options: PatchOptions | None = None


class Image(Spec, frozen=True, kw_only=True):
    """A change to every image called `name`."""

    name: str = ""
    new_name: str = ""
    new_tag: str = ""
    tag_suffix: str = ""
    digest: str = ""


class Replica(Spec, frozen=True, kw_only=True):
    """How many replicas the workload called `name` has."""

    name: str = ""
    count: int = 0


class Field(Spec, frozen=True, kw_only=True):
    """A field specification as users write it."""

    path: str = ""
    group: str = ""
    version: str = ""
    kind: str = ""
    create: bool = False


class Label(Spec, frozen=True, kw_only=True):
    """Labels to set, and where."""

    pairs: dict[str, str] = msgspec.field(default_factory=dict)
    include_selectors: bool = False
    include_templates: bool = False
    fields: tuple[Field, ...] = ()


class GeneratorOptions(Spec, frozen=True, kw_only=True):
    """How generated objects look."""

    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    disable_name_suffix_hash: bool = False
    immutable: bool = False


class Generator(Spec, frozen=True, kw_only=True):
    """A ConfigMap or Secret made of files, env files and literals; `type` is for Secrets only."""

    name: str = ""
    namespace: str = ""
    behavior: str = ""
    literals: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    envs: tuple[str, ...] = ()
    env: str = ""
    type: str = ""
    options: GeneratorOptions | None = None


class FieldOptions(Spec, frozen=True, kw_only=True):
    """Which part of a text a replacement takes or changes, and whether it creates what is missing."""

    delimiter: str = ""
    index: int = 0
    encoding: str = ""
    create: bool = False


class ReplacementSource(Spec, frozen=True, kw_only=True):
    """The one object, and its field, that a value comes from."""

    group: str = ""
    version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    field_path: str = ""
    options: FieldOptions | None = None


class ReplacementTarget(Spec, frozen=True, kw_only=True):
    """Objects and their fields that a value goes to."""

    select: Target | None = None
    reject: tuple[Target, ...] = ()
    field_paths: tuple[str, ...] = ()
    options: FieldOptions | None = None


class Replacement(Spec, frozen=True, kw_only=True):
    """One value and where it goes; or the file that says so."""

    source: ReplacementSource | None = None
    source_value: str | None = None
    targets: tuple[ReplacementTarget, ...] = ()
    path: str = ""


class _Replacements(Spec, frozen=True, kw_only=True):
    replacements: tuple[Replacement, ...] = ()


class VariableObject(Spec, frozen=True, kw_only=True):
    """The object that a variable's value comes from."""

    api_version: str = ""
    group: str = ""
    version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""


class VariableField(Spec, frozen=True, kw_only=True):
    """The field of it; its name when nothing is said."""

    field_path: str = ""


class Variable(Spec, frozen=True, kw_only=True):
    """A value that others mention as `$(NAME)`."""

    name: str = ""
    objref: VariableObject = VariableObject()
    fieldref: VariableField = VariableField()


class LegacySort(Spec, frozen=True, kw_only=True):
    """Kinds that go first and last."""

    order_first: tuple[str, ...] = ()
    order_last: tuple[str, ...] = ()


class SortOptions(Spec, frozen=True, kw_only=True):
    """The order of the output."""

    order: str = ""
    legacy_sort_options: LegacySort | None = None


class Metadata(Spec, frozen=True, kw_only=True):
    """What a kustomization says about itself; nothing comes of it."""

    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class Kustomization(Spec, frozen=True, kw_only=True):
    """A whole file; a Component has the same fields."""

    api_version: str = ""
    kind: str = ""
    metadata: Metadata | None = None
    resources: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    name_prefix: str = ""
    name_suffix: str = ""
    namespace: str = ""
    common_labels: dict[str, str] = msgspec.field(default_factory=dict)
    labels: tuple[Label, ...] = ()
    common_annotations: dict[str, str] = msgspec.field(default_factory=dict)
    patches: tuple[Patch, ...] = ()
    patches_strategic_merge: tuple[str, ...] = ()
    patches_json6902: tuple[Patch, ...] = ()
    images: tuple[Image, ...] = ()
    image_tags: tuple[Image, ...] = ()
    replicas: tuple[Replica, ...] = ()
    config_map_generator: tuple[Generator, ...] = ()
    secret_generator: tuple[Generator, ...] = ()
    generator_options: GeneratorOptions | None = None
    sort_options: SortOptions | None = None
    replacements: tuple[Replacement, ...] = ()
    vars: tuple[Variable, ...] = ()
    crds: tuple[str, ...] = ()
    configurations: tuple[str, ...] = ()
    generators: tuple[str, ...] = ()
    transformers: tuple[str, ...] = ()
    validators: tuple[str, ...] = ()
    openapi: dict[str, str] = msgspec.field(default_factory=dict)
    build_metadata: tuple[str, ...] = ()
    helm_globals: dict[str, Any] | None = None
    helm_charts: tuple[dict[str, Any], ...] = ()
    helm_chart_inflation_generator: tuple[dict[str, Any], ...] = ()


_REFUSED = (
    "helm_charts",
    "helm_chart_inflation_generator",
)
_DEPRECATED = {
    "bases": "resources",
    "common_labels": "labels",
    "image_tags": "images",
    "patches_json6902": "patches",
    "patches_strategic_merge": "patches",
    "vars": "replacements",
}
_KNOWN = frozenset(f.encode_name.lower() for f in msgspec.structs.fields(Kustomization))
_ENCODED = {f.name: f.encode_name for f in msgspec.structs.fields(Kustomization)}


def read(data: bytes, file: str, *, component: bool | None = False, tolerant: bool = False) -> Kustomization:
    """Decode a file, of which the first document alone counts. Raises `Rejected` naming file, line and field.

    `component` says whether it must be one; None takes both. Of equal keys the last wins, as in kustomize. `tolerant`
    reads it as Flux reads the file that it lays something over: it may say nothing, and unknown fields are passed over.
    """
    try:
        document = yaml.read_first(data, file=file, unique_keys=False)
    except yaml.YamlError as error:
        raise Rejected(str(error)) from error
    if document is None and not tolerant:
        raise Rejected(f"{file}: kustomization.yaml is empty")
    document = {} if document is None else document
    if not isinstance(document, dict):
        raise Rejected(f"{file}: invalid Kustomization: a map is expected")
    if tolerant:
        document = {key: value for key, value in document.items() if key.lower() in _KNOWN}
    try:
        found = decoding.decode(document, Kustomization)
    except SpecError as error:
        raise Rejected(
            f"{_place(data, file, error.path)}: invalid Kustomization: {_dotted(error.path)}{error}"
        ) from error
    if not tolerant and not _says_something(document):
        raise Rejected(f"{file}: kustomization.yaml is empty")
    _check(found, file, component=component)
    return found


def _says_something(document: dict[str, Any]) -> bool:
    """False for a file of nothing but its kind; an empty list or map says something, as in kustomize."""
    said = (value for key, value in document.items() if key.lower() not in {"apiversion", "kind"})
    return any(isinstance(value, list | dict) or bool(value) for value in said)


def unknown(data: bytes) -> list[str]:
    """The fields at the top of a readable file that nobody knows."""
    document = yaml.read_first(data, unique_keys=False)
    return [key for key in document or () if key.lower() not in _KNOWN]


def deprecations(found: Kustomization, file: str) -> list[str]:
    """A sentence for each field that has a successor."""
    return [
        f"{file}: '{_ENCODED[old]}' is deprecated; use '{new}' instead"
        for old, new in _DEPRECATED.items()
        if getattr(found, old)
    ]


def _check(found: Kustomization, file: str, *, component: bool | None) -> None:
    kind = found.kind or KIND
    if kind not in {KIND, COMPONENT}:
        raise Rejected(f"{file}: kind should be {KIND} or {COMPONENT}, it is {kind}")
    version = f"{CONFIG_GROUP}/{'v1alpha1' if kind == COMPONENT else 'v1beta1'}"
    if found.api_version and found.api_version != version:
        raise Rejected(f"{file}: apiVersion for {kind} should be {version}, it is {found.api_version}")
    if component and kind != COMPONENT:
        raise Rejected(f"{file}: listed in components, so its kind must be {COMPONENT}, not {kind}")
    if component is False and kind == COMPONENT:
        raise Rejected(f"{file}: is a {COMPONENT}; list it in components, not in resources")
    for name in _REFUSED:
        if getattr(found, name):
            raise Rejected(
                f'{file}: field "{_ENCODED[name]}" would run helm, and no program is run from a repository; '
                "declare a HelmRelease, or render the chart before it is committed"
            )


def _place(data: bytes, file: str, path: Sequence[str | int]) -> str:
    return f"{file}:{yaml.locate(data, path)[0]}" if path else file


def _dotted(path: Sequence[str | int]) -> str:
    return f"{'.'.join(map(str, path))}: " if path else ""


def read_replacements(data: bytes, file: str) -> tuple[Replacement, ...]:
    """Decode a file of one replacement or a list of them. Raises `Rejected` naming file and field."""
    try:
        document = yaml.read(data, file=file, unique_keys=False)
        items = document if isinstance(document, list) else [document]
        return decoding.decode({"replacements": items}, _Replacements).replacements
    except yaml.YamlError as error:
        raise Rejected(str(error)) from error
    except SpecError as error:
        raise Rejected(f"{file}: {_dotted(error.path[1:])}{error}") from error
