"""`postBuild`: variables put into the text of each built object, which is then read again, as in Flux.

So a text may become a number or a boolean; each such change is told in a warning. Errors name object, field and variable,
and never a value, as values may come from Secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gitopsd.plugin import Rejected, yaml
from gitopsd_plugins.kustomize.app import expression
from gitopsd_plugins.kustomize.app.expression import ExpressionError
from gitopsd_plugins.kustomize.app.spec import PostBuild
from gitopsd_plugins.kustomize.objects.resource import Resource

MARKER = "kustomize.toolkit.fluxcd.io/substitute"
MAX_WARNINGS = 20
_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_QUOTED = "write ${quote}${NAME}${quote} with quote: '\"' to keep it a text"
Values = Mapping[str, bytes]


def variables(asked: PostBuild, values: Sequence[Values | None]) -> dict[str, str]:
    """All variables: of the sources in their order, the later winning, then of `substitute`; line breaks are removed.

    Raises `Rejected` naming the source of a name that is none.
    """
    found: dict[str, str] = {}
    for index, source in enumerate(asked.substitute_from):
        place = f"spec.postBuild.substituteFrom[{index}]: {source.kind}/{source.name}"
        data = values[index] if index < len(values) else None
        for name, value in (data or {}).items():
            _check(name, place)
            found[name] = _text(value, f"{place}: {name}").replace("\n", "")
    for name, text in asked.substitute.items():
        _check(name, "spec.postBuild.substitute")
        found[name] = text.replace("\n", "")
    return found


def substitute(resources: Sequence[Resource], asked: PostBuild, found: Mapping[str, str], *, strict: bool) -> list[str]:
    """Put variables into all resources that do not opt out, in place; the result are warnings.

    Without any variable nothing is done, unless the strategy says so. Raises `Rejected` naming object, field and variable.
    """
    warnings: list[str] = []
    if found or asked.substitute_strategy == "Always":
        for resource in resources:
            if "disabled" not in {resource.labels(field).get(MARKER) for field in ("labels", "annotations")}:
                warnings.extend(_into(resource, found, strict))
    if len(warnings) > MAX_WARNINGS:
        warnings[MAX_WARNINGS:] = [f"and {len(warnings) - MAX_WARNINGS} more texts became something else"]
    return warnings


def _into(resource: Resource, found: Mapping[str, str], strict: bool) -> list[str]:
    if not any("$" in text for _, text in _texts(resource.body, "")):
        return []
    named = str(resource)
    try:
        written = expression.substitute(yaml.print_all([resource.body]), found, strict=strict)
    except ExpressionError as error:
        raise Rejected(f"{named}: {_field(resource.body, found, strict)}{error}") from error
    body = _read(written, resource)
    warnings = [
        f"{named}: {path}: a text became a {_sort(new)} by substitution; {_QUOTED}"
        for path, new in _retyped(resource.body, body, "")
    ]
    resource.body = body
    return warnings


def _read(written: str, resource: Resource) -> dict[str, Any]:
    """Read the text again. What the reader complains of may quote a value, so that only its place is told."""
    try:
        documents = yaml.read_all(written, unique_keys=False)
    except yaml.YamlError as error:
        raise Rejected(
            f"{resource}: is no YAML any more after substitution, at line {error.line} of the object; "
            "a value with quotes, colons or line ends must be quoted where it is used"
        ) from None
    body = documents[0].value if documents else None
    if not isinstance(body, dict):
        raise Rejected(f"{resource}: is no object any more after substitution")
    return body


def _field(body: Any, found: Mapping[str, str], strict: bool) -> str:
    """The first field whose text cannot be substituted by itself; '' where only the whole object cannot."""
    for path, text in _texts(body, ""):
        try:
            expression.substitute(text, found, strict=strict)
        except ExpressionError:
            return f"{path}: "
    return ""


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text with its place, keys included."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            below = f"{path}.{key}" if path else key
            if "$" in key:
                yield below, key
            yield from _texts(item, below)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}[{index}]")


def _retyped(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Places where a text became something else."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key, item in old.items():
            if key in new:
                yield from _retyped(item, new[key], f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list):
        for index, (one, other) in enumerate(zip(old, new, strict=False)):
            yield from _retyped(one, other, f"{path}[{index}]")
    elif isinstance(old, str) and isinstance(new, bool | int | float):
        yield path, new


def _sort(value: Any) -> str:
    return "boolean" if isinstance(value, bool) else "number"


def _check(name: str, place: str) -> None:
    if not _NAME.fullmatch(name):
        raise Rejected(f"{place}: {name!r} var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'")


def _text(value: bytes, place: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Rejected(f"{place}: the value is not UTF-8 text") from None
