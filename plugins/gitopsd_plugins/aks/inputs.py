"""Tells the forms of input apart by their content, and reads each into configurations."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gitopsd.plugin import yaml
from gitopsd_plugins.aks import arm, az, bicep, kept
from gitopsd_plugins.aks.resource import Found, InputError, Resource, Unknown
from gitopsd_plugins.aks.resource import Path as Where

LARGEST = 16 << 20
_BICEP = re.compile(r"^\s*(resource\s+\w+\s+'[^']+@|module\s+\w+\s+'|param\s+\w+\s|targetScope\s*=|using\s+')", re.M)
_AZ = re.compile(r"\baz\s+k8s-configuration\s+flux\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the command line says beside the input."""

    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    settled: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Properties by dotted path, which take the place of what the input says."""


def read(text: str, *, file: str, folder: Path, given: Given) -> Found:
    """The configurations in a text. Raises `InputError` where it is none of the known forms."""
    found = _read(text, file, folder, given)
    if not found.resources:
        raise InputError(f"{file}: holds no flux configuration{_told(found)}")
    return replace(found, resources=tuple(_settled(resource, given.settled) for resource in found.resources))


def _told(found: Found) -> str:
    return "".join(f"; {note.text}" for note in found.notes)


def _read(text: str, file: str, folder: Path, given: Given) -> Found:
    stripped = text.lstrip("\ufeff \t\r\n")
    if stripped.startswith(("{", "[")) and not _AZ.match(stripped):
        return _json(stripped, file, given)
    if _BICEP.search(text) and not _AZ.search(text):
        return bicep.read(text.lstrip("\ufeff"), file=file, folder=folder, parameters=given.parameters)
    if f"{kept.GROUP}/" in text and "apiVersion:" in text:
        return _yaml(text, file)
    if _AZ.search(text):
        return az.read(text, file=file, folder=folder, variables=given.variables)
    raise InputError(
        f"{file}: is none of: az k8s-configuration flux commands, an ARM template, Bicep, the JSON of "
        "`az k8s-configuration flux show|list`, `kubectl get fluxconfigs -o yaml`"
    )


def _json(text: str, file: str, given: Given) -> Found:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: is not JSON: {error}") from error
    return _value(value, file, given)


def _value(value: Any, place: str, given: Given) -> Found:
    if isinstance(value, Mapping) and "resources" in value and ("$schema" in value or "contentVersion" in value):
        return arm.read(value, place=place, parameters=given.parameters)
    if kept.is_flux_config(value):
        return kept.flux_config(value, place)
    items = value if isinstance(value, list) else _items(value)
    if items is not None:
        found = Found()
        for index, item in enumerate(items):
            found += _value(item, f"{place}[{index}]", given)
        return found
    if kept.is_configuration(value):
        return kept.read(value, place)
    if isinstance(value, Mapping) and "parameters" in value:
        raise InputError(f"{place}: holds parameters; name the template, and this file with --parameters")
    raise InputError(f"{place}: is JSON, but neither an ARM template nor a flux configuration")


def _items(value: Any) -> list[Any] | None:
    for key in ("value", "items"):
        if isinstance(value, Mapping) and isinstance(value.get(key), list):
            found: list[Any] = value[key]
            return found
    return None


def _yaml(text: str, file: str) -> Found:
    try:
        documents = yaml.read_all(text.encode(), file=file)
    except yaml.YamlError as error:
        raise InputError(str(error)) from error
    found = Found()
    for document in documents:
        if document.value is not None:
            found += _value(document.value, f"{file}:{document.line}", Given())
    return found


def parameters(text: str, file: str) -> Mapping[str, Any]:
    """The values of an ARM parameters file; one from a key vault is unknown."""
    try:
        value = json.loads(text.lstrip("\ufeff"))
        rows: Mapping[str, Any] = value["parameters"]
        return {name: _parameter(name, row) for name, row in rows.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file}: is no parameters file; it has parameters.NAME.value") from error


def _parameter(name: str, row: Mapping[str, Any]) -> Any:
    return row["value"] if "value" in row else Unknown(f"the parameter {name}, which is kept in a key vault")


def _settled(resource: Resource, settled: Mapping[str, Any]) -> Resource:
    properties: dict[str, Any] = dict(resource.properties)
    name = resource.name
    for path, value in settled.items():
        steps = path.removeprefix("properties.").split(".")
        if steps == ["name"]:
            name = value
            continue
        _set(properties, steps, value)
    said: dict[Where, str] = {tuple(path.removeprefix("properties.").split(".")): "--set" for path in settled}
    origins = {**resource.origins, **said}
    return replace(resource, name=name, properties=properties, origins=origins)


def _set(inner: dict[str, Any], steps: Sequence[str], value: Any) -> None:
    """Set a value at a path; mappings on the way are copied, since the input's are not ours."""
    for step in steps[:-1]:
        below = inner.get(step)
        inner[step] = dict(below) if isinstance(below, Mapping) else {}
        inner = inner[step]
    inner[steps[-1]] = value
