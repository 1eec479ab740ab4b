"""Replacements: a value of one object, or a given one, written into fields of others.

A scalar that is written into a scalar takes over its text only, so that a text stays a text; what is created or was null
becomes what its text says. A path may go on inside a text that is JSON or YAML itself: the text is read, changed, and
written again.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from gitopsd.plugin import Rejected
from gitopsd_plugins.kustomize.files import kustomization
from gitopsd_plugins.kustomize.files.kustomization import (
    FieldOptions,
    Replacement,
    ReplacementSource,
    ReplacementTarget,
    Target,
)
from gitopsd_plugins.kustomize.files.loader import Loader
from gitopsd_plugins.kustomize.objects import spelled
from gitopsd_plugins.kustomize.objects.identity import Gvk, effective, text
from gitopsd_plugins.kustomize.objects.resource import Resource
from gitopsd_plugins.kustomize.objects.resources import Resources
from gitopsd_plugins.kustomize.references import fieldpath, inlined, selector
from gitopsd_plugins.kustomize.references.selector import Selector

_NAME = "metadata.name"
_NO_OPTIONS = FieldOptions()


def apply_all(resources: Resources, entries: Iterable[Replacement], loader: Loader) -> None:
    """Carry out all replacements, those in files too. Raises `Rejected` naming source, target or path."""
    for entry in entries:
        if entry.path and (entry.source is not None or entry.targets):
            raise Rejected("cannot specify both path and inline replacement")
        found = (entry,) if not entry.path else _in_file(entry.path, loader)
        for replacement in found:
            apply(resources, replacement)


def _in_file(path: str, loader: Loader) -> tuple[Replacement, ...]:
    return kustomization.read_replacements(loader.read(path), loader.shown(path))


def apply(resources: Resources, replacement: Replacement) -> None:
    """Carry out one replacement. Raises `Rejected` naming source, target or path."""
    if (replacement.source is None and replacement.source_value is None) or not replacement.targets:
        raise Rejected("must specify a source and at least one target")
    if replacement.source is not None and replacement.source_value is not None:
        raise Rejected("source and sourceValue are mutually exclusive")
    value = replacement.source_value if replacement.source is None else _source_value(resources, replacement.source)
    for target in replacement.targets:
        _apply_to(resources, target, value)
    resources.changed()


def _source_value(resources: Resources, source: ReplacementSource) -> Any:
    path = source.field_path or _NAME
    resource = _source(resources, source)
    value = spelled.plain(fieldpath.get(resource.body, fieldpath.split(path)))
    if value is None or value in ({}, []):
        raise Rejected(f"fieldPath `{path}` is missing for replacement source {resource}")
    options = source.options or _NO_OPTIONS
    if not options.delimiter:
        return value
    if isinstance(value, dict | list):
        raise Rejected("delimiter option can only be used with scalar nodes")
    parts = text(value).split(options.delimiter)
    if not 0 <= options.index < len(parts):
        raise Rejected(f"options.index {options.index} is out of bounds for the value at `{path}` of {resource}")
    return parts[options.index] if isinstance(value, str) else inlined.resolved(parts[options.index])


def _source(resources: Resources, source: ReplacementSource) -> Resource:
    wanted = Gvk(source.group, source.version, source.kind)
    found = [r for r in resources if any(_is_source(i, wanted, source) for i in _ids(r))]
    if len(found) != 1:
        sort = "multiple matches for" if found else "nothing selected by"
        raise Rejected(f"{sort} the source {wanted}/{source.name or '*'}.{source.namespace or '*'}")
    return found[0]


def _is_source(identity: tuple[Gvk, str, str], wanted: Gvk, source: ReplacementSource) -> bool:
    gvk, name, namespace = identity
    if not gvk.selected(wanted) or (source.name and source.name != name):
        return False
    return not source.namespace or effective(gvk, namespace) == effective(wanted, source.namespace)


def _ids(resource: Resource) -> list[tuple[Gvk, str, str]]:
    """What it is and was, the namespace of today as written."""
    return [
        (resource.gvk, resource.name, resource.namespace),
        *((i.gvk, i.name, i.namespace) for i in resource.previous),
    ]


def _apply_to(resources: Resources, target: ReplacementTarget, value: Any) -> None:
    if target.select is None:
        raise Rejected("target must specify resources to select")
    wanted = Selector.of(target.select)
    rejected = [(Selector.of(reject), reject) for reject in target.reject]
    for resource in resources:
        if not _labelled(wanted, resource) or _is_rejected(rejected, resource):
            continue
        if any(wanted.names(*identity) for identity in _ids(resource)):
            for path in target.field_paths or (_NAME,):
                _write(resource, path, value, target.options or _NO_OPTIONS)


def _labelled(wanted: Selector, resource: Resource) -> bool:
    return selector.meets(wanted.labels, resource.labels()) and selector.meets(
        wanted.annotations, resource.labels("annotations")
    )


def _is_rejected(rejected: list[tuple[Selector, Target]], resource: Resource) -> bool:
    for compiled, reject in rejected:
        if (reject.label_selector or reject.annotation_selector) and _labelled(compiled, resource):
            return True
        named = reject.group or reject.version or reject.kind or reject.name or reject.namespace
        if named and any(compiled.names(*identity) for identity in _ids(resource)):
            return True
    return False


def _write(resource: Resource, path: str, value: Any, options: FieldOptions) -> None:
    create = ("" if not isinstance(value, dict | list) else value) if options.create else None
    parts = fieldpath.split(path)
    try:
        if _write_inside_text(resource, parts, value, create):
            return
        found = fieldpath.places({"": resource.body}, "", parts, create)
    except Rejected as error:
        raise Rejected(f"{_not_found(path, create, resource)}: {error}") from error
    if not found:
        raise Rejected(_not_found(path, create, resource))
    for holder, key in found:
        holder[key] = _replaced(holder[key], value, options)
        resource.shared.spread(holder, key)


def _not_found(path: str, create: Any, resource: Resource) -> str:
    return f"unable to find {'or create ' if create is not None else ''}field {path!r} in replacement target {resource}"


def _replaced(old: Any, value: Any, options: FieldOptions) -> Any:
    if options.delimiter:
        if isinstance(old, dict | list):
            raise Rejected("delimiter option can only be used with scalar nodes")
        value = _spliced(text(old).split(options.delimiter), text(value), options)
    if isinstance(old, dict | list):
        return copy.deepcopy(value)
    return inlined.scalar(old, text(value))


def _spliced(parts: list[str], value: str, options: FieldOptions) -> str:
    if options.index < 0:
        parts.insert(0, value)
    elif options.index >= len(parts):
        parts.append(value)
    else:
        parts[options.index] = value
    return options.delimiter.join(parts)


def _write_inside_text(resource: Resource, parts: list[str], value: Any, create: Any) -> bool:
    """True when the path went on inside a text, and the value was written there."""
    for length in range(1, len(parts)):
        try:
            found = fieldpath.get(resource.body, parts[:length])
        except Rejected:
            continue
        if not isinstance(found, str):
            continue
        changed = inlined.changed(found, parts[length:], value, create)
        if changed is not None:
            ((holder, key),) = fieldpath.places({"": resource.body}, "", parts[:length])
            holder[key] = changed
        return changed is not None
    return False
