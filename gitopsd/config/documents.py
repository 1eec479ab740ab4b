"""What the files say, before anybody asks what it means: documents with their places, in layers, one for each `-c`.

It knows YAML and the envelope that every document shares (apiVersion, kind, metadata), and no kind. Lists are taken apart
here, so that `kubectl get -o yaml` output can be declared as it is.
"""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitopsd.config import files
from gitopsd.config.files import Text, Unreadable
from gitopsd.config.problems import Path as JsonPath
from gitopsd.config.problems import Problem
from gitopsd.plugin import ObjectRef, Place, SpecError, keys, yaml
from gitopsd.plugin.yaml import YamlError

NAMESPACE = "flux-system"
"""The namespace of a declared object that names none."""
SETTINGS = (keys.GROUP, "Settings")
CLUSTER = (keys.GROUP, "Cluster")

_BREAK = re.compile(rb"\r\n|[\r\n]|\xc2\x85|\xe2\x80[\xa8\xa9]")
"""What ends a line in YAML, in UTF-8."""
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Identity:
    """Which object a document is about. Files that come later override earlier ones by it."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)

    @property
    def ref(self) -> ObjectRef:
        """The same as the core names it."""
        return ObjectRef(kind=self.kind, namespace=self.namespace, name=self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One document where it stands. `text` is its part of the file, by which the line of a field is found again.

    `inside` is the path to it from there, for the item of a list; `place` is then that of the list.
    """

    identity: Identity
    version: str
    value: Mapping[str, Any] = field(repr=False)
    place: Place
    text: bytes = field(default=b"", repr=False)
    inside: JsonPath = ()

    def problem(self, message: str, path: JsonPath = ()) -> Problem:
        """What is wrong at a path of this document, with the line of it."""
        return Problem(
            place=self.at(path), message=message, subject=str(self.identity), path=path, ref=self.identity.ref
        )

    def at(self, path: JsonPath) -> Place:
        """The place of a path in the document, or of the nearest part above that is written."""
        return _at(self.place, self.text, (*self.inside, *path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """All documents, one layer for each `-c`, and what could not be read as documents at all.

    `skipped` are the places of kustomize's own files, which may lie beside Flux's and declare nothing.
    """

    layers: tuple[tuple[Written, ...], ...]
    problems: tuple[Problem, ...] = ()
    skipped: tuple[Place, ...] = ()


def gather(paths: Sequence[Path]) -> Gathered:
    """Read all files of all `-c` paths. What is wrong becomes a problem; nothing is raised."""
    found = _Found()
    layers = tuple(tuple(d for text in _texts(path, found) for d in _documents(text, found)) for path in paths)
    return Gathered(layers=layers, problems=tuple(found.problems), skipped=tuple(found.skipped))


def written(value: Mapping[str, Any], place: Place) -> Written:
    """A rendered object as a document. Raises `SpecError` for a wrong envelope."""
    identity, version = _envelope(value)
    return Written(identity=identity, version=version, value=value, place=place)


def overridden(layers: Iterable[Iterable[Written]]) -> tuple[Mapping[Identity, Written], Sequence[Problem]]:
    """One document for each identity: later layers win, and two in the same layer are a problem that names both places."""
    merged: dict[Identity, Written] = {}
    problems: list[Problem] = []
    for layer in layers:
        own: dict[Identity, Written] = {}
        for document in layer:
            first = own.setdefault(document.identity, document)
            if first is not document:
                problems.append(document.problem(f"declared twice, first at {first.at(())}; remove one"))
        merged.update(own)
    return merged, problems


@dataclass(slots=True)
class _Found:
    problems: list[Problem] = field(default_factory=list)
    skipped: list[Place] = field(default_factory=list)
    size: int = 0


def _texts(path: Path, found: _Found) -> Iterator[Text]:
    try:
        names = files.find(path)
    except Unreadable as error:
        found.problems.append(error.problem())
        return
    for name in names:
        try:
            text = files.read(name, files.MAX_TOTAL - found.size)
        except Unreadable as error:
            found.problems.append(error.problem())
        else:
            found.size += len(text.content)
            yield text


def _documents(text: Text, found: _Found) -> Iterator[Written]:
    try:
        documents = yaml.read_all(text.content, file=text.name)
    except YamlError as error:
        message = str(error).removeprefix(f"{text.name}:{error.line}:")  # the place is told by the problem
        found.problems.append(Problem(place=Place(file=text.name, line=error.line), message=f"column {message}"))
        return
    parts = _parts(text.content, [document.line for document in documents])
    for document, part in zip(documents, parts, strict=True):
        place = Place(file=text.name, line=document.line)
        for value, inside in _items(document.value):
            if _is_kustomize(value):
                found.skipped.append(place)
                continue
            try:
                identity, version = _envelope(value)
            except SpecError as error:
                at = _at(place, part, (*inside, *error.path))
                found.problems.append(Problem(place=at, message=str(error), subject=subject(value), path=error.path))
                continue
            yield Written(identity=identity, version=version, value=value, place=place, text=part, inside=inside)


def _parts(content: bytes, lines: Sequence[int]) -> Sequence[bytes]:
    """The text cut before each of these lines, so that finding a field costs no more than its document is long."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return [b""] * len(lines)
    starts = [0, *(found.end() for found in _BREAK.finditer(content)), len(content)]
    cuts = [starts[line - 1] for line in lines] + [len(content)]
    return [content[start:end] for start, end in itertools.pairwise(cuts)]


def _at(place: Place, text: bytes, path: JsonPath) -> Place:
    if not text or not path:
        return place
    try:
        line, _ = yaml.locate(text, path)
    except YamlError:  # a part that needs a directive from above it; its beginning is still a place
        return place
    return Place(file=place.file, line=place.line + line - 1)


def _is_kustomize(value: Any) -> bool:
    return isinstance(value, Mapping) and str(value.get("apiVersion", "")).startswith("kustomize.config.k8s.io/")


def _items(value: Any) -> Iterable[tuple[Any, JsonPath]]:
    """The document itself, the items of a `List`, or nothing for an empty document."""
    if value is None:
        return
    items = value.get("items") if isinstance(value, Mapping) else None
    if isinstance(items, list) and str(value.get("kind")).endswith("List"):
        yield from ((item, ("items", index)) for index, item in enumerate(items))
    else:
        yield value, ()


def _envelope(value: Any) -> tuple[Identity, str]:
    """Who a document is about, and the version of its group. Raises `SpecError`."""
    if not isinstance(value, Mapping):
        raise SpecError("is not an object; write apiVersion, kind, metadata and spec")
    group, _, version = _text(value, "apiVersion").rpartition("/")
    kind = _text(value, "kind")
    metadata = value.get("metadata", {})
    if not isinstance(metadata, Mapping):
        raise SpecError("is not a mapping", path=("metadata",))
    if (group, kind) == SETTINGS:
        return Identity(group=group, kind=kind, namespace="", name=""), version
    name = _name(metadata, "name", 253)
    if (group, kind) == CLUSTER:
        if metadata.get("namespace"):
            raise SpecError("a Cluster has no namespace; remove it", path=("metadata", "namespace"))
        return Identity(group=group, kind=kind, namespace="", name=name), version
    _check_texts(metadata)
    namespace = NAMESPACE if metadata.get("namespace") is None else _name(metadata, "namespace", 63)
    return Identity(group=group, kind=kind, namespace=namespace, name=name), version


def subject(value: Any) -> str:
    """The best name for an object whose envelope is wrong."""
    if not isinstance(value, Mapping):
        return ""
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else ""
    return "/".join(str(part)[:80] for part in (value.get("kind"), name) if part)


def _text(value: Mapping[str, Any], key: str, path: JsonPath = ()) -> str:
    text = value.get(key)
    if not isinstance(text, str) or not text:
        raise SpecError("is missing or not a text", path=(*path, key))
    return text


def _name(metadata: Mapping[str, Any], key: str, longest: int) -> str:
    name = _text(metadata, key, ("metadata",))
    if len(name) > longest or not _NAME.fullmatch(name):
        rule = f"use lower case letters, digits, '-' and '.', at most {longest}"
        raise SpecError(f"{name[:80]!r} is not a {key}; {rule}", path=("metadata", key))
    return name


def _check_texts(metadata: Mapping[str, Any]) -> None:
    for table in ("labels", "annotations"):
        entries = metadata.get(table) or {}
        if not isinstance(entries, Mapping):
            raise SpecError("is not a mapping", path=("metadata", table))
        for key, value in entries.items():
            if not isinstance(value, str):
                raise SpecError("is not a text; put it in quotes", path=("metadata", table, key))
