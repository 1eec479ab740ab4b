"""One Application as a Kustomization for each of its sources. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gitopsd.plugin.imports import Imported, Note
from gitopsd_plugins.argocd import source as sources
from gitopsd_plugins.argocd.source import Repository

API = "kustomize.toolkit.fluxcd.io/v1"
IN_CLUSTER = {"https://kubernetes.default.svc", "in-cluster"}
FINALIZER = "resources-finalizer.argocd.argoproj.io"
_KUSTOMIZE = {"namePrefix", "nameSuffix", "images", "commonLabels", "commonAnnotations", "patches", "components", "namespace", "version", "ignoreMissingComponents", "commonAnnotationsEnvsubst", "forceCommonLabels", "forceCommonAnnotations", "labelWithoutSelector", "labelIncludeTemplates"}  # fmt: skip
_MEANT_ALREADY = {
    "ServerSideApply=true",
    "Validate=true",
    "ApplyOutOfSyncOnly=true",
    "RespectIgnoreDifferences=true",
    "PruneLast=true",
}


@dataclass(slots=True)
class Sheet:
    """A Kustomization while it is filled in, with the origin of its values, and what must be said."""

    app: str
    body: dict[str, Any]
    origins: dict[tuple[str | int, ...], str] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def set(self, name: str, value: Any, origin: str) -> None:
        """Set a field of the spec, unless there is nothing to set."""
        if value in (None, "", {}, []):
            return
        self.body["spec"][name] = value
        self.origins[("spec", name)] = origin

    def annotate(self, key: str, value: str, origin: str) -> None:
        """Set an annotation."""
        self.body["metadata"].setdefault("annotations", {})[key] = value
        self.origins[("metadata", "annotations", key)] = origin

    def note(self, text: str, *, lost: bool = False) -> None:
        """Say something about this Application."""
        self.notes.append(Note(text=f"Application/{self.app}: {text}", lost=lost))


def mapped(
    app: Mapping[str, Any], *, namespace: str, head: str
) -> Iterator[tuple[Repository | None, Imported | None, list[Note]]]:
    """For each source the repository and the Kustomization; None for one that has no counterpart, with notes that say so."""
    spec: Mapping[str, Any] = app.get("spec") or {}
    name = str(app["metadata"]["name"])
    found = spec.get("sources") or ([spec["source"]] if spec.get("source") else [])
    if not found:
        yield None, None, [Note(text=f"Application/{name}: has no source", lost=True)]
    for index, source in enumerate(found):
        own = name if len(found) == 1 else f"{name}-{source.get('name') or index + 1}"
        yield _one(app, own, source, namespace, head)


def _one(
    app: Mapping[str, Any], name: str, source: Mapping[str, Any], namespace: str, head: str
) -> tuple[Repository | None, Imported | None, list[Note]]:
    metadata = {"name": name, "namespace": namespace}
    sheet = Sheet(app=name, body={"apiVersion": API, "kind": "Kustomization", "metadata": metadata, "spec": {}})
    if reason := _unserved(source):
        sheet.note(f"{reason}; it is not imported", lost=True)
        return None, None, sheet.notes
    repository = sources.of(source, head)
    if (source.get("targetRevision") or "HEAD") == "HEAD":
        sheet.note(f"follows HEAD, for which the branch {head} is taken; name another one with --head")
    spec: Mapping[str, Any] = app["spec"]
    sheet.set("interval", "10m0s", "how often all is checked anew; changes in Git are seen by the source")
    sheet.set("timeout", "5m0s", "how long objects may take to become healthy")
    sheet.set("path", f"./{str(source.get('path') or '').strip('/')}".removesuffix("/.") or "./", "spec.source.path")
    sheet.body["spec"]["sourceRef"] = {"kind": "GitRepository", "name": repository.name, "namespace": namespace}
    _policy(spec.get("syncPolicy") or {}, app, sheet)
    _destination(spec.get("destination") or {}, sheet)
    _kustomize(source.get("kustomize") or {}, sheet)
    _directory(source.get("directory") or {}, sheet)
    _ignored(spec.get("ignoreDifferences") or (), sheet)
    _rest(spec, sheet)
    heading = f"Application/{app['metadata'].get('namespace', '')}/{app['metadata']['name']}"
    return repository, Imported(body=sheet.body, origins=sheet.origins, heading=heading, file=namespace), sheet.notes


def _unserved(source: Mapping[str, Any]) -> str:
    """Why a source has no counterpart; '' for one that has."""
    if source.get("chart") or source.get("helm"):
        url, _ = sources.without_login(str(source.get("repoURL")))
        return f"the Helm source {source.get('chart') or source.get('path')} of {url} needs a HelmRelease"
    if source.get("plugin"):
        return "a source with a config management plugin runs a program, which gitopsd never does"
    if source.get("ref") and not source.get("path"):
        return f"the source {source['ref']} only lends files to a Helm source"
    jsonnet: Mapping[str, Any] = (source.get("directory") or {}).get("jsonnet") or {}
    return "a source with jsonnet is not served" if any(jsonnet.values()) else ""


def _policy(policy: Mapping[str, Any], app: Mapping[str, Any], sheet: Sheet) -> None:
    automated: Mapping[str, Any] | None = policy.get("automated")
    options = set(policy.get("syncOptions") or ())
    automatic = automated is not None and automated.get("enabled", True)
    prune = automatic and bool((automated or {}).get("prune")) and "Prune=false" not in options
    sheet.body["spec"]["prune"] = prune
    sheet.origins[("spec", "prune")] = "spec.syncPolicy.automated.prune"
    sheet.set("wait", True, "Argo CD assesses health, too")
    if not automatic:
        sheet.set("suspend", True, "no automated sync: nothing is applied until this is removed")
    elif not (automated or {}).get("selfHeal"):
        sheet.annotate("gitopsd.io/drift", "warn", "no selfHeal: drift is said, not put back")
    finalized = FINALIZER in {str(f).partition("/")[0] for f in app["metadata"].get("finalizers") or ()}
    sheet.set(
        "deletionPolicy",
        "Delete" if finalized else "Orphan",
        f"the finalizer {FINALIZER}" if finalized else "no finalizer",
    )
    if "CreateNamespace=true" in options:
        sheet.note("CreateNamespace=true: put the Namespace among the manifests; nothing makes it by itself", lost=True)
    for option in sorted(options - _MEANT_ALREADY - {"CreateNamespace=true", "CreateNamespace=false", "Prune=false"}):
        sheet.note(f"the sync option {option} has no counterpart", lost=True)


def _destination(destination: Mapping[str, Any], sheet: Sheet) -> None:
    if namespace := destination.get("namespace"):
        sheet.set("targetNamespace", namespace, "spec.destination.namespace")
        sheet.note(f"targetNamespace puts every object into {namespace}; Argo CD only those that name no namespace")
    name, server = destination.get("name"), destination.get("server")
    if name and name not in IN_CLUSTER:
        sheet.annotate("gitopsd.io/cluster", name, "spec.destination.name")
        sheet.note(f"applies to the cluster {name}; declare a Cluster of that name")
    elif server and server not in IN_CLUSTER:
        sheet.note(
            f"applies to {server}; declare that Cluster and name it by the annotation gitopsd.io/cluster", lost=True
        )


def _kustomize(options: Mapping[str, Any], sheet: Sheet) -> None:
    origin = "spec.source.kustomize"
    for name in ("namePrefix", "nameSuffix", "components", "ignoreMissingComponents"):
        sheet.set(name, options.get(name), f"{origin}.{name}")
    sheet.set("targetNamespace", options.get("namespace"), f"{origin}.namespace")
    sheet.set("images", [_image(text) for text in options.get("images") or ()], f"{origin}.images")
    common = {"labels": options.get("commonLabels"), "annotations": options.get("commonAnnotations")}
    sheet.set("commonMetadata", {key: dict(value) for key, value in common.items() if value}, origin)
    if options.get("commonLabels") and not options.get("labelWithoutSelector"):
        sheet.note("commonLabels are set on objects, and not on selectors and templates as Argo CD does", lost=True)
    patches = [p for p in options.get("patches") or () if p.get("patch")]
    sheet.set("patches", [{k: p[k] for k in ("patch", "target") if p.get(k)} for p in patches], f"{origin}.patches")
    if len(patches) < len(options.get("patches") or ()):
        sheet.note("patches in files cannot be named here; put them into the kustomization", lost=True)
    for name in sorted(set(options) - _KUSTOMIZE):
        if options[name]:
            sheet.note(f"kustomize.{name} has no counterpart; put it into the kustomization", lost=True)


def _image(text: str) -> dict[str, str]:
    """`[name=]new[:tag][@digest]` as Flux writes it."""
    name, sign, new = text.partition("=")
    new = new if sign else name
    new, at, checksum = new.partition("@")
    head, colon, tag = new.rpartition(":")
    if not colon or "/" in tag:
        head, tag = new, ""
    found = {"name": name if sign else head, "newName": head, "newTag": tag, "digest": checksum if at else ""}
    if found["newName"] == found["name"]:
        del found["newName"]
    return {key: value for key, value in found.items() if value}


def _directory(options: Mapping[str, Any], sheet: Sheet) -> None:
    if not options.get("recurse"):
        sheet.note(
            "where the folder has no kustomization.yaml, the folders below it are taken, too; Argo CD takes them with recurse only"
        )
    for name in ("include", "exclude"):
        if options.get(name):
            sheet.note(
                f"directory.{name} has no counterpart; write a kustomization.yaml that names the files", lost=True
            )


def _ignored(rules: Iterable[Mapping[str, Any]], sheet: Sheet) -> None:
    ignored: list[dict[str, Any]] = []
    for rule in rules:
        target = {key: rule[key] for key in ("group", "kind", "name", "namespace") if rule.get(key)}
        if rule.get("jsonPointers"):
            ignored.append({"paths": list(rule["jsonPointers"]), **({"target": target} if target else {})})
        for name in ("jqPathExpressions", "managedFieldsManagers"):
            if rule.get(name):
                sheet.note(f"ignoreDifferences.{name} has no counterpart; use jsonPointers", lost=True)
    sheet.set("ignore", ignored, "spec.ignoreDifferences")


def _rest(spec: Mapping[str, Any], sheet: Sheet) -> None:
    if spec.get("project", "default") != "default":
        sheet.note(f"what the project {spec['project']} allows is not imported; use serviceAccountName", lost=True)
    known = {
        "source",
        "sources",
        "destination",
        "project",
        "syncPolicy",
        "ignoreDifferences",
        "info",
        "revisionHistoryLimit",
    }
    for name in sorted(set(spec) - known):
        sheet.note(f"spec.{name} is not known and left out", lost=True)
