"""Namespaces, labels, annotations, images and replicas: each a function that changes a set of resources in place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gitopsd.plugin import Rejected
from gitopsd_plugins.kustomize.files.kustomization import Image, Replica
from gitopsd_plugins.kustomize.objects.identity import text
from gitopsd_plugins.kustomize.objects.resource import Resource
from gitopsd_plugins.kustomize.objects.resources import Resources
from gitopsd_plugins.kustomize.objects.shared import Place
from gitopsd_plugins.kustomize.references import fieldspec
from gitopsd_plugins.kustomize.references.fieldspec import FieldSpecs

_BINDINGS = {"RoleBinding", "ClusterRoleBinding"}
_SUBJECTS = {
    "defaultOnly": ("name", "default"),
    "allServiceAccounts": ("kind", "ServiceAccount"),
    "none": ("", "-"),
}
_CONTAINERS = ("containers", "initContainers")
_IMAGE_TAIL = r"(:[a-zA-Z0-9_.{}-]*)?(@sha256:[a-zA-Z0-9_.{}-]*)?"


def set_namespace(
    resources: Resources, namespace: str, specs: FieldSpecs, *, unset_only: bool = False, subjects: str = "defaultOnly"
) -> None:
    """Put every namespaced object into the namespace, and subjects of bindings with it: those called "default", all
    service accounts ("allServiceAccounts"), or "none". `unset_only` leaves what has a namespace.
    """
    if subjects not in _SUBJECTS:
        raise Rejected(f"invalid value {subjects!r} for setRoleBindingSubjects: must be one of {', '.join(_SUBJECTS)}")
    edit = _setting_unset(namespace) if unset_only else _setting(namespace)
    for resource in resources:
        resource.remember()
        gvk = resource.gvk
        if not gvk.cluster_wide:
            fieldspec.visit(resource.body, ("metadata", "namespace"), edit, make=str)
        if gvk.kind in _BINDINGS:
            _set_subjects(resource.body.get("subjects"), edit, subjects)
        for steps, create in specs.of(gvk):
            if steps == ("metadata", "namespace") or _is_skipped(resource, steps):
                continue
            fieldspec.visit(resource.body, steps, edit, make=str if create else None)
    resources.changed()
    resources.check_unique()


def _is_skipped(resource: Resource, steps: tuple[str, ...]) -> bool:
    foreign_name = steps == ("metadata", "name") and resource.body.get("apiVersion") != "v1"
    return foreign_name or (steps == ("subjects", "namespace") and resource.kind in _BINDINGS)


def _set_subjects(subjects: Any, edit: Callable[[Any, Any], None], mode: str) -> None:
    field, wanted = _SUBJECTS[mode]
    for subject in subjects if isinstance(subjects, list) else ():
        if isinstance(subject, dict) and subject.get(field) == wanted:
            subject.setdefault("namespace", "")
            edit(subject, "namespace")


def _setting(value: Any) -> Callable[[Any, Any], None]:
    def edit(holder: Any, key: Any) -> None:
        if isinstance(holder[key], dict | list):
            raise Rejected(f"field {key}: a scalar is expected")
        holder[key] = value

    return edit


def _setting_unset(value: Any) -> Callable[[Any, Any], None]:
    edit_any = _setting(value)

    def edit(holder: Any, key: Any) -> None:
        if not text(holder[key]):
            edit_any(holder, key)

    return edit


def set_entries(resources: Resources, entries: Mapping[str, str], specs: FieldSpecs) -> None:
    """Set labels or annotations in every map that the specifications name."""
    ordered = dict(sorted(entries.items()))
    for resource in resources if ordered else ():
        made: dict[str, list[Place]] = {key: [] for key in ordered}
        for steps, create in specs.of(resource.gvk):
            try:
                edit = _entering(resource, ordered, steps, made)
                fieldspec.visit(resource.body, steps, edit, make=dict if create else None)
            except Rejected as error:
                raise Rejected(f"{resource}: {error}") from error
        for places in made.values():
            resource.shared.add(places)


def _entering(
    resource: Resource, entries: Mapping[str, str], steps: tuple[str, ...], made: Mapping[str, list[Place]]
) -> Callable[[Any, Any], None]:
    def edit(holder: Any, key: Any) -> None:
        found = holder[key]
        if not isinstance(found, dict):
            raise Rejected(f"field {key}: a map is expected")
        if "" in entries:
            raise Rejected(f"field {'/'.join(steps)}: an empty key")
        for name, value in entries.items():
            if name not in found:
                made[name].append(Place(steps, found, name))
                found[name] = value
            elif found[name] != value:
                found[name] = value
                resource.shared.spread(found, name)

    return edit


def set_replicas(resources: Resources, replica: Replica, specs: FieldSpecs) -> None:
    """Set the count of every workload that is, or was, called so. Raises `Rejected` when there is none."""
    found = False
    edit = _setting(replica.count)
    for resource in resources:
        ids = [*resource.previous, resource.id]
        for spec in specs.specs:
            if any(i.name == replica.name and i.gvk.selected(spec.gvk) for i in ids):
                found = True
                if resource.gvk.selected(spec.gvk):
                    fieldspec.visit(resource.body, spec.steps, edit, make=str if spec.create else None)
    if not found:
        kinds = ", ".join(spec.gvk.kind for spec in specs.specs)
        raise Rejected(f"no resource is called {replica.name!r} among kinds {kinds}")


def set_images(resources: Resources, images: tuple[Image, ...], specs: FieldSpecs) -> None:
    """Change images wherever containers are, and in the fields of `specs`; definitions are left alone.

    kustomize changes a place once for each way in which it finds it, and a change may apply to its own result (a tag's
    suffix does); so each place counts how often it was found.
    """
    changes = [(re.compile(f"(?:{_pattern(image)}){_IMAGE_TAIL}"), image) for image in images]
    known: dict[tuple[Any, int], Any] = {}
    for resource in resources if changes else ():
        if resource.kind == "CustomResourceDefinition":
            continue
        for holder, key, times in _image_places(resource, specs):
            value = holder[key]
            if isinstance(value, dict | list):
                raise Rejected(f"{resource}: {key} is not a scalar")
            if (value, times) not in known:
                known[value, times] = _changed(value, times, changes)
            holder[key] = known[value, times]


def _image_places(resource: Resource, specs: FieldSpecs) -> Iterable[tuple[Any, Any, int]]:
    """Holder, key, and how often it was found."""
    found: list[tuple[Any, Any]] = []
    _find_containers(resource.body, found)
    for steps, _ in specs.of(resource.gvk):
        fieldspec.visit(resource.body, steps, lambda holder, key: found.append((holder, key)))
    counts = Counter((id(holder), key) for holder, key in found)
    places = {(id(holder), key): (holder, key) for holder, key in found}
    return [(*place, counts[at]) for at, place in places.items()]


def _changed(value: Any, times: int, changes: Sequence[tuple[re.Pattern[str], Image]]) -> Any:
    current = text(value)
    for pattern, image in changes:
        for _ in range(times):
            if pattern.fullmatch(current):
                current = changed_image(current, image)
    return value if current == text(value) else current


def _pattern(image: Image) -> str:
    try:
        re.compile(image.name)
    except re.error as error:
        raise Rejected(f"{image.name!r} is not a name or pattern: {error}") from error
    return image.name


def _find_containers(node: Any, found: list[tuple[Any, Any]]) -> None:
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, dict | list):
                _find_containers(value, found)
                if key in _CONTAINERS and isinstance(value, list):
                    found.extend((item, "image") for item in value if isinstance(item, dict) and "image" in item)
    else:
        for item in node:
            if isinstance(item, dict | list):
                _find_containers(item, found)


def changed_image(current: str, image: Image) -> str:
    """The image reference with the new name, tag and digest; a new tag alone drops the digest, and the reverse."""
    name, tag, digest = split_image(current)
    if image.new_tag or image.digest:
        tag, digest = image.new_tag, image.digest
    elif image.tag_suffix:
        tag, digest = tag + image.tag_suffix, ""
    return (image.new_name or name) + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def split_image(reference: str) -> tuple[str, str, str]:
    """Name, tag and digest; a port of the registry belongs to the name."""
    host, slash, rest = reference.partition("/")
    if not slash or not host:
        host, slash, rest = "", "", reference
    rest, _, digest = rest.partition("@")
    path, _, tag = rest.partition(":")
    return host + slash + path, tag, digest
