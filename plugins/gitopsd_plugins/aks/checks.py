"""What must hold of a configuration before it is mapped: the checks that az makes, and some that it should. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gitopsd_plugins.aks.resource import InputError, Resource, shown, unknowns
from gitopsd_plugins.aks.schema import BLOCKS

_NAME = re.compile(r"[a-z0-9]([.\-a-z0-9]*[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([\-a-z0-9]*[a-z0-9])?")
_URLS = {
    "GitRepository": (re.compile(r"((https?|ssh)://|\S+@[^:/\s]+:)"), "https://, http://, ssh:// or git@host:path"),
    "Bucket": (re.compile(r"https?://"), "http:// or https://"),
    "AzureBlob": (re.compile(r"https?://"), "http:// or https://"),
    "OCIRepository": (re.compile(r"oci://"), "oci://"),
}
LONGEST = 63


def known(resource: Resource) -> None:
    """Raise `InputError` where the name or a property is a value that nobody knows."""
    missing = unknowns({"name": resource.name, **resource.properties})
    if missing:
        told = "; ".join(f"{shown(path)} is {why}" for path, why in missing)
        how = "settle it with --set PATH=VALUE (for example --set namespace=flux-system), or --param NAME=VALUE"
        raise InputError(f"{resource.place}: not everything is known: {told}; {how}")


def fit(name: str, properties: Mapping[str, Any], place: str) -> None:
    """Raise `InputError` for a configuration that cannot be mapped."""
    _named(name, properties, place)
    kind = properties["sourceKind"]
    block: Mapping[str, Any] = properties.get(BLOCKS[kind]) or {}
    others = [b for k, b in BLOCKS.items() if k != kind and properties.get(b)]
    if others:
        raise InputError(f"{place}: sourceKind is {kind}, but there is {', '.join(others)} too; keep one block")
    pattern, forms = _URLS[kind]
    if not block.get("url") or not pattern.match(block["url"]):
        raise InputError(f"{place}: {BLOCKS[kind]}.url: {block.get('url', '')!r} must begin with {forms}")
    _ordered(name, properties.get("kustomizations") or {}, place)


def _named(name: str, properties: Mapping[str, Any], place: str) -> None:
    if len(name) > LONGEST or not _NAME.fullmatch(name):
        raise InputError(
            f"{place}: {name!r} is not a name; use lower case letters, digits, '-' and '.', at most {LONGEST}"
        )
    namespace = properties["namespace"]
    if len(namespace) > LONGEST or not _NAMESPACE.fullmatch(namespace):
        raise InputError(f"{place}: namespace: {namespace!r} is not a name; use lower case letters, digits and '-'")
    if properties["scope"] not in {"cluster", "namespace"}:
        raise InputError(f"{place}: scope: {properties['scope']!r} is none; use cluster or namespace")
    if properties["sourceKind"] not in BLOCKS:
        raise InputError(f"{place}: sourceKind: {properties['sourceKind']!r} is none; use {', '.join(BLOCKS)}")


def _ordered(name: str, entries: Mapping[str, Any], place: str) -> None:
    """Dependencies are keys of the same map and go round in no circle; names stay short enough for a label."""
    for key, entry in entries.items():
        whole = f"{name}-{key}"
        if len(whole) > LONGEST:
            raise InputError(
                f"{place}: kustomizations.{key}: {whole!r} is longer than {LONGEST}; shorten one of the names"
            )
        for wanted in entry.get("dependsOn") or ():
            if dependency(name, wanted, entries) is None:
                raise InputError(f"{place}: kustomizations.{key}.dependsOn: there is no kustomization {wanted!r}")
    _acyclic(
        {k: [dependency(name, d, entries) or d for d in e.get("dependsOn") or ()] for k, e in entries.items()}, place
    )


def dependency(name: str, wanted: str, entries: Mapping[str, Any]) -> str | None:
    """The key that a dependency means; the name of the object that will be is understood, too."""
    if wanted in entries:
        return wanted
    key = wanted.removeprefix(f"{name}-")
    return key if key in entries else None


def _acyclic(edges: Mapping[str, list[str]], place: str) -> None:
    done: set[str] = set()
    for start in edges:
        trail: list[str] = []
        todo = [(start, False)]
        while todo:
            key, leaving = todo.pop()
            if leaving:
                trail.pop()
                done.add(key)
            elif key in trail:
                circle = " -> ".join([*trail[trail.index(key) :], key])
                raise InputError(f"{place}: kustomizations depend on one another in a circle: {circle}")
            elif key not in done:
                trail.append(key)
                todo += [(key, True), *((below, False) for below in edges[key])]
