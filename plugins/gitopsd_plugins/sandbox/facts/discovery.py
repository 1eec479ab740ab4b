"""What the server offers, as clients ask for it: groups, versions, resources, aggregated discovery.

It renders `Resources`; it knows no objects.
"""

from __future__ import annotations

from gitopsd_plugins.sandbox.facts import type_table
from gitopsd_plugins.sandbox.facts.resources import Resource, Resources, Subresource
from gitopsd_plugins.sandbox.facts.schema import Json

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def version() -> Json:
    """The answer to /version."""
    text = type_table.table().version
    major, minor, _ = text.removeprefix("v").split(".", 2)
    return {
        "major": major,
        "minor": minor,
        "gitVersion": text,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "linux/amd64",
    }


def api_versions(address: str) -> Json:
    """The answer to /api."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def group_list(resources: Resources) -> Json:
    """The answer to /apis."""
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [group(resources, each) for each in resources.groups() if each],
    }


def group(resources: Resources, name: str) -> Json:
    """One group with its versions."""
    versions = [{"groupVersion": f"{name}/{each}", "version": each} for each in resources.versions(name)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def resource_list(resources: Resources, group_name: str, version_name: str) -> Json:
    """The answer to /api/v1 and /apis/GROUP/VERSION."""
    entries: list[Json] = []
    for resource in resources.of_version(group_name, version_name):
        entries.append(_entry(resource))
        entries.extend(_subentry(resource, sub) for sub in resource.subresources.values())
    group_version = f"{group_name}/{version_name}" if group_name else version_name
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": entries}


def _entry(resource: Resource) -> Json:
    entry: Json = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return entry


def _subentry(resource: Resource, sub: Subresource) -> Json:
    entry: Json = {
        "name": f"{resource.plural}/{sub.name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": sub.kind,
        "verbs": list(sub.verbs),
    }
    if sub.version:
        entry |= {"group": sub.group, "version": sub.version}
    return entry


def aggregated(resources: Resources, *, core: bool) -> Json:
    """All groups with all resources in one document: of /api (`core`) or /apis."""
    names = [name for name in resources.groups() if (name == "") is core]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [_aggregated_group(resources, name) for name in names],
    }


def _aggregated_group(resources: Resources, name: str) -> Json:
    versions = [
        {
            "version": each,
            "resources": [_aggregated(r) for r in resources.of_version(name, each)],
            "freshness": "Current",
        }
        for each in resources.versions(name)
    ]
    return {"metadata": {"name": name} if name else {}, "versions": versions}


def _aggregated(resource: Resource) -> Json:
    entry: Json = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = [_aggregated_sub(resource, sub) for sub in resource.subresources.values()]
    return entry


def _aggregated_sub(resource: Resource, sub: Subresource) -> Json:
    group_name, version_name = (sub.group, sub.version) if sub.version else (resource.group, resource.version)
    kind = {"group": group_name, "version": version_name, "kind": sub.kind}
    return {"subresource": sub.name, "responseKind": kind, "verbs": list(sub.verbs)}
