"""Patches: strategic merge and JSON 6902, in place or from files, for one object or for all that a target selects."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gitopsd.plugin import Rejected, yaml
from gitopsd_plugins.kustomize.files import documents
from gitopsd_plugins.kustomize.files.kustomization import Patch, PatchOptions
from gitopsd_plugins.kustomize.files.loader import Loader
from gitopsd_plugins.kustomize.objects import spelled
from gitopsd_plugins.kustomize.objects.identity import text
from gitopsd_plugins.kustomize.objects.resource import Resource
from gitopsd_plugins.kustomize.objects.resources import Resources
from gitopsd_plugins.kustomize.objects.shared import Shared
from gitopsd_plugins.kustomize.references.selector import Selector
from gitopsd_plugins.kustomize.transforms import jsonpatch, merge
from gitopsd_plugins.kustomize.transforms.jsonpatch import Operation

_INLINE = "inline patch"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A patch that was read: objects to merge, or operations. `source` is for messages."""

    source: str
    objects: tuple[Resource, ...] = ()
    operations: tuple[Operation, ...] = ()


def apply(resources: Resources, patch: Patch, loader: Loader) -> None:
    """Apply one entry of `patches`. Raises `Rejected` naming the file of the patch, where it has one."""
    source, content = _content(patch, loader)
    loaded = _parsed(content, source)
    options = patch.options or PatchOptions()
    with _named(source):
        if loaded.operations:
            _apply_operations(resources, loaded, patch)
        elif patch.target is not None:
            _merge_selected(resources, loaded, patch, options)
        else:
            for wanted in loaded.objects:
                _merge_into(resources, resources.one_known_as(wanted.original), wanted, options, keep_version=False)
    if options.allow_name_change or options.allow_kind_change:
        resources.changed()
    resources.keep(lambda r: bool(r.body))


@contextmanager
def _named(source: str) -> Iterator[None]:
    """Name the file of a patch in errors; one in place is named by whoever knows the kustomization file."""
    try:
        yield
    except Rejected as error:
        if source == _INLINE:
            raise
        raise Rejected(f"{source}: {error}") from error


def apply_strategic(resources: Resources, entries: Sequence[str], loader: Loader) -> None:
    """Apply `patchesStrategicMerge`: each entry a file, or a patch itself."""
    for entry in entries:
        inline = "\n" in entry or ":" in entry
        source = _INLINE if inline else loader.shown(entry)
        found = documents.read(entry if inline else loader.read(entry), source, patch=True)
        if not found:
            raise Rejected(f"{source}: patch appears to be empty")
        for wanted in found:
            with _named(source):
                target = resources.one_known_as(wanted.original)
                _merge_into(resources, target, wanted, PatchOptions(), keep_version=True)
            resources.keep(lambda r: bool(r.body))
            resources.check_unique()


def apply_json(resources: Resources, patch: Patch, loader: Loader) -> None:
    """Apply one entry of `patchesJson6902`, which must name its target."""
    if patch.target is None or not patch.target.name:
        raise Rejected("must specify the target name")
    source, content = _content(patch, loader)
    operations = _operations(_documents(content, source), source)
    for resource in Selector.of(patch.target).among(resources):
        with _named(source):
            _patch_body(resource, operations, annotated=bool(resource.history))
    resources.changed()


def _content(patch: Patch, loader: Loader) -> tuple[str, bytes | str]:
    inline = patch.patch.strip()
    if bool(inline) == bool(patch.path):
        raise Rejected("an entry must have either patch or path" + (", not both" if inline else ""))
    return (_INLINE, inline) if inline else (loader.shown(patch.path), loader.read(patch.path))


def _documents(content: bytes | str, source: str) -> list[yaml.Document]:
    """The documents of a patch; what begins like a JSON list must be JSON."""
    found = documents.documents(content, source, yaml.KUBERNETES)
    if content[:1] in {"[", b"["}:
        try:
            json.loads(content)
        except ValueError as error:
            raise Rejected(
                f"{source}: a JSON patch in one pair of brackets must be JSON, with names and texts in quotes; "
                "or write one operation a line, as YAML"
            ) from error
    return found


def _parsed(content: bytes | str, source: str) -> Loaded:
    found = _documents(content, source)
    if found and isinstance(found[0].value, list):
        return Loaded(source, operations=tuple(jsonpatch.operations(found[0].value, source)))
    return Loaded(source, objects=tuple(documents.read(content, source, patch=True)))


def _operations(found: Sequence[Any], source: str) -> tuple[Operation, ...]:
    operations = tuple(jsonpatch.operations(found[0].value, source)) if found else ()
    if not operations:
        raise Rejected(f"{source}: patch appears to be empty")
    return operations


def _apply_operations(resources: Resources, loaded: Loaded, patch: Patch) -> None:
    if patch.target is None:
        raise Rejected("must specify a target for JSON patch")
    for resource in Selector.of(patch.target).among(resources):
        resource.remember()
        _patch_body(resource, loaded.operations, annotated=True)
    resources.changed()


def _patch_body(resource: Resource, operations: Sequence[Operation], *, annotated: bool) -> None:
    """kustomize keeps its notes in annotations, so that a patch finds the map there where an object has been changed."""
    spelled.settle(resource.metadata)
    annotations = resource.metadata.get("annotations")
    made = annotated and annotations is None
    if made:
        resource.metadata["annotations"] = {}
    try:
        body = jsonpatch.apply(resource.body, list(operations))
    except Rejected as error:
        raise Rejected(f"{resource}: {error}") from error
    if not isinstance(body, dict):
        raise Rejected(f"{resource}: the patch makes it something that is not an object")
    resource.body = body
    resource.blanks, resource.shared = (), Shared()
    left = resource.metadata.get("annotations")
    if (made and not left) or not isinstance(left, dict):
        resource.metadata.pop("annotations", None)


def _merge_selected(resources: Resources, loaded: Loaded, patch: Patch, options: PatchOptions) -> None:
    if len(loaded.objects) > 1:
        raise Rejected("multiple strategic merge patches in one entry cannot have a target; write one entry for each")
    assert patch.target is not None
    for resource in Selector.of(patch.target).among(resources) if loaded.objects else ():
        wanted = loaded.objects[0]
        body, hints, blanks = copy.deepcopy((wanted.body, wanted.hints, wanted.blanks))
        _merge_into(resources, resource, Resource(body, hints=hints, blanks=blanks), options, keep_version=True)
    resources.keep(lambda r: bool(r.body))
    resources.check_unique()


def _merge_into(
    resources: Resources, target: Resource, patch: Resource, options: PatchOptions, *, keep_version: bool
) -> None:
    name, namespace, kind = target.name, target.namespace, target.kind
    if options.allow_name_change or options.allow_kind_change:
        target.remember()
    if keep_version:
        patch.body["apiVersion"] = target.body.get("apiVersion")
        _as_texts(patch)
    if target.blanks:
        merge.drop_blanks(target.body, target.blanks, resources.types)
    hints = (*target.hints, *patch.hints)
    types = resources.types.hinted(hints) if hints else resources.types
    before = target.shared.values()
    body = merge.merge(target.body, patch.body, types)
    target.shared.settle(before)
    target.body = body or {}
    if not body:
        return
    if not options.allow_kind_change:
        body["kind"] = kind
    if not options.allow_name_change:
        target.name = name
    target.namespace = namespace


def _as_texts(patch: Resource) -> None:
    """Labels and annotations of a patch as kustomize has them where it copies it: all texts, null is the word."""
    blanks = {(id(holder), key) for holder, key in patch.blanks}
    for field in ("labels", "annotations"):
        found = patch.metadata.get(field)
        if isinstance(found, dict) and found:
            patch.metadata[field] = {
                key: "null" if value is None and (id(found), key) not in blanks else text(value)
                for key, value in found.items()
            }
        elif field in patch.metadata:
            del patch.metadata[field]
