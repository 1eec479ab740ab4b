"""Prefixes, suffixes and hashes, and the references to names that they change.

References are resolved once, at the very end: each field of the table (`referrers.py`) that names what an object *was*
called gets what it is called now. An index by former names keeps this near linear; what is decided among several
candidates of one former name follows kustomize step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gitopsd.plugin import Rejected
from gitopsd_plugins.kustomize.objects import hashes
from gitopsd_plugins.kustomize.objects.identity import CLUSTER, Gvk, text
from gitopsd_plugins.kustomize.objects.resource import Resource
from gitopsd_plugins.kustomize.objects.resources import Resources
from gitopsd_plugins.kustomize.references import fieldspec
from gitopsd_plugins.kustomize.references.fieldspec import FieldSpecs
from gitopsd_plugins.kustomize.references.referrers import References

_UNTOUCHED = (
    Gvk(kind="CustomResourceDefinition"),
    Gvk(group="apiregistration.k8s.io", kind="APIService"),
    Gvk(kind="Namespace"),
)


def surround(resources: Resources, specs: FieldSpecs, *, prefix: str = "", suffix: str = "") -> None:
    """Put a prefix before, or a suffix behind, the fields of `specs`; names of definitions and namespaces stay."""
    for resource in resources:
        original = resource.original.gvk
        if any(original.selected(skip) for skip in _UNTOUCHED):
            continue
        for steps, _ in specs.of(original):
            if steps == ("metadata", "name"):
                resource.remember()
                resource.prefixes.extend([prefix] if prefix else ())
                resource.suffixes.extend([suffix] if suffix else ())
            fieldspec.visit(resource.body, steps, _surrounding(prefix, suffix))
    resources.changed()


def _surrounding(prefix: str, suffix: str) -> Callable[[Any, Any], None]:
    def edit(holder: Any, key: Any) -> None:
        holder[key] = f"{prefix}{text(holder[key])}{suffix}"

    return edit


def add_hashes(resources: Resources) -> None:
    """End the names of generated objects in the digest of their content."""
    for resource in resources:
        if resource.hashed:
            digest = hashes.of(resource)
            resource.remember()
            resource.name = f"{resource.name}-{digest}"
    resources.changed()


class NameReferences:
    """Makes every reference of a finished set say what its object is called now."""

    def __init__(self, resources: Resources, table: Iterable[References]) -> None:
        self._resources = resources
        self._formerly: dict[str, list[Resource]] = {}
        for resource in resources:
            for name in dict.fromkeys(name for name, _, _ in resource.history):
                self._formerly.setdefault(name, []).append(resource)
        self._fields = [(references.target, FieldSpecs(references.fields)) for references in table]
        self._by_kind: dict[Gvk, list[tuple[Gvk, tuple[str, ...]]]] = {}

    def fix(self) -> None:
        """Change the fields in place. Raises `Rejected` where a name could mean several objects."""
        for resource in self._resources:
            fields = self._fields_of(resource.original.gvk)
            if fields:
                _Referrer(resource, self._formerly).fix(fields if self._formerly else filter(_may_end_in_maps, fields))

    def _fields_of(self, gvk: Gvk) -> list[tuple[Gvk, tuple[str, ...]]]:
        found = self._by_kind.get(gvk)
        if found is None:
            found = [(target, steps) for target, specs in self._fields for steps, _ in specs.of(gvk)]
            self._by_kind[gvk] = found
        return found


def _may_end_in_maps(field: tuple[Gvk, tuple[str, ...]]) -> bool:
    """Whether something may be wrong there although no name has changed: a map without a name."""
    return not field[1][-1].lower().endswith("name")


class _Referrer:
    """One object that may name others, with what it may see."""

    def __init__(self, resource: Resource, formerly: dict[str, list[Resource]]) -> None:
        self.resource = resource
        self.formerly = formerly
        self.namespace = resource.id.namespace
        self.subjects = _subject_namespaces(resource)

    def fix(self, fields: Iterable[tuple[Gvk, tuple[str, ...]]]) -> None:
        for target, steps in fields:
            fieldspec.visit(self.resource.body, steps, self._editing(target, steps))

    def _editing(self, target: Gvk, steps: tuple[str, ...]) -> Callable[[Any, Any], None]:
        role = self._role() if steps[-2:] == ("roleRef", "name") else None

        def edit(holder: Any, key: Any) -> None:
            value = holder[key]
            for index, item in enumerate(value) if isinstance(value, list) else ():
                _set(self, value, index, item, target, role)
            if not isinstance(value, list):
                _set(self, holder, key, value, target, role)

        return edit

    def _role(self) -> Gvk | None:
        reference = self.resource.body.get("roleRef")
        if not isinstance(reference, dict) or "apiGroup" not in reference or "kind" not in reference:
            return None
        return Gvk(group=text(reference["apiGroup"]), kind=text(reference["kind"]))

    def candidates(self, name: str) -> list[Resource]:
        """Those that were called so, in namespaces that this object can see."""
        return [r for r in self.formerly.get(name, ()) if self._sees(r)]

    def _sees(self, other: Resource) -> bool:
        if self.namespace == CLUSTER:
            return True
        theirs = other.id.namespace
        return theirs in {CLUSTER, self.namespace} or other.namespace in self.subjects

    def chosen(self, candidates: list[Resource], target: Gvk, role: Gvk | None, *, namespaces: bool) -> Resource | None:
        """The one that is meant; None when there is none."""
        candidates = [r for r in candidates if any(i.gvk.selected(target) for i in r.previous)]
        if role is not None:
            candidates = [r for r in candidates if any(i.gvk.selected(role) for i in r.previous)]
        if self.namespace != CLUSTER:
            candidates = [
                r for r in candidates if r.kind == "ServiceAccount" or r.id.namespace in {CLUSTER, self.namespace}
            ]
        if len(candidates) == 1:
            return candidates[0]
        for lenient in (True, False):
            if len(candidates) > 1 or lenient:
                candidates = [r for r in candidates if r.same_surroundings(self.resource, lenient=lenient)]
        if not candidates:
            return None
        meant = {(r.name, r.namespace if namespaces else "") for r in candidates}
        if len(meant) > 1:
            raise Rejected(
                f"{self.resource}: found multiple possible referrals: {', '.join(str(r.id) for r in candidates)}"
            )
        return candidates[0]


def _set(referrer: _Referrer, holder: Any, key: Any, value: Any, target: Gvk, role: Gvk | None) -> None:
    if isinstance(value, dict):
        _set_in_map(referrer, value, target, role)
    elif value is not None and not isinstance(value, list):
        found = referrer.candidates(name := text(value))
        if found and (chosen := referrer.chosen(found, target, role, namespaces=False)) and chosen.name != name:
            holder[key] = chosen.name


def _set_in_map(referrer: _Referrer, node: dict[str, Any], target: Gvk, role: Gvk | None) -> None:
    if "name" not in node:
        raise Rejected(f"{referrer.resource}: a reference to a {target.kind} has no 'name' field")
    found = referrer.candidates(name := text(node["name"]))
    if "namespace" in node:
        found = _in_namespace(found, text(node["namespace"]))
    chosen = referrer.chosen(found, target, role, namespaces=True) if found else None
    if chosen is None or (chosen.name == name and not chosen.namespace):
        return
    node["name"] = chosen.name
    if chosen.namespace:
        node["namespace"] = chosen.namespace


def _in_namespace(candidates: list[Resource], namespace: str) -> list[Resource]:
    """Those that were in the namespace at first, else those that are in it now."""
    first = [r for r in candidates if r.original.namespace == namespace]
    return first or [r for r in candidates if r.id.namespace == namespace]


def _subject_namespaces(resource: Resource) -> frozenset[str]:
    subjects = resource.body.get("subjects")
    if resource.kind != "RoleBinding" or not isinstance(subjects, list):
        return frozenset()
    accounts = [s for s in subjects if isinstance(s, dict) and s.get("kind") == "ServiceAccount" and "namespace" in s]
    if any(s["namespace"] is None for s in accounts):
        raise Rejected(f"{resource}: namespace is blank in one of its subjects")
    return frozenset(text(s["namespace"]) for s in accounts)
