"""Transformer configuration: the built-in field specifications, and what `configurations` and `crds` add to them.

What a folder adds holds for itself and for every kustomization that it is part of, as in kustomize.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from gitopsd.plugin import Rejected, Spec, SpecError, yaml
from gitopsd_plugins.kustomize.files.kustomization import Field
from gitopsd_plugins.kustomize.objects import decoding, order
from gitopsd_plugins.kustomize.objects.decoding import Mode
from gitopsd_plugins.kustomize.objects.identity import Gvk
from gitopsd_plugins.kustomize.references import defaults, fieldspec, mentions, referrers
from gitopsd_plugins.kustomize.references.fieldspec import FieldSpec, FieldSpecs
from gitopsd_plugins.kustomize.references.referrers import References

_NONE = FieldSpecs(())


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Where each transformer works."""

    name_prefix: FieldSpecs = _NONE
    name_suffix: FieldSpecs = _NONE
    namespace: FieldSpecs = _NONE
    common_labels: FieldSpecs = _NONE
    labels: FieldSpecs = _NONE
    template_labels: FieldSpecs = _NONE
    common_annotations: FieldSpecs = _NONE
    images: FieldSpecs = _NONE
    replicas: FieldSpecs = _NONE
    var_reference: FieldSpecs = _NONE
    references: tuple[References, ...] = ()

    def merged(self, other: Config) -> Config:
        """Both together. Raises `Rejected` where they contradict each other."""
        if other is self or other is EMPTY:
            return self
        if self is EMPTY and other is DEFAULT:
            return other
        lists = {name: _joined(getattr(self, name), getattr(other, name)) for name in _LISTS}
        return replace(self, **lists, references=_merged_references(self.references, other.references))


def _joined(ours: FieldSpecs, theirs: FieldSpecs) -> FieldSpecs:
    """Sorted by kind, because a later merge drops what an earlier, more special one of the same path stands for."""
    return FieldSpecs(sorted(fieldspec.merged(ours.specs, theirs.specs), key=lambda s: order.kind_rank(s.gvk)))


def _merged_references(ours: tuple[References, ...], theirs: tuple[References, ...]) -> tuple[References, ...]:
    known = {r.target: r for r in ours}
    for added in theirs:
        before = known.get(added.target)
        together = tuple(fieldspec.merged(before.fields, added.fields)) if before else added.fields
        known[added.target] = References(added.target, together)
    return tuple(sorted(known.values(), key=lambda r: order.kind_rank(r.target)))


EMPTY = Config()
DEFAULT = Config(
    name_prefix=FieldSpecs(defaults.NAMES),
    name_suffix=FieldSpecs(defaults.NAMES),
    namespace=FieldSpecs(defaults.NAMESPACES),
    common_labels=FieldSpecs(defaults.COMMON_LABELS),
    template_labels=FieldSpecs(defaults.TEMPLATE_LABELS),
    common_annotations=FieldSpecs(defaults.COMMON_ANNOTATIONS),
    images=FieldSpecs(defaults.IMAGES),
    replicas=FieldSpecs(defaults.REPLICAS),
    var_reference=FieldSpecs(mentions.MENTIONS),
    references=referrers.REFERENCES,
)


class _Reference(Spec, frozen=True, kw_only=True):
    kind: str = ""
    group: str = ""
    version: str = ""
    field_specs: tuple[Field, ...] = ()


class _File(Spec, frozen=True, kw_only=True):
    name_prefix: tuple[Field, ...] = ()
    name_suffix: tuple[Field, ...] = ()
    namespace: tuple[Field, ...] = ()
    common_labels: tuple[Field, ...] = ()
    labels: tuple[Field, ...] = ()
    template_labels: tuple[Field, ...] = ()
    common_annotations: tuple[Field, ...] = ()
    name_reference: tuple[_Reference, ...] = ()
    var_reference: tuple[Field, ...] = ()
    images: tuple[Field, ...] = ()
    replicas: tuple[Field, ...] = ()


def read(data: bytes, file: str) -> Config:
    """Decode one file of `configurations`. Raises `Rejected` naming file and field."""
    try:
        document = yaml.read(data, file=file)
        found = decoding.decode({} if document is None else document, _File, Mode.WORDED)
    except yaml.YamlError as error:
        raise Rejected(str(error)) from error
    except SpecError as error:
        raise Rejected(f"{file}: {'.'.join(map(str, error.path))}: {error}") from error
    lists = {name: _specs(getattr(found, name)) for name in _LISTS}
    references = tuple(
        References(Gvk(r.group, r.version, r.kind), tuple(map(as_spec, r.field_specs))) for r in found.name_reference
    )
    return Config(**lists, references=references)


_LISTS = tuple(f.name for f in fields(Config) if f.name != "references")


def _specs(found: tuple[Field, ...]) -> FieldSpecs:
    return FieldSpecs(map(as_spec, found))


def as_spec(found: Field) -> FieldSpec:
    """A field specification as users write it."""
    return FieldSpec(found.path, Gvk(found.group, found.version, found.kind), found.create)
