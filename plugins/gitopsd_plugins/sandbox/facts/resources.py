"""Which resources the server has: built-in ones from the type table, and those that custom resource definitions add.

Knows names, scopes, verbs and versions; it knows no objects and no HTTP. Lookups are by URL segments and by kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from gitopsd_plugins.sandbox.facts import type_table
from gitopsd_plugins.sandbox.facts.schema import ANY, Json, Schema

ALL_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subresource:
    """`status`, `scale`, ...; the kind that it speaks."""

    name: str
    kind: str
    group: str = ""
    version: str = ""
    verbs: tuple[str, ...] = ("get", "patch", "update")


@dataclass(frozen=True, kw_only=True, eq=False)
class Resource:
    """One version of one resource, for example `apps/v1 deployments`."""

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool
    verbs: tuple[str, ...] = ALL_VERBS
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: dict[str, Subresource] = field(default_factory=dict)
    type_name: str = ""
    """The type of a built-in resource's objects; '' for a custom one."""
    own_schema: Schema = ANY
    """The schema of a custom resource."""
    storage_version: str = ""
    """The version in which objects are kept; '' for this one."""
    custom: bool = False
    scale: Json | None = None
    """The paths of a custom resource's scale subresource."""
    columns: tuple[Json, ...] = ()
    declared: Json | None = None
    """The OpenAPI schema of a custom resource, as its definition has it."""
    selectable: tuple[str, ...] = ()
    """Fields, beside name and namespace, that a field selector may name."""

    @cached_property
    def schema(self) -> Schema:
        """What its objects look like. Those of built-in resources are made when they are first asked for."""
        return type_table.table().schema(self.type_name) if self.type_name else self.own_schema

    @cached_property
    def key(self) -> tuple[str, str]:
        """Identifies the collection that all versions share."""
        return self.group, self.plural

    @cached_property
    def api_version(self) -> str:
        """As objects carry it: `v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def kind_text(self) -> str:
        """As Go prints a group, version and kind: `apps/v1, Kind=Deployment`."""
        return f"{self.group}/{self.version}, Kind={self.kind}"

    @cached_property
    def stored_api_version(self) -> str:
        """The `apiVersion` of objects as they are kept."""
        version = self.storage_version or self.version
        return f"{self.group}/{version}" if self.group else version


SELECTABLE = {
    ("", "pods"): (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
    ),
    ("", "events"): (
        "involvedObject.kind",
        "involvedObject.name",
        "involvedObject.namespace",
        "involvedObject.uid",
        "reason",
        "type",
    ),
    ("", "secrets"): ("type",),
    ("", "namespaces"): ("status.phase",),
    ("", "nodes"): ("spec.unschedulable",),
    ("", "services"): ("spec.clusterIP", "spec.type"),
    ("apps", "replicasets"): ("status.replicas",),
    ("batch", "jobs"): ("status.successful",),
}


class Resources:
    """The resources that are served now. Groups and versions keep the server's order of preference."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, dict[str, Resource]]] = {}
        self.reset()

    def reset(self) -> None:
        """Serve the built-in resources only."""
        self._groups.clear()
        for resource in built_in():
            self.add(resource)

    def add(self, resource: Resource) -> None:
        """Serve a resource, replacing the same version of it."""
        self._groups.setdefault(resource.group, {}).setdefault(resource.version, {})[resource.plural] = resource

    def remove(self, group: str, plural: str) -> None:
        """Stop serving all versions of a resource; groups and versions without resources vanish."""
        versions = self._groups.get(group, {})
        for version in list(versions):
            versions[version].pop(plural, None)
            if not versions[version]:
                del versions[version]
        if not versions:
            self._groups.pop(group, None)

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource at `/apis/GROUP/VERSION/PLURAL`."""
        return self._groups.get(group, {}).get(version, {}).get(plural)

    def any_version(self, group: str, plural: str) -> Resource | None:
        """The resource in its most preferred version."""
        return next((found[plural] for found in self._groups.get(group, {}).values() if plural in found), None)

    def groups(self) -> list[str]:
        """All groups; '' is the core group."""
        return list(self._groups)

    def versions(self, group: str) -> list[str]:
        """The versions of a group, preferred first."""
        return list(self._groups.get(group, {}))

    def of_version(self, group: str, version: str) -> list[Resource]:
        """All resources of a group's version, by name."""
        return [resource for _, resource in sorted(self._groups.get(group, {}).get(version, {}).items())]


def built_in() -> Iterator[Resource]:
    """Every built-in resource of the type table."""
    for group in type_table.table().groups:
        storage = next(iter(group["versions"]))
        for version, entries in group["versions"].items():
            yield from _of_version(group["group"], version, entries, storage)


def _of_version(group: str, version: str, entries: Iterable[Json], storage: str) -> Iterator[Resource]:
    entries = list(entries)
    for entry in entries:
        if "/" in entry["name"]:
            continue
        prefix = entry["name"] + "/"
        below = [other for other in entries if other["name"].startswith(prefix)]
        yield Resource(
            group=group,
            version=version,
            plural=entry["name"],
            singular=entry.get("singularName", ""),
            kind=entry["kind"],
            namespaced=entry.get("namespaced", False),
            verbs=tuple(entry["verbs"]),
            short_names=tuple(entry.get("shortNames", ())),
            categories=tuple(entry.get("categories", ())),
            subresources={sub.name: sub for sub in map(_subresource, below)},
            type_name=_type_name(entry.get("group", group), entry.get("version", version), entry["kind"]),
            storage_version=storage,
            selectable=SELECTABLE.get((group, entry["name"]), ()),
        )


def _subresource(entry: Json) -> Subresource:
    return Subresource(
        name=entry["name"].partition("/")[2],
        kind=entry["kind"],
        group=entry.get("group", ""),
        version=entry.get("version", ""),
        verbs=tuple(entry["verbs"]),
    )


def _type_name(group: str, version: str, kind: str) -> str:
    return type_table.table().kinds.get("/".join(part for part in (group, version, kind) if part), "")
