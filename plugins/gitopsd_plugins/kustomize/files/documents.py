"""From bytes to objects: every document must be a Kubernetes object, lists of objects are taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitopsd.plugin import Rejected, yaml
from gitopsd_plugins.kustomize.files import hints, parsed
from gitopsd_plugins.kustomize.objects import notes, spelled
from gitopsd_plugins.kustomize.objects.identity import text
from gitopsd_plugins.kustomize.objects.resource import Resource

_Pending = tuple[Any, Sequence[tuple[dict[str, Any], str]], str, tuple[Any, ...]]
"""A value, its blanks, where it stands in words, and the index of its document with the path from there."""


def read(data: bytes | str, file: str, *, patch: bool = False) -> list[Resource]:
    """The objects of a file, in order; what a list holds comes last. Raises `Rejected` naming file and line.

    `patch`: what is null in them takes away.
    """
    found = documents(data, file)
    hinted = hints.find(data, found)
    pending: list[_Pending] = [(d.value, d.blanks, f"{file}:{d.line}", (at,)) for at, d in enumerate(found)]
    result: list[Resource] = []
    for value, blanks, place, (at, *path) in pending:
        if value is None or value in ({}, []):
            continue
        body = _object(value, place)
        if not text(body["kind"]).endswith("List") or "items" not in body:
            spelled.keep(body, data, at, tuple(path), nulls=not patch)
            resource = Resource(body, file=file, blanks=blanks, hints=hinted)
            notes.take(resource)
            result.append(resource)
        elif isinstance(items := body["items"], list):
            within = f"{place} (in {body['kind']})"
            pending.extend((item, blanks, within, (at, *path, "items", n)) for n, item in enumerate(items))
        elif items is not None:
            raise Rejected(f"{place}: items of {body['kind']} must be a list")
    return result


def documents(data: bytes | str, file: str, dialect: yaml.Dialect = yaml.KUSTOMIZE) -> list[yaml.Document]:
    """The documents of a file, whatever they are. Raises `Rejected` naming file and line.

    Objects are read as kustomize reads them; configuration (kustomization files, JSON patches) as kubectl does.
    """
    try:
        return parsed.SHARED.read_all(data, file, dialect)
    except yaml.YamlError as error:
        raise Rejected(str(error)) from error


def _object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Rejected(f"{place}: not a Kubernetes object, but a {'list' if isinstance(value, list) else 'scalar'}")
    if not text(value.get("kind")):
        raise Rejected(f"{place}: kind is missing; every document must be a Kubernetes object")
    metadata = value.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise Rejected(f"{place}: metadata of {value['kind']} must be a map")
    if not text(value["kind"]).endswith("List") and not text((metadata or {}).get("name")):
        raise Rejected(f"{place}: {value['kind']} has no metadata.name")
    return value
