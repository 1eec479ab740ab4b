"""`spec.ignore`: fields that others may set, by JSON pointer and target. Read once with the document, asked for each object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitopsd.plugin import Body, Rejected, ResourceId, SpecError
from gitopsd_plugins.kustomize.app.spec import Ignored
from gitopsd_plugins.kustomize.files.kustomization import Target
from gitopsd_plugins.kustomize.objects.identity import Gvk
from gitopsd_plugins.kustomize.references.selector import Selector, meets

MOST = 200
"""Pointers in one document."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Pointers, and the objects that they are for."""

    paths: tuple[str, ...]
    selector: Selector


def rules(found: Sequence[Ignored]) -> tuple[Rule, ...]:
    """The document's rules. Raises `SpecError` naming the pointer or pattern that is none."""
    if sum(len(rule.paths) for rule in found) > MOST:
        raise SpecError(f"there are more than {MOST} paths", path=("spec", "ignore"))
    return tuple(_rule(number, rule) for number, rule in enumerate(found))


def paths(rules: Sequence[Rule], id: ResourceId, body: Body) -> tuple[str, ...]:
    """The pointers that are for this object."""
    return tuple(dict.fromkeys(path for rule in rules if _is_for(rule.selector, id, body) for path in rule.paths))


def _rule(number: int, rule: Ignored) -> Rule:
    for place, path in enumerate(rule.paths):
        if not path.startswith("/") or path.strip("/") in {"", "metadata", "kind", "apiVersion", "metadata/name"}:
            wrong = f"{path!r} is no JSON pointer to a field, such as /spec/replicas or /metadata/annotations/example.com~1x"
            raise SpecError(wrong, path=("spec", "ignore", number, "paths", place))
    try:
        return Rule(paths=rule.paths, selector=Selector.of(rule.target or Target()))
    except Rejected as error:
        raise SpecError(str(error), path=("spec", "ignore", number, "target")) from error


def _is_for(selector: Selector, id: ResourceId, body: Body) -> bool:
    version = str(body.get("apiVersion", "")).rpartition("/")[2]
    if not selector.names(Gvk(group=id.group, version=version, kind=id.kind), id.name, id.namespace):
        return False
    metadata = body.get("metadata") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    return meets(selector.labels, labels) and meets(selector.annotations, annotations)
