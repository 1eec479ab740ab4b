"""What a declared document means: the kind that serves it is asked, or it is said why none does."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from gitopsd.config import mentions
from gitopsd.config.documents import Identity, Written
from gitopsd.config.mentions import DEPENDS_ON
from gitopsd.config.problems import near
from gitopsd.plugin import (
    AppIntent,
    Declared,
    Digest,
    Hold,
    Intent,
    ObjectRef,
    SourceIntent,
    SpecError,
    Unserved,
    digest,
    keys,
)
from gitopsd.plugin.registry import Registry

SUSPEND = ("metadata", "annotations", keys.SUSPEND)
_TIME = "2026-01-31T08:00:00Z"


def known(registry: Registry, group: str, kind: str) -> bool:
    """True for kinds that are declared rather than applied, served or not."""
    return (group, kind) in registry.kinds or (group, kind) in registry.unserved


def declared(document: Written, parent: ObjectRef | None = None) -> Declared:
    """The document as the core keeps it, at generation 1: who remembers earlier ones counts on from there."""
    return Declared(
        ref=document.identity.ref,
        document=_complete(document),
        place=document.place,
        spec=_content(document.value),
        parent=parent,
    )


def intent(document: Written, declared: Declared, registry: Registry, only: Collection[str]) -> Intent:
    """What the document asks for. `only` names the kinds to serve, empty for all. Raises `SpecError` and `Misconfigured`."""
    group, name = document.identity.group, document.identity.kind
    kind = registry.kinds.get((group, name))
    if kind is None and (group, name) not in registry.unserved:
        raise SpecError(_unknown(document.identity, registry), path=("kind",))
    if kind is None or (only and name not in only):
        return Unserved(ref=declared.ref)
    if document.version not in kind.versions:
        served = ", ".join(f"{group}/{version}" for version in kind.versions)
        raise SpecError(f"version {document.version!r} is not served; use {served}", path=("apiVersion",))
    found = kind.read(declared)
    if isinstance(found, AppIntent):
        _check_source(found, document, registry)
    return _with_annotations(found, declared)


def _check_source(app: AppIntent, document: Written, registry: Registry) -> None:
    """Whatever a plugin serves as a source may feed an app; of the kinds that nobody serves, those that the app's kind knows."""
    kind, later = app.source.kind, app.source_kinds & {name for _, name in registry.unserved}
    declarable = {name for _, name in registry.kinds} & registry.sources.keys()
    if kind in declarable or kind in later:
        return
    served = sorted(declarable)
    known = ", ".join([*served, *(f"{name} (not served yet)" for name in sorted(later - declarable))])
    raise SpecError(
        f"no plugin serves {kind!r} as a source{near(kind, {*served, *later})} (known: {known}){registry.failures()}",
        path=mentions.kind(document.value, app.source),
    )


def _unknown(identity: Identity, registry: Registry) -> str:
    pairs = {*registry.kinds, *registry.unserved}
    elsewhere = sorted(group for group, kind in pairs if kind == identity.kind)
    if elsewhere:
        hint = f"; did you mean the group {' or '.join(elsewhere)}?"
    else:
        hint = near(identity.kind, [kind for _, kind in pairs] + ["Settings", "Cluster", "Secret", "ConfigMap"])
    group = identity.group or "the core group"
    return f"unknown kind {identity.kind!r} in {group}{hint}{registry.failures()}"


def _with_annotations(intent: Intent, declared: Declared) -> Intent:
    """The intent with what our annotations say about every kind alike: further dependencies, and words we do not know."""
    if not isinstance(intent, AppIntent | SourceIntent):
        return intent
    annotations = _annotations(declared.document)
    refs = _dependencies(annotations.get(keys.DEPENDS_ON, ""), declared.ref.namespace)
    return replace(
        intent,
        depends_on=tuple(dict.fromkeys((*intent.depends_on, *refs))),
        hold=_hold(annotations),
        warnings=(*intent.warnings, *_strange(annotations)),
    )


def _dependencies(text: str, namespace: str) -> Iterable[ObjectRef]:
    try:
        return [ObjectRef.parse(part, namespace=namespace) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise SpecError(f"{error}; write KIND/NAMESPACE/NAME, several with commas between", path=DEPENDS_ON) from error


def _hold(annotations: Mapping[str, str]) -> Hold | None:
    """`gitopsd.io/suspend`: `true`, or the time until which it holds."""
    text = annotations.get(keys.SUSPEND, "false")
    if text in {"true", "false"}:
        return Hold(reason=annotations.get(keys.REASON, "")) if text == "true" else None
    try:
        until = datetime.fromisoformat(text)
    except ValueError as error:
        raise SpecError(f"{text!r} is neither true nor a time; write it as {_TIME}", path=SUSPEND) from error
    if until.tzinfo is None:
        raise SpecError(f"{text!r} says no time zone; write it as {_TIME}", path=SUSPEND)
    return Hold(reason=annotations.get(keys.REASON, ""), until=until)


def _strange(annotations: Mapping[str, str]) -> Iterable[str]:
    for key in annotations:
        if key.startswith(f"{keys.GROUP}/") and key not in keys.DECLARED and key != keys.OWNER_FULL:
            yield f"unknown annotation {key!r} has no effect{near(key, keys.DECLARED)}"
        if key.startswith(keys.REQUESTS):
            yield f"the annotation {key!r} has no effect in a file; `gitopsd reconcile` asks for an attempt"


def _complete(document: Written) -> Mapping[str, Any]:
    """The document with its namespace written out, so that a kind needs no default of its own."""
    metadata = {**document.value["metadata"], "namespace": document.identity.namespace}
    return {**document.value, "metadata": metadata}


def _content(value: Mapping[str, Any]) -> Digest:
    ours = {key: text for key, text in _annotations(value).items() if key.startswith(f"{keys.GROUP}/")}
    status = value.get("status")
    # what somebody else made is named in a status that stands in the file, not in the spec
    made = {"artifact": status["artifact"]} if isinstance(status, dict) and "artifact" in status else {}
    return digest.of_value({"spec": value.get("spec"), "annotations": ours, **made})


def _annotations(value: Mapping[str, Any]) -> Mapping[str, str]:
    return value["metadata"].get("annotations") or {}
