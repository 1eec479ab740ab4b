"""Whose an object is: our labels, how they are written, and how other engines are recognised.

Pure. The labels are what prune and watches go by; the names they carry are hashed where a label is too short for them, and
the annotation then has the full name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gitopsd.plugin import Body, Engine, ObjectRef, Ours, Owner, Unmanaged, keys

_LABEL = 63
_FLUX = ("kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name")
_ARGO_LABEL, _ARGO = "argocd.argoproj.io/instance", "argocd.argoproj.io/tracking-id"
_HELM = "meta.helm.sh/release-name"
_ADDONS = ("addonmanager.kubernetes.io/mode", "kubernetes.azure.com/managedby")
_LABELS = (*_FLUX, _ARGO_LABEL, *_ADDONS, keys.OWNER_INSTANCE)
_ANNOTATIONS = (_ARGO, _HELM)
_MANAGERS = {
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
    "helm": "Helm",
}


def selector(instance: str) -> str:
    """The label selector of everything that this instance applies."""
    return f"{keys.OWNER_INSTANCE}={label(instance)},{keys.OWNER_NAME}"


def label(name: str) -> str:
    """A name as a label's value; over 63 characters its start and a digest."""
    if len(name) <= _LABEL:
        return name
    return f"{name[:46].rstrip('-_.')}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def marked(body: Body, instance: str, app: ObjectRef) -> dict[str, Any]:
    """The body with the owner labels of this app."""
    metadata = dict(body.get("metadata") or {})
    metadata["labels"] = {**(metadata.get("labels") or {}), **_labels(instance, app)}
    if _hashed(instance, app):
        metadata["annotations"] = {**(metadata.get("annotations") or {}), keys.OWNER_FULL: f"{instance}/{app}"}
    return {**body, "metadata": metadata}


def of(body: Body, instance: str) -> Owner:
    """Whose the object is, by its labels first, then by annotations and field managers."""
    metadata = body.get("metadata") or {}
    labels = _strings(metadata.get("labels"))
    if keys.OWNER_INSTANCE in labels and keys.OWNER_NAME in labels:
        if labels[keys.OWNER_INSTANCE] == label(instance):
            return Ours(app=_app(labels, _strings(metadata.get("annotations"))))
        return Engine(name=f"gitopsd instance {labels[keys.OWNER_INSTANCE]}")
    managers = tuple(dict.fromkeys(entry.get("manager", "") for entry in _entries(metadata)))
    engine = _by_marks(labels, _strings(metadata.get("annotations")), managers) or _by_managers(managers)
    return Engine(name=engine) if engine else Unmanaged(managers=managers)


def contested(body: Body, owner: Owner) -> tuple[str, ...]:
    """Managers whose fields a takeover moves to us: kubectl's, and where another engine is the owner, that engine's.

    Those are known by name, or by the mark that they hold: Helm's library goes by the name of the program that it is in.
    """
    entries = _entries(body.get("metadata") or {})
    names = (entry.get("manager", "") for entry in entries if _is_contested(entry, foreign=isinstance(owner, Engine)))
    return tuple(dict.fromkeys(names))


def _is_contested(entry: Mapping[str, Any], *, foreign: bool) -> bool:
    manager = str(entry.get("manager", ""))
    if manager.startswith("kubectl"):
        return True
    if manager == "before-first-apply":
        return entry.get("operation") == "Update"
    return foreign and (manager in _MANAGERS or _holds_a_mark(entry))


def _holds_a_mark(entry: Mapping[str, Any]) -> bool:
    held = (entry.get("fieldsV1") or {}).get("f:metadata") or {}
    return any(
        f"f:{mark}" in (held.get(place) or {})
        for place, marks in (("f:labels", _LABELS), ("f:annotations", _ANNOTATIONS))
        for mark in marks
    )


def _labels(instance: str, app: ObjectRef) -> dict[str, str]:
    return {
        keys.OWNER_INSTANCE: label(instance),
        keys.OWNER_KIND: label(app.kind),
        keys.OWNER_NAMESPACE: label(app.namespace),
        keys.OWNER_NAME: label(app.name),
    }


def _hashed(instance: str, app: ObjectRef) -> bool:
    return any(len(name) > _LABEL for name in (instance, app.kind, app.namespace, app.name))


def _app(labels: Mapping[str, str], annotations: Mapping[str, str]) -> ObjectRef:
    plain = ObjectRef(
        kind=labels.get(keys.OWNER_KIND, ""),
        namespace=labels.get(keys.OWNER_NAMESPACE, ""),
        name=labels[keys.OWNER_NAME],
    )
    match annotations.get(keys.OWNER_FULL, "").rsplit("/", 3):
        case [_, kind, namespace, name] if (label(kind), label(namespace), label(name)) == (
            plain.kind,
            plain.namespace,
            plain.name,
        ):
            return ObjectRef(kind=kind, namespace=namespace, name=name)
    return plain


def _by_marks(labels: Mapping[str, str], annotations: Mapping[str, str], managers: Sequence[str]) -> str:
    """The engine that labels or annotations name.

    `app.kubernetes.io/instance` names none (every chart sets it), nor does `managed-by: Helm` alone (rendered charts carry it).
    """
    if any(mark in labels for mark in _FLUX):
        return "Flux"
    if _ARGO_LABEL in labels or _ARGO in annotations:
        return "Argo CD"
    helm = labels.get("app.kubernetes.io/managed-by") == "Helm"
    if _HELM in annotations or (helm and "helm" in managers):
        return "Helm"
    if any(mark in labels for mark in _ADDONS):
        return "the cloud's addon manager"
    return ""


def _by_managers(managers: Iterable[str]) -> str:
    return next((_MANAGERS[manager] for manager in managers if manager in _MANAGERS), "")


def _entries(metadata: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Field ownership of the object itself; that of subresources (status, scale) says nothing about who manages it."""
    return [entry for entry in metadata.get("managedFields") or [] if not entry.get("subresource")]


def _strings(mapping: Any) -> Mapping[str, str]:
    return mapping if isinstance(mapping, Mapping) else {}
