"""`vars`: values of fields that others mention as `$(NAME)`. Deprecated by kustomize, and still in many repositories.

A variable is bound to its object where it is declared, by the names of that level; the value is read at the very end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gitopsd.plugin import Rejected
from gitopsd_plugins.kustomize.files.kustomization import Variable
from gitopsd_plugins.kustomize.objects.identity import Gvk, Id, effective, text
from gitopsd_plugins.kustomize.objects.resource import Resource
from gitopsd_plugins.kustomize.objects.resources import Resources
from gitopsd_plugins.kustomize.references import fieldpath, fieldspec
from gitopsd_plugins.kustomize.references.fieldspec import FieldSpecs

_MENTION = re.compile(r"\$(?:\$|\(([^)]*)\)|(?=.))", re.DOTALL)


class Variables:
    """All variables of a build, by name, each with the object that it is bound to."""

    def __init__(self) -> None:
        self._declared: dict[str, Variable] = {}
        self._bound: dict[str, Resource] = {}

    def declare(self, variable: Variable, resources: Resources) -> None:
        """Add one. Raises `Rejected` for a second one of its name, and where several objects could be meant."""
        if variable.name in self._declared:
            raise Rejected(f"var '{variable.name}' already encountered")
        self._declared[variable.name] = variable
        found = [r for r in resources if _is_meant(variable, [r.id, *r.previous])]
        if len(found) > 1:
            raise Rejected(f"found {len(found)} matches for var '{variable.name}' (unable to disambiguate)")
        if found:
            self._bound[variable.name] = found[0]

    def resolve(self, resources: Resources, specs: FieldSpecs) -> None:
        """Put the values where they are mentioned. Raises `Rejected` naming a variable without value."""
        if not self._declared:
            return
        values = {name: self._value(variable) for name, variable in self._declared.items()}

        def edit(holder: Any, key: Any) -> None:
            holder[key] = _replaced_in(holder[key], values)

        for resource in resources:
            for steps, _ in specs.of(resource.gvk):
                try:
                    fieldspec.visit(resource.body, steps, edit)
                except Rejected as error:
                    raise Rejected(f"{resource}: {'/'.join(steps)}: {error}") from error

    def _value(self, variable: Variable) -> Any:
        resource = self._bound.get(variable.name)
        if resource is None:
            raise Rejected(f"var '{variable.name}' cannot be mapped to a field in the set of known resources")
        path = variable.fieldref.field_path or "metadata.name"
        value = fieldpath.get(resource.body, fieldpath.split(re.sub(r"\[(\d+)\]", r".\1", path)))
        if value is None:
            raise Rejected(f"field {path} specified in var '{variable.name}' not found in {resource}")
        return value


def _is_meant(variable: Variable, ids: list[Id]) -> bool:
    wanted = variable.objref
    group, slash, version = wanted.api_version.rpartition("/")
    gvk = Gvk(group if slash else wanted.group, version or wanted.version, wanted.kind)
    anywhere = not wanted.namespace and not gvk.cluster_wide
    return any(
        i.gvk == gvk and i.name == wanted.name and (anywhere or i.namespace == effective(gvk, wanted.namespace))
        for i in ids
    )


def _replaced_in(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return expand(value, values)
    if isinstance(value, dict):
        return {key: expand(item, values) if isinstance(item, str) else item for key, item in value.items()}
    if isinstance(value, list):
        if any(not isinstance(item, str) for item in value):
            raise Rejected("invalid value type, a text is expected in each element")
        return [expand(item, values) for item in value]
    return value


def expand(value: str, values: Mapping[str, Any]) -> Any:
    """The text with every `$(NAME)` replaced; `$$` is one dollar. A text that is one mention becomes the value itself."""
    known = {name: v for name, v in values.items() if not isinstance(v, dict | list)}
    whole = value.removeprefix("$(").removesuffix(")")
    if value == f"$({whole})" and whole in known:
        return known[whole]

    def one(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return "$"
        return text(known[name]) if name in known else match[0]

    return _MENTION.sub(one, value)
