"""In what form an answer is wanted: JSON or YAML, whole, as a table, or metadata only; and what is not to be had.

It reads the header `Accept` as the API server does, clause by clause, the most wanted first, and knows no objects.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gitopsd_plugins.sandbox.facts.resources import Resource
from gitopsd_plugins.sandbox.requests import status

OBJECTS = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
STREAMS = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
TABLE, PARTIAL, PARTIAL_LIST = "Table", "PartialObjectMetadata", "PartialObjectMetadataList"
VERSIONS = ("v1", "v1beta1")
_TYPES = {"application/json": "json", "application/yaml": "yaml", "application/*": "json", "*/*": "json"}
_ROUTED = (*OBJECTS.split(", "), "*/*")
_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FOR_PEOPLE = ("curl", "Wget", "Mozilla/5.0")
"""How the names of programs begin that show what they get."""


class Form(Struct, frozen=True, kw_only=True):
    """What is wanted. `shape` is '' for objects as they are."""

    yaml: bool = False
    pretty: bool = False
    """Whether people are to read it."""
    shape: str = ""
    version: str = "meta.k8s.io/v1"
    """Of the shape."""


PLAIN = Form()


@lru_cache(maxsize=512)
def form(accept: str) -> Form | None:
    """The first form wanted that there is; None for none."""
    if not accept:
        return PLAIN
    return next((found for kind, options in _clauses(accept) if (found := _form(kind, options)) is not None), None)


@lru_cache(maxsize=512)
def _is_routed(accept: str) -> bool:
    """Whether it leads to a built-in resource at all."""
    return any(kind in _ROUTED for kind, _ in _clauses(accept))


def _clauses(accept: str) -> list[tuple[str, dict[str, str]]]:
    found = []
    for clause in accept.split(","):
        kind, *options = (part.strip() for part in clause.split(";"))
        found.append((kind, {name: value for name, _, value in (each.partition("=") for each in options)}))
    return sorted(found, key=lambda each: -_weight(each[1].get("q", "1")))


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


def _form(kind: str, options: dict[str, str]) -> Form | None:
    if kind not in _TYPES:
        return None
    found = Form(yaml=_TYPES[kind] == "yaml", pretty=options.get("pretty") == "1")
    if "as" not in options:
        return found
    version, shape = options.get("v", ""), options["as"]
    if options.get("g") != "meta.k8s.io" or version not in VERSIONS or shape not in (TABLE, PARTIAL, PARTIAL_LIST):
        return None
    return replace(found, shape=shape, version=f"meta.k8s.io/{version}")


def checked(accept: str, verb: str, resource: Resource) -> Form:
    """The form of the answer to a request. Raises `Refused` (406)."""
    found = form(accept)
    if accept and not resource.custom and not _is_routed(accept):
        offered = f"{OBJECTS}, {STREAMS}" if verb in ("list", "watch") else OBJECTS
        told = f"406: Not Acceptable\n\nAvailable representations: {offered}"
        raise status.Refused(406, "NotAcceptable", told, details={})
    if found is None:
        raise status.not_acceptable(f"only the following media types are accepted: {OBJECTS}")
    if found.yaml and verb == "watch":
        raise status.not_acceptable(f"only the following media types are accepted: {STREAMS}")
    if found.shape and verb != "watch":
        _check_shape(found, resource, is_list=verb in ("list", "deletecollection"))
    return found


def _check_shape(wanted: Form, resource: Resource, *, is_list: bool) -> None:
    """Refuse the metadata of a list where there is one object, and the other way about. Raises `Refused`."""
    package = (
        "unstructured.Unstructured"
        if resource.custom
        else f"{resource.group.partition('.')[0] or 'core'}.{resource.kind}"
    )
    if is_list and wanted.shape == PARTIAL:
        told = f"you requested {PARTIAL}, but the requested object is a list (*{package}List)"
        raise status.not_acceptable(told)
    if not is_list and wanted.shape == PARTIAL_LIST:
        if resource.custom:
            raise status.Refused(500, "", "content is not a list")
        raise status.not_acceptable(
            f"you requested {PARTIAL_LIST}, but the requested object is not a list (*{package})"
        )


def is_pretty(wanted: Form | None, option: str, agent: str) -> bool:
    """Whether JSON is to be indented: as the option `pretty` says, else where the form or the program asks for it."""
    if option:
        return option in _TRUE or (wanted is not None and wanted.pretty)
    return agent.startswith(_FOR_PEOPLE) or (wanted is not None and wanted.pretty)


def yaml(document: Any) -> str:
    """A document as YAML, its keys in order."""
    from gitopsd.plugin import yaml as reader  # here, because most clients want JSON, and a sandbox should start soon

    return reader.write(document, sort_keys=True)
