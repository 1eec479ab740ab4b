"""The Kustomizations of a configuration, one for each entry of its map. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitopsd.plugin.imports import Imported, Note
from gitopsd_plugins.aks import checks
from gitopsd_plugins.aks.sheet import DEFAULT, MANAGED, Sheet, Subject, duration
from gitopsd_plugins.aks.sources import TEN_MINUTES

API = "kustomize.toolkit.fluxcd.io/v1"
ACCOUNT = "flux-applier"
WHOLE = "kustomization-1"
"""What az calls the one that it makes where none is given."""


def mapped(
    subject: Subject, properties: Mapping[str, Any], source: str, account: str
) -> tuple[Sequence[Imported], Sequence[Note]]:
    """All of them, and what deserves to be known. `source` is the kind of the source object, `account` '' for none."""
    entries: Mapping[str, Any] = properties.get("kustomizations") or {}
    notes: list[Note] = []
    if not entries:
        entries = {WHOLE: {}}
        notes.append(
            Note(text=f"{subject.place}: no kustomization is given; {WHOLE} is made for the whole source, as az does")
        )
    objects = [_one(subject, key, entries, properties, (source, account), notes) for key in entries]
    return objects, notes


def _one(
    subject: Subject,
    key: str,
    entries: Mapping[str, Any],
    properties: Mapping[str, Any],
    by: tuple[str, str],
    notes: list[Note],
) -> Imported:
    source, account = by
    entry: Mapping[str, Any] = entries[key]
    sheet = Sheet(subject, API, "Kustomization", f"{subject.name}-{key}")

    def origin(name: str) -> str:
        return subject.origin("kustomizations", key, name) if entry.get(name) is not None else DEFAULT

    def seconds(name: str) -> str:
        return duration(entry.get(name, TEN_MINUTES))

    sheet.set("interval", seconds("syncIntervalInSeconds"), origin("syncIntervalInSeconds"))
    if (retry := entry.get("retryIntervalInSeconds")) is not None:
        sheet.set("retryInterval", duration(retry), origin("retryIntervalInSeconds"))
    sheet.set("timeout", seconds("timeoutInSeconds"), origin("timeoutInSeconds"))
    sheet.set("path", path(entry.get("path") or ""), origin("path"))
    for name, default in (("prune", False), ("force", False), ("wait", True)):
        sheet.set(name, entry.get(name, default), origin(name))
    sheet.set("sourceRef", {"kind": source, "name": subject.name, "namespace": subject.namespace}, "")
    if account:
        sheet.set("serviceAccountName", account, "the extension's account for multi-tenancy")
    _depend(sheet, entry, entries, notes)
    if properties.get("suspend"):
        sheet.set("suspend", True, subject.origin("suspend"))
    _substitute(sheet, entry)
    if account and source == "GitRepository":
        sheet.set("patches", [_managed_source(subject)], "")
    _unmapped(sheet, key, entry, notes)
    return sheet.done()


def path(text: str) -> str:
    """A path inside the source, as Flux writes it: blanks stay, a leading slash goes."""
    inside = text.lstrip("/")
    while inside.startswith("./"):
        inside = inside[2:].lstrip("/")
    return "./" if inside in {"", "."} else f"./{inside}"


def _depend(sheet: Sheet, entry: Mapping[str, Any], entries: Mapping[str, Any], notes: list[Note]) -> None:
    wanted = [(text, checks.dependency(sheet.subject.name, text, entries)) for text in entry.get("dependsOn") or ()]
    for text, key in wanted:
        if key != text:
            notes.append(
                Note(text=f"{sheet.subject.place}: dependsOn {text!r} names an object; its key {key!r} is meant")
            )
    if wanted:
        sheet.set("dependsOn", [{"name": f"{sheet.subject.name}-{key}"} for _, key in wanted], "")


def _substitute(sheet: Sheet, entry: Mapping[str, Any]) -> None:
    build: Mapping[str, Any] = entry.get("postBuild") or {}
    if build.get("substitute"):
        sheet.set("postBuild.substitute", dict(build["substitute"]), "")
    if build.get("substituteFrom"):
        sheet.set("postBuild.substituteFrom", build["substituteFrom"], "")


def _managed_source(subject: Subject) -> Mapping[str, Any]:
    """Releases that ask for it take their chart from this configuration's repository, as with the extension."""
    reference = f"{{kind: GitRepository, name: {subject.name}, namespace: {subject.namespace}}}"
    patch = f"- op: replace\n  path: /spec/chart/spec/sourceRef\n  value: {reference}\n"
    return {
        "patch": patch,
        "target": {"kind": "HelmRelease", "annotationSelector": f"{MANAGED}/use-managed-source=true"},
    }


def _unmapped(sheet: Sheet, key: str, entry: Mapping[str, Any], notes: list[Note]) -> None:
    place = f"{sheet.subject.place}: kustomizations.{key}"
    if more := entry.get("additionalConfigurations"):
        for replaced in sheet.merge(more, "additionalConfigurations"):
            notes.append(Note(text=f"{place}: additionalConfigurations replaces {replaced}"))
    if target := (entry.get("kubeConfig") or {}).get("clusterResourceId"):
        name = target.rstrip("/").rpartition("/")[2]
        text = f"{place}: applies to the cluster {name}; declare that Cluster and name it by the annotation gitopsd.io/cluster"
        notes.append(Note(text=text, lost=True))
