"""Flux's markers on applied objects, as annotations or labels: what is not pruned, only created, or left alone."""

from __future__ import annotations

from gitopsd.plugin import Manifest, ObjectRule

_PREFIX = "kustomize.toolkit.fluxcd.io"
_RULES = (
    ("reconcile", "disabled", ObjectRule.IGNORE),
    ("ssa", "ignore", ObjectRule.IGNORE),
    ("ssa", "ifnotpresent", ObjectRule.CREATE_ONLY),
    ("prune", "disabled", ObjectRule.KEEP),
)


def rule(manifest: Manifest) -> tuple[ObjectRule, str]:
    """The strongest rule that a marker asks for, and the reason in words."""
    metadata = manifest.body.get("metadata") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if labels.get("app.kubernetes.io/part-of") == "flux" and manifest.id.kind != "Namespace":
        return ObjectRule.IGNORE, "part of Flux itself: Flux's own controllers are skipped"
    for name, value, found in _RULES:
        key = f"{_PREFIX}/{name}"
        for where in (annotations, labels):
            if str(where.get(key, "")).lower() == value:
                return found, f"{key}: {where[key]}"
    return ObjectRule.APPLY, ""
