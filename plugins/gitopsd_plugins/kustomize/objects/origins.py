"""`buildMetadata`: where each object came from and what was done to it, noted in annotations on the way as kustomize does.

Paths are relative to the folder that is built, or to the repository that they are in. The notes are kept as soon as the top kustomization asks for any of them,
because an object without an origin counts as made by whatever touches it first; what was not asked for is dropped at the
end.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from gitopsd.plugin import Rejected, yaml
from gitopsd_plugins.kustomize.objects import address
from gitopsd_plugins.kustomize.objects.resource import Resource

ORIGIN = "config.kubernetes.io/origin"
CHANGES = "alpha.config.kubernetes.io/transformations"
MANAGED_BY = "app.kubernetes.io/managed-by"
VERSION = "kustomize-v5.8.1"
_OPTIONS = {"originAnnotations": ORIGIN, "transformerAnnotations": CHANGES}
Origin = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A path from the built folder on ('' is that folder itself), or in a repository at a revision."""

    path: str = ""
    repository: str = ""
    revision: str = ""

    @property
    def elsewhere(self) -> Origin:
        """What of it says that it is not here."""
        found = {"repo": self.repository, "ref": self.revision}
        return {key: value for key, value in found.items() if value}


TOP = Place()


def joined(folder: Place, relative: str) -> Place:
    """Something named in a folder, taken textually as kustomize does."""
    if found := address.repository(relative):
        return Place(path=_clean(found.origin), repository=found.clone, revision=found.revision)
    return replace(folder, path=_clean(posixpath.join(folder.path, relative)))


def _clean(path: str) -> str:
    found = posixpath.normpath(path)
    return "" if found == "." else found


def of_file(place: Place) -> Origin:
    """The origin of an object that stands in a file."""
    return {"path": place.path, **place.elsewhere}


def of_field(file: Place, kind: str) -> Origin:
    """The origin of what a field of the kustomization `file` makes, which is a built-in plugin of this kind."""
    made_by = {"configuredIn": file.path, "configuredBy": {"apiVersion": "builtin", "kind": kind}}
    return {**file.elsewhere, **made_by}


def of_plugin(plugin: Resource) -> Origin | None:
    """The origin of what a plugin makes; None where its own is not known."""
    own = _read(plugin, ORIGIN)
    if not isinstance(own, dict):
        return None
    names = {"apiVersion": plugin.body.get("apiVersion"), "kind": plugin.kind, "name": plugin.name}
    if plugin.namespace:
        names["namespace"] = plugin.namespace
    elsewhere = {key: own[key] for key in ("repo", "ref") if own.get(key)}
    where = {"configuredIn": own["path"]} if own.get("path") else {}
    return {**elsewhere, **where, "configuredBy": {key: value for key, value in names.items() if value}}


def set_file(resources: Iterable[Resource], place: Place) -> None:
    """Note the file that objects were read from, whatever they say themselves."""
    for resource in resources:
        _annotate(resource, ORIGIN, yaml.write(of_file(place)))


def set_maker(resources: Iterable[Resource], origin: Origin) -> None:
    """Note what generated objects, where they have no origin yet."""
    for resource in resources:
        if ORIGIN not in resource.labels("annotations"):
            _annotate(resource, ORIGIN, yaml.write(origin))


def note_change(resources: Iterable[Resource], origin: Origin) -> None:
    """Note a transformer that ran over objects; one that has no origin was made by it."""
    for resource in resources:
        annotations = resource.labels("annotations")
        if ORIGIN in annotations:
            _annotate(resource, CHANGES, annotations.get(CHANGES, "") + yaml.write([origin]))
        else:
            _annotate(resource, ORIGIN, yaml.write(origin))


def finished(resource: Resource, options: Collection[str]) -> None:
    """Drop the notes that `buildMetadata` does not ask for, and set the label that it may ask for."""
    wanted = {_OPTIONS[option] for option in options if option in _OPTIONS}
    annotations: Any = resource.metadata.get("annotations")
    for key in (ORIGIN, CHANGES) if isinstance(annotations, dict) else ():
        if key not in wanted:
            annotations.pop(key, None)
    if "managedByLabel" in options:
        _annotate(resource, MANAGED_BY, VERSION, field="labels")


def _annotate(resource: Resource, key: str, value: str, *, field: str = "annotations") -> None:
    found = resource.metadata.get(field)
    if found is None:
        found = resource.metadata[field] = {}
    if not isinstance(found, dict):
        raise Rejected(f"{resource}: metadata.{field} must be a map")
    found[key] = value


def _read(resource: Resource, key: str) -> Any:
    written = resource.labels("annotations").get(key)
    try:
        return yaml.read(written, dialect=yaml.KUSTOMIZE) if written else None
    except yaml.YamlError as error:
        raise Rejected(f"{resource}: annotation {key}: {error}") from error
