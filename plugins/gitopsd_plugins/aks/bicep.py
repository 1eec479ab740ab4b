"""Bicep, by the subset that flux resources are written in: parameters, variables, conditions, loops and local modules.

What the file leaves to Azure or to a parameter is unknown, and an error only where it ends up in the result. Text is read
from files beside the Bicep file and from nowhere else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gitopsd.plugin.imports import Note
from gitopsd_plugins.aks import bicep_expression, bicep_file, evaluation
from gitopsd_plugins.aks.arm import CONFIGURATION, DEEPEST, EXTENSION
from gitopsd_plugins.aks.bicep_file import BicepFile, Statement
from gitopsd_plugins.aks.bicep_tokens import Token
from gitopsd_plugins.aks.evaluation import Scope
from gitopsd_plugins.aks.resource import Found, InputError, Resource, Unknown
from gitopsd_plugins.aks.syntax import Node


@dataclass(slots=True)
class _File:
    """One file while it is read, with the values of its parameters."""

    bicep: BicepFile
    folder: Path
    given: Mapping[str, Any]
    depth: int = 0
    under_way: set[str] = field(default_factory=set)

    @property
    def scope(self) -> Scope:
        return Scope(name=self.name, special=self._special)

    def node(self, tokens: Sequence[Token]) -> Node:
        return bicep_expression.parsed(tokens, file=self.bicep.file)

    def name(self, name: str) -> Any:
        """A parameter, a variable, or something that only Azure knows."""
        if name in self.given and name in self.bicep.params:
            return self.given[name]
        statement = self.bicep.params.get(name) or self.bicep.variables.get(name)
        if statement is None:
            return self._resource(name)
        if not statement.value:
            return Unknown(f"the parameter {name}, which has no value")
        if name in self.under_way:
            return Unknown(f"{name}, which refers to itself")
        self.under_way.add(name)
        try:
            return evaluation.value(self.node(statement.value), self.scope)
        finally:
            self.under_way.discard(name)

    def _resource(self, name: str) -> Any:
        """Of a resource its name is known, as far as it is written; of a module nothing."""
        found = next((r for r in self.bicep.resources if r.name == name), None)
        if found is None:
            module = any(m.name == name for m in self.bicep.modules)
            return Unknown(f"an output of the module {name}" if module else f"{name}, which is not declared here")
        if [token.text for token in found.value[:2]] == ["[", "for"]:
            return evaluation.value(self.node(found.value), self.scope)
        return _Symbol(self, found)

    def _special(self, name: str, arguments: tuple[Any, ...]) -> Any:
        match name, arguments:
            case "loadtextcontent", (str(file), *_):
                return self._read(file).decode("utf-8", "replace")
            case "loadfileasbase64", (str(file),):
                return base64.b64encode(self._read(file)).decode()
            case "loadjsoncontent", (str(file), *_):
                return _json(self._read(file), f"{self.bicep.file}: {file}")
        return NotImplemented

    def _read(self, name: str) -> bytes:
        if "\0" in name:
            raise InputError(f"{self.bicep.file}: {name!r} is no name of a file")
        path = (self.folder / name).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise InputError(f"{self.bicep.file}: {name} lies outside of {self.folder}; copy it there")
        try:
            return path.read_bytes()
        except OSError as error:
            raise InputError(f"{self.bicep.file}: {name} cannot be read: {error.strerror}") from error


class _Symbol(Mapping[str, Any]):
    """A resource where an expression names it: its name is read when it is asked for, all else only Azure knows."""

    def __init__(self, file: _File, statement: Statement) -> None:
        self._file, self._statement = file, statement

    def __getitem__(self, key: str) -> Any:
        if key == "name":
            return self._name()
        return Unknown(f"{self._statement.name}.{key}, which only Azure knows")

    def _name(self) -> Any:
        try:
            body = evaluation.value(self._file.node(self._statement.value), self._file.scope)
        except InputError:  # the rest of it is no business of a flux resource, and may use what is not read here
            return Unknown(f"the name of {self._statement.name}")
        return body.get("name") if isinstance(body, Mapping) else body

    def __iter__(self) -> Any:
        return iter(("name", "id", "properties"))

    def __len__(self) -> int:
        return 3


def read(source: str, *, file: str, folder: Path, parameters: Mapping[str, Any]) -> Found:
    """Every flux configuration of a file and of its local modules. Raises `InputError` with the line."""
    bicep = bicep_file.read(source, file)
    if bicep.using:
        return _used(bicep, folder, parameters)
    return _file(_File(bicep, folder, parameters))


def _used(parameters_file: BicepFile, folder: Path, parameters: Mapping[str, Any]) -> Found:
    """A `.bicepparam` file: its values, for the file that it names."""
    here = _File(parameters_file, folder, {})
    values = {name: here.name(name) for name in parameters_file.params}
    path = folder / parameters_file.using
    return read(_content(path), file=str(path), folder=path.parent, parameters={**values, **parameters})


def _file(here: _File) -> Found:
    if here.depth > DEEPEST:
        raise InputError(f"{here.bicep.file}: modules are nested deeper than {DEEPEST}")
    found = Found()
    for statement in here.bicep.resources:
        kind = statement.type.partition("@")[0].lower()
        if not statement.existing and kind in {CONFIGURATION, EXTENSION}:
            make = _configuration if kind == CONFIGURATION else _extension
            found += _each(statement, here, make)
    for statement in here.bicep.modules:
        found += _module(statement, here)
    return found


def _each(statement: Statement, here: _File, make: Callable[[Statement, Any, _File], Found]) -> Found:
    """The body, once for each turn of a loop, and not at all where its condition is false."""
    tokens, condition = _conditional(statement, here)
    if condition is False:
        return Found()
    body = evaluation.value(here.node(tokens), here.scope)
    found = Found()
    for one in body if isinstance(body, list) else [body]:
        found += make(statement, one, here)
    return found


def _conditional(statement: Statement, here: _File) -> tuple[Sequence[Token], Any]:
    """`if (condition) {...}` taken apart; a condition that is not known counts as true."""
    tokens = statement.value
    if not tokens:
        raise InputError(f"{here.bicep.file}:{statement.line}: {statement.word} {statement.name} has no body")
    if tokens[0].text != "if":
        return tokens, True
    depth = 0
    for index, token in enumerate(tokens):
        depth += (token.text == "(" and token.kind == "mark") - (token.text == ")" and token.kind == "mark")
        if depth == 0 and index:
            end = replace(token, kind="end", text="")
            return tokens[index + 1 :], evaluation.value(here.node((*tokens[1 : index + 1], end)), here.scope)
    raise InputError(f"{here.bicep.file}:{statement.line}: the condition of {statement.name} is never closed")


def _configuration(statement: Statement, body: Any, here: _File) -> Found:
    place = f"{here.bicep.file}:{statement.line}"
    if not isinstance(body, Mapping):
        body = {"name": body, "properties": {}}
    properties, scope = body.get("properties") or {}, body.get("scope")
    if isinstance(properties, Unknown):
        properties = {"sourceKind": properties}
    cluster = scope.get("name") if isinstance(scope, Mapping) else ""
    resource = Resource(
        name=body.get("name"), properties=properties, place=place, cluster=cluster if isinstance(cluster, str) else ""
    )
    return Found(resources=(resource,))


def _extension(statement: Statement, body: Any, here: _File) -> Found:
    properties = body.get("properties") if isinstance(body, Mapping) else None
    if not isinstance(properties, Mapping) or str(properties.get("extensionType")).lower() != "microsoft.flux":
        return Found()
    settings = properties.get("configurationSettings")
    known = settings if isinstance(settings, Mapping) else {}
    return Found(settings={key: str(value) for key, value in known.items() if not isinstance(value, Unknown)})


def _module(statement: Statement, here: _File) -> Found:
    """A local module is read with the parameters that it gets; one from a registry is only named."""
    if statement.type.startswith(("br:", "br/", "ts:", "ts/")):
        text = f"{here.bicep.file}:{statement.line}: the module {statement.type} comes from a registry and is not read"
        return Found(notes=(Note(text=text),))
    path = here.folder / statement.type
    source = _content(path)
    if CONFIGURATION.rpartition("/")[2] not in source.lower() and "module " not in source:
        return Found()

    def inside(_: Statement, body: Any, here: _File) -> Found:
        given = body.get("params") if isinstance(body, Mapping) else None
        inner = bicep_file.read(source, str(path))
        values = dict(given) if isinstance(given, Mapping) else {}
        return _file(_File(inner, path.parent, values, here.depth + 1))

    return _each(statement, here, inside)


def _content(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError) as error:  # a name with a null byte, or no UTF-8
        raise InputError(f"{path}: cannot be read; keep the modules beside the file that names them") from error


def _json(content: bytes, place: str) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise InputError(f"{place}: is not JSON: {error}") from error
