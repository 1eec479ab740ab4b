"""`az k8s-configuration flux create` and `... kustomization create` as configurations. The commands are read, never run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitopsd.plugin.imports import Note
from gitopsd_plugins.aks import az_options, words
from gitopsd_plugins.aks.az_options import BLOCKS, CLUSTER, IGNORED, KEYS, KINDS, KUSTOMIZATION_OPTIONS, OPTIONS, Option
from gitopsd_plugins.aks.az_values import Forms
from gitopsd_plugins.aks.resource import Found, InputError, Resource
from gitopsd_plugins.aks.resource import Path as Where

FLUX = ("az", "k8s-configuration", "flux")
EXTENSION = ("az", "k8s-extension")
_CREATE, _ADD = ("create",), ("kustomization", "create")
_LOOKS = {"show", "list", "deployed-object", "delete"}


@dataclass(slots=True)
class _Configuration:
    """One configuration while the commands about it are read."""

    place: str
    properties: dict[str | int, Any] = field(default_factory=dict)
    origins: dict[Where, str] = field(default_factory=dict)
    cluster: str = ""

    def set(self, path: Where, value: Any, origin: str) -> None:
        """Raises `InputError` where two options say the same thing."""
        inner: dict[str | int, Any] = self.properties
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
        if path[-1] in inner:
            raise InputError(f"{self.place}: {origin}: {self.origins[path]} says that already; leave one of them out")
        inner[path[-1]] = value
        self.origins[path] = origin


def read(text: str, *, file: str, folder: Path, variables: Mapping[str, str]) -> Found:
    """All configurations of a script. Raises `InputError` for what az itself would refuse too, and for what it misreads."""
    forms = Forms(folder)
    found: dict[str, _Configuration] = {}
    notes: list[Note] = []
    for command in words.commands(text, variables, FLUX):
        place = f"{file}:{command.line}"
        verb = tuple(word for word in command.words[3:5] if not word.startswith("-"))
        if verb[:2] == _ADD:
            _added(_options(command.words[5:], place), found, forms, place)
        elif verb[:1] == _CREATE:
            name, configuration = _created(_options(command.words[4:], place), forms, place)
            key = f"{configuration.cluster}/{name}"
            if key in found:
                raise InputError(f"{place}: {name} is created twice for one cluster, first at {found[key].place}")
            found[key] = configuration
        else:
            looks = bool(set(verb[:2]) & _LOOKS)
            notes.append(
                Note(text=f"{place}: {' '.join(command.words[:5])}: is not an import's matter", lost=not looks)
            )
    settings, said = _extension(text, variables, forms)
    resources = tuple(_resource(key.partition("/")[2], it) for key, it in found.items())
    return Found(resources=resources, settings=settings, notes=(*notes, *said, *forms.notes.values()))


def _resource(name: str, found: _Configuration) -> Resource:
    return Resource(
        name=name,
        properties={str(k): v for k, v in found.properties.items()},
        place=found.place,
        origins=found.origins,
        cluster=found.cluster,
    )


def _options(given: Sequence[str], place: str) -> Iterator[tuple[str, Sequence[str]]]:
    """Each option with all words up to the next one."""
    name, values = "", list[str]()
    for word in given:
        if word.startswith("-") and not _negative(word):
            if name:
                yield name, values
            head, sign, rest = word.partition("=") if word.startswith("--") else (word, "", "")
            name, values = head, [rest] if sign else []
        elif not name:
            raise InputError(f"{place}: {word!r} stands before any option")
        else:
            values.append(word)
    if name:
        yield name, values


def _negative(word: str) -> bool:
    return word[1:].isdigit()


def _created(given: Iterable[tuple[str, Sequence[str]]], forms: Forms, place: str) -> tuple[str, _Configuration]:
    options = list(given)
    kind = next((values[0] for name, values in options if name == "--kind" and values), "git")
    if kind not in BLOCKS:
        raise InputError(f"{place}: --kind: {kind!r} is no kind of source; use {', '.join(BLOCKS)}")
    found = _Configuration(place=place, properties={"sourceKind": KINDS[kind]})
    name = ""
    for option, values in options:
        known = OPTIONS.get(option)
        if option in CLUSTER and values:
            found.cluster = values[0]
        if option == "--kind" or option in IGNORED:
            continue
        if known is None:
            raise InputError(f"{place}: unknown option {option}")
        if known.kinds and kind not in known.kinds:
            raise InputError(f"{place}: {option} belongs to --kind {' or '.join(known.kinds)}, and this one is {kind}")
        if known.form == "kustomization":
            _kustomization(values, found, forms)
            continue
        value = forms.read(known.form, values, option)
        if known.path == "name":
            name = value
        else:
            found.set(_path(known, kind), value, option)
    if not name:
        raise InputError(f"{place}: --name is missing")
    return name, found


def _path(option: Option, kind: str) -> Where:
    head, *rest = option.path.split(".")
    if head == "{block}":
        return (BLOCKS[kind], *rest)
    return ("configurationProtectedSettings", *rest) if head == "protected" else (head, *rest)


def _kustomization(pairs: Sequence[str], found: _Configuration, forms: Forms) -> None:
    """One `--kustomization name=... path=...`; a word without `=` goes on with the value before it."""
    read: dict[str, str] = {}
    last = ""
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if sign and key in KEYS:
            last, read[key] = key, value
        elif last and KEYS[last].form == "names":
            read[last] += f",{pair}"
        elif sign:
            raise InputError(f"{found.place}: --kustomization: unknown key {key!r}; known: {', '.join(KEYS)}")
        else:
            raise InputError(
                f"{found.place}: --kustomization: {pair!r} is not KEY=VALUE; put quotes around a value with blanks"
            )
    name = read.pop("name", "")
    if not name:
        raise InputError(f"{found.place}: --kustomization: name=... is missing")
    if name in found.properties.get("kustomizations", {}):
        raise InputError(f"{found.place}: --kustomization: {name!r} is given twice")
    found.set(("kustomizations", name), {}, "--kustomization")
    for key, value in read.items():
        option = KEYS[key]
        origin = f"--kustomization {name} {key}="
        found.set(("kustomizations", name, option.path), forms.read(option.form, [value], key), origin)


def _added(
    given: Iterable[tuple[str, Sequence[str]]], found: Mapping[str, _Configuration], forms: Forms, place: str
) -> None:
    """A `flux kustomization create` on top of a configuration of the same text."""
    values: dict[str, tuple[str, Any]] = {}
    cluster = ""
    for option, words_of in given:
        if option in CLUSTER and words_of:
            cluster = words_of[0]
        if option in IGNORED:
            continue
        known = az_options.KUSTOMIZATION_OPTIONS.get(option)
        if known is None:
            raise InputError(f"{place}: unknown option {option}; known: {', '.join(KUSTOMIZATION_OPTIONS)}")
        values[known.path] = (option, forms.read(known.form, words_of, option))
    _, name = values.pop("name", ("", ""))
    _, key = values.pop("key", ("", ""))
    configuration = found.get(f"{cluster}/{name}")
    if configuration is None or not key:
        raise InputError(
            f"{place}: needs --kustomization-name, and a `flux create --name {name}` above it in the same text"
        )
    configuration.set(("kustomizations", key), {}, place)
    for path, (option, value) in values.items():
        configuration.set(("kustomizations", key, path), value, option)


def _extension(text: str, variables: Mapping[str, str], forms: Forms) -> tuple[Mapping[str, str], Sequence[Note]]:
    """The settings of the flux extension, where the same text makes it; a line with unknown variables says nothing."""
    settings: dict[str, str] = {}
    try:
        commands = words.commands(text, variables, EXTENSION)
    except InputError as error:
        return {}, [Note(text=f"the extension's settings are not read: {error}", lost=True)]
    for command in commands:
        options = list(_options(command.words[3:], ""))
        if ("--extension-type", ["microsoft.flux"]) not in [(name, list(values)) for name, values in options]:
            continue
        for name, values in options:
            if name in {"--config", "--configuration-settings"}:
                settings |= forms.read("pairs", values, name)
    return settings, []
