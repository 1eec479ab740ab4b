"""A folder that holds configurations beside one another, named as if it were one: told before what follows from it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

from gitopsd.config.documents import Written
from gitopsd.config.problems import Problem
from gitopsd.plugin import Place, keys


def problems(layers: Iterable[Iterable[Written]]) -> tuple[Problem, ...]:
    """For each `-c` where files of different folders declare the same `Cluster` or `Settings`: name one of these folders."""
    return tuple(problem for layer in layers for problem in _of_layer(layer))


def _of_layer(layer: Iterable[Written]) -> list[Problem]:
    places: dict[object, list[PurePath]] = {}
    for document in layer:
        if document.identity.group == keys.GROUP:
            places.setdefault(document.identity, []).append(PurePath(document.place.file).parent)
    found = {}
    for folders in places.values():
        above = _common(folders)
        below = sorted({folder.relative_to(above).parts[0] for folder in folders if folder != above})
        if len(below) > 1:
            found[str(above)] = f"holds several configurations ({', '.join(below)}); name one of them with -c"
    return [Problem(place=Place(file=folder), message=message) for folder, message in found.items()]


def _common(folders: Iterable[PurePath]) -> PurePath:
    first, *others = folders
    above = first
    while not all(folder.is_relative_to(above) for folder in others):
        above = above.parent
    return above
