"""ARM templates, by hand or from `bicep build`: resources with loops, conditions and nested deployments. Nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitopsd.plugin.imports import Note
from gitopsd_plugins.aks import arm_expression, evaluation
from gitopsd_plugins.aks.evaluation import Scope
from gitopsd_plugins.aks.functions import MOST
from gitopsd_plugins.aks.resource import Found, InputError, Resource, Unknown

CONFIGURATION = "microsoft.kubernetesconfiguration/fluxconfigurations"
EXTENSION = "microsoft.kubernetesconfiguration/extensions"
DEPLOYMENT = "microsoft.resources/deployments"
DEEPEST = 20


@dataclass(slots=True)
class _Template:
    """One template while it is read: its own parameters and variables, and the loops around the resource at hand."""

    body: Mapping[str, Any]
    given: Mapping[str, Any]
    place: str
    depth: int = 0
    loops: dict[str, int] = field(default_factory=dict)
    under_way: set[str] = field(default_factory=set)
    notes: list[Note] = field(default_factory=list)

    def value(self, raw: Any) -> Any:
        """A JSON value with its expressions computed, and its `copy` blocks unrolled."""
        match raw:
            case str() if arm_expression.is_expression(raw):
                return evaluation.value(arm_expression.parsed(raw), Scope(name=Unknown, special=self._special))
            case str():
                return raw[1:] if raw.startswith("[[") else raw
            case Mapping():
                made = {str(self.value(key)): self.value(below) for key, below in raw.items() if key != "copy"}
                return made | self._copies(raw["copy"]) if isinstance(raw.get("copy"), list) else made
            case list():
                return [self.value(item) for item in raw]
        return raw

    def _copies(self, copies: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {copy["name"]: [self.value(copy["input"]) for _ in self.repeated(copy)] for copy in copies}

    def repeated(self, copy: Mapping[str, Any]) -> Iterator[int]:
        """Once for each turn of a loop, with its index in force."""
        name, count = str(copy.get("name", "")), self.value(copy.get("count", 1))
        if not isinstance(count, int) or count > MOST:
            raise InputError(f"{self.place}: copy {name}: its count is {count}; give what it depends on with --param")
        for index in range(count):
            self.loops |= {name: index, "": index}
            yield index
        self.loops.pop(name, None)

    def _special(self, name: str, arguments: tuple[Any, ...]) -> Any:
        match name, arguments:
            case "parameters", (str(wanted),):
                return self._parameter(wanted)
            case "variables", (str(wanted),):
                return self._variable(wanted)
            case "copyindex", _:
                loop = next((a for a in arguments if isinstance(a, str)), "")
                offset = next((a for a in arguments if isinstance(a, int)), 0)
                return self.loops.get(loop, 0) + offset
        return NotImplemented

    def _parameter(self, name: str) -> Any:
        if name in self.given:
            return self.given[name]
        definition = (self.body.get("parameters") or {}).get(name)
        if definition is None:
            return Unknown(f"the parameter {name}, which is not declared")
        if "defaultValue" not in definition:
            return Unknown(f"the parameter {name}, which has no value")
        return self._once(f"parameter {name}", definition["defaultValue"])

    def _variable(self, name: str) -> Any:
        variables: Mapping[str, Any] = self.body.get("variables") or {}
        if name in variables:
            return self._once(f"variable {name}", variables[name])
        for copy in variables.get("copy") or ():
            if copy.get("name") == name:
                return [self.value(copy["input"]) for _ in self.repeated(copy)]
        return Unknown(f"the variable {name}, which is not declared")

    def _once(self, name: str, raw: Any) -> Any:
        if name in self.under_way:
            return Unknown(f"the {name}, which refers to itself")
        self.under_way.add(name)
        try:
            return self.value(raw)
        finally:
            self.under_way.discard(name)


def read(body: Mapping[str, Any], *, place: str, parameters: Mapping[str, Any]) -> Found:
    """Every flux configuration and extension of a template. Raises `InputError` for what cannot be read."""
    return _template(_Template(body=body, given=parameters, place=place))


def _template(template: _Template) -> Found:
    if template.depth > DEEPEST:
        raise InputError(f"{template.place}: deployments are nested deeper than {DEEPEST}")
    resources = template.body.get("resources") or []
    rows = resources.items() if isinstance(resources, Mapping) else ((str(i), r) for i, r in enumerate(resources))
    found = Found()
    for symbol, resource in rows:
        if isinstance(resource, Mapping) and not resource.get("existing"):
            found += _resource(resource, f"{template.place}: resources.{symbol}", template)
    return found + Found(notes=tuple(template.notes))


def _resource(resource: Mapping[str, Any], place: str, template: _Template) -> Found:
    kind = str(resource.get("type", "")).lower()
    # the old form of a child resource: .../providers/fluxConfigurations, named cluster/Microsoft.KubernetesConfiguration/name
    is_configuration = kind == CONFIGURATION or kind.endswith("/providers/fluxconfigurations")
    if not (is_configuration or kind in {EXTENSION, DEPLOYMENT} or kind.endswith("/providers/extensions")):
        return Found()
    copy = resource.get("copy")
    found = Found()
    for _ in template.repeated(copy) if isinstance(copy, Mapping) else (0,):
        if template.value(resource.get("condition", True)) is False:
            continue
        if is_configuration:
            found += Found(resources=(_configuration(resource, place, template),))
        elif kind == DEPLOYMENT:
            found += _deployment(resource, place, template)
        else:
            found += _extension(resource, template)
    return found


def _configuration(resource: Mapping[str, Any], place: str, template: _Template) -> Resource:
    name, scope = template.value(resource.get("name")), template.value(resource.get("scope", ""))
    properties = template.value(resource.get("properties") or {})
    if isinstance(properties, Unknown):
        properties = {"sourceKind": properties}
    cluster = scope.rstrip("/").rpartition("/")[2] if isinstance(scope, str) else ""
    return Resource(
        name=name.rpartition("/")[2] if isinstance(name, str) else name,
        properties=properties,
        place=place,
        cluster=cluster,
    )


def _extension(resource: Mapping[str, Any], template: _Template) -> Found:
    properties = template.value(resource.get("properties") or {})
    if isinstance(properties, Unknown) or str(properties.get("extensionType", "")).lower() != "microsoft.flux":
        return Found()
    settings = properties.get("configurationSettings") or {}
    return Found(settings={k: str(v) for k, v in settings.items() if not isinstance(v, Unknown)})


def _deployment(resource: Mapping[str, Any], place: str, template: _Template) -> Found:
    """A Bicep module. Its parameters are computed outside, its own expressions inside, if it says so."""
    properties: Mapping[str, Any] = resource.get("properties") or {}
    inner = properties.get("template")
    if not isinstance(inner, Mapping):
        return Found(notes=(Note(text=f"{place}: a linked template is not read; import it by itself", lost=True),))
    options = properties.get("expressionEvaluationOptions") or {}
    if str(options.get("scope", "outer")).lower() != "inner":
        inner = {**inner, "parameters": template.body.get("parameters"), "variables": template.body.get("variables")}
        return _template(_Template(inner, template.given, place, template.depth + 1, dict(template.loops)))
    given = {}
    for name, parameter in (properties.get("parameters") or {}).items():
        given[name] = _given(name, parameter, template)
    return _template(_Template(inner, given, place, template.depth + 1))


def _given(name: str, parameter: Any, template: _Template) -> Any:
    if isinstance(parameter, Mapping) and "value" in parameter:
        return template.value(parameter["value"])
    return Unknown(f"the parameter {name}, which is kept in a key vault")
