"""Flux's markers on applied objects, as annotations or labels: what is not pruned, only created, merged, or left alone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitopsd.plugin import Body, ResourceId, Treatment, WriteMode

_PREFIX = "kustomize.toolkit.fluxcd.io"
_MODES = {
    "override": WriteMode.APPLY,
    "merge": WriteMode.MERGE,
    "ifnotpresent": WriteMode.CREATE_ONLY,
    "ignore": WriteMode.IGNORE,
}


def read(id: ResourceId, body: Body) -> Treatment:
    """What the markers on an object ask for."""
    metadata = body.get("metadata") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if labels.get("app.kubernetes.io/part-of") == "flux" and id.kind != "Namespace":
        why = "part of Flux itself: Flux's own controllers are skipped"
        return Treatment(mode=WriteMode.IGNORE, why=why)
    if not any(str(key).startswith(_PREFIX) for where in (labels, annotations) for key in where):
        return Treatment()
    mode, why = _mode(annotations, labels)
    kept = _said("prune", annotations, labels) == "disabled"
    return Treatment(
        mode=mode,
        keep=kept,
        force=_said("force", annotations, labels) == "enabled",
        why=why or (f"{_PREFIX}/prune: disabled" if kept else ""),
    )


def _mode(annotations: Mapping[str, Any], labels: Mapping[str, Any]) -> tuple[WriteMode, str]:
    if _said("reconcile", annotations, labels) == "disabled":
        return WriteMode.IGNORE, f"{_PREFIX}/reconcile: disabled"
    said = _said("ssa", annotations, labels)
    mode = _MODES.get(said, WriteMode.APPLY)
    return mode, "" if mode is WriteMode.APPLY else f"{_PREFIX}/ssa: {said}"


def _said(name: str, annotations: Mapping[str, Any], labels: Mapping[str, Any]) -> str:
    key = f"{_PREFIX}/{name}"
    return str(annotations.get(key) or labels.get(key) or "").strip().lower()
