"""From configurations to objects: checks, then namespace, account, rights, secrets, source, Kustomizations, in this order. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitopsd.plugin.imports import Import, Imported, Note, Wanted
from gitopsd_plugins.aks import accounts, checks, credentials, keypair, kustomizations, normal, sources
from gitopsd_plugins.aks.credentials import Secrets
from gitopsd_plugins.aks.kustomizations import ACCOUNT
from gitopsd_plugins.aks.resource import Found, InputError, Resource
from gitopsd_plugins.aks.sheet import Subject
from gitopsd_plugins.aks.sources import Source

ENFORCE = "multiTenancy.enforce"
_KEYS = {
    "GitRepository": ("username and password, or identity and known_hosts",),
    "Bucket": ("accesskey", "secretkey"),
    "AzureBlob": ("accountKey, sasKey, or tenantId, clientId and clientSecret",),
    "OCIRepository": (".dockerconfigjson",),
}


@dataclass(slots=True)
class _Made:
    accounts: dict[tuple[str, str], Imported] = field(default_factory=dict)
    objects: list[Imported] = field(default_factory=list)
    secrets: list[Imported] = field(default_factory=list)
    wanted: set[Wanted] = field(default_factory=set)
    notes: list[Note] = field(default_factory=list)


def made(found: Found, *, tenancy: bool) -> Import:
    """The objects of all configurations. Raises `InputError` where one cannot be mapped.

    `tenancy` False, or the extension's own setting, leaves the applying account out.
    """
    kept, notes = _distinct(found.resources)
    enforced = tenancy and found.settings.get(ENFORCE, "true").lower() != "false"
    result = _Made(notes=[*found.notes, *notes, *_settings(found.settings)])
    read = [(resource, _normal(resource, result)) for resource in kept]
    names = _accounts([properties for _, properties in read], result)
    for resource, properties in read:
        _mapped(resource, properties, names if enforced else None, result)
    return Import(
        objects=(*result.accounts.values(), *result.objects),
        secrets=tuple(result.secrets),
        wanted=tuple(sorted(result.wanted)),
        notes=tuple(dict.fromkeys(result.notes)),
    )


def _settings(settings: Mapping[str, str]) -> Iterable[Note]:
    """Settings of the extension steer its controllers; of those only multi-tenancy is a matter of the objects."""
    for name, value in settings.items():
        if name != ENFORCE and not name.endswith(".enabled"):
            yield Note(text=f"the extension's setting {name}={value} is not carried over; see docs/configuration.md")


def _normal(resource: Resource, result: _Made) -> Mapping[str, Any]:
    checks.known(resource)
    read = normal.of(resource.properties, resource.place)
    result.notes.extend(read.notes)
    defaults = {"scope": "cluster", "namespace": "default", "sourceKind": "GitRepository"}
    properties = {**defaults, **read.properties}
    checks.fit(str(resource.name), properties, resource.place)
    return properties


def _distinct(resources: Iterable[Resource]) -> tuple[Sequence[Resource], Sequence[Note]]:
    """Equal copies for several clusters are one; two that differ cannot both be meant."""
    first: dict[tuple[str, str], Resource] = {}
    copies: dict[tuple[str, str], list[str]] = {}
    for resource in resources:
        key = (str(resource.name), str(resource.properties.get("namespace") or "default"))
        before = first.setdefault(key, resource)
        if before.properties != resource.properties:
            raise InputError(
                f"{resource.place}: {key[0]} in namespace {key[1]} differs from the one at {before.place}; import them apart"
            )
        copies.setdefault(key, []).append(resource.cluster or resource.place)
    notes = [
        Note(text=f"{first[key].place}: {key[0]}: {len(places)} equal copies are one here: {', '.join(places)}")
        for key, places in copies.items()
        if len(places) > 1
    ]
    return list(first.values()), notes


def _accounts(read: Sequence[Mapping[str, Any]], result: _Made) -> Mapping[str, str]:
    """Which scope each namespace's account has. A shared account would give the narrower configuration all rights."""
    scopes: dict[str, str] = {}
    for properties in read:
        namespace, scope = properties["namespace"], properties["scope"]
        if scopes.setdefault(namespace, scope) != scope:
            raise InputError(
                f"namespace {namespace}: one configuration has scope cluster and another scope namespace; they would share "
                f"the account {ACCOUNT} and with it all rights: give one of them a namespace of its own"
            )
    return scopes


def _mapped(resource: Resource, properties: Mapping[str, Any], scopes: Mapping[str, str] | None, result: _Made) -> None:
    subject = Subject(
        name=str(resource.name), namespace=properties["namespace"], place=resource.place, origins=resource.origins
    )
    account = ACCOUNT if scopes is not None else ""
    for it in accounts.mapped(subject, properties["scope"], account):
        result.accounts.setdefault((it.id.kind, str(it.id)), it)
    secrets = credentials.of(properties, resource.place)
    source = Source(subject, properties, secrets)
    result.objects.append(source.mapped())
    entries, notes = kustomizations.mapped(subject, properties, sources.KINDS[source.kind], account)
    result.objects.extend(entries)
    result.notes += [*secrets.notes, *source.notes, *notes]
    result.secrets += _secrets(subject, secrets)
    _want(subject, properties, source, result)
    if properties.get("waitForReconciliation"):
        limit = properties.get("reconciliationWaitDuration", "")
        text = f"{resource.place}: waitForReconciliation{f' ({limit})' if limit else ''} is no property of an object here; "
        result.notes.append(Note(text=text + "wait with `gitopsd reconcile --once --timeout`"))


def _secrets(subject: Subject, secrets: Secrets) -> Iterable[Imported]:
    for suffix, data in (
        ("auth", secrets.auth),
        ("tls", secrets.certificate),
        ("verify", secrets.verification),
        ("protected-parameters", secrets.other),
    ):
        if data:
            metadata = {"name": f"{subject.name}-{suffix}", "namespace": subject.namespace, "labels": subject.labels}
            coded = {key: base64.b64encode(value).decode() for key, value in data.items()}
            body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": coded}
            yield Imported(body=body, heading=f"{subject.place}: {subject.name}", file=subject.name)


def _want(subject: Subject, properties: Mapping[str, Any], source: Source, result: _Made) -> None:
    """Secrets that are referred to and were not in the input."""
    brought = {it.body["metadata"]["name"] for it in result.secrets}
    by = f"{source.sheet.kind}/{subject.namespace}/{subject.name}"
    name = (source.sheet.body["spec"].get("secretRef") or {}).get("name")
    if name and name not in brought:
        keys = keypair.MISSING if name == f"{subject.name}-auth" else _KEYS[properties["sourceKind"]]
        result.wanted.add(Wanted(namespace=subject.namespace, name=name, keys=keys, by=by))
    elif name == f"{subject.name}-auth" and source.wants_key and "identity" not in source.secrets.auth:
        result.wanted.add(Wanted(namespace=subject.namespace, name=name, keys=("identity",), by=by))
    for key, entry in (properties.get("kustomizations") or {}).items():
        for values in (entry.get("postBuild") or {}).get("substituteFrom") or ():
            if values.get("kind") == "Secret" and not values.get("optional"):
                by = f"Kustomization/{subject.namespace}/{subject.name}-{key}"
                result.wanted.add(Wanted(namespace=subject.namespace, name=values["name"], by=by))
