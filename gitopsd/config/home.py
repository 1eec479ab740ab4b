"""The file home: what the `-c` paths declare, as one checked value, or every reason why not.

Three steps, because plugins give kinds their meaning and the settings say which plugins are loaded:

    gathered = documents.gather(paths)                           # no kind is known yet
    registry = plugin.registry.load(disabled=home.settings(gathered).plugins.disabled)
    declared = home.declare(gathered, registry)

Rendered manifests join by `children`. Nothing here writes, waits, or keeps state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gitopsd.config import cluster, documents, kinds, mentions, quantities, references, secrets, several
from gitopsd.config.cluster import Cluster
from gitopsd.config.declared_set import Children, DeclaredSet, Key
from gitopsd.config.documents import CLUSTER, SETTINGS, Gathered, Identity, Written
from gitopsd.config.problems import ConfigError, Path, Problem, near
from gitopsd.config.references import Misfit
from gitopsd.config.secrets import Data
from gitopsd.config.settings import Settings, SettingsDocument
from gitopsd.plugin import Broken, Declared, Intent, Misconfigured, ObjectRef, Place, SpecError, spec
from gitopsd.plugin.registry import Registry

SECRET = ("", "Secret")
CONFIG_MAP = ("", "ConfigMap")
KUSTOMIZE = "skipped, as a file of kustomize's own declares nothing; name the files that it lists"
PART_OF = "app.kubernetes.io/part-of"


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What was understood so far."""

    registry: Registry
    settings: Settings = field(default_factory=Settings)
    clusters: dict[str, Cluster] = field(default_factory=dict)
    objects: dict[ObjectRef, Declared] = field(default_factory=dict)
    intents: dict[ObjectRef, Intent] = field(default_factory=dict)
    secrets: dict[Key, Data] = field(default_factory=dict)
    config_maps: dict[Key, Data] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def settings(gathered: Gathered) -> Settings:
    """The settings that are in force: those of the last `-c` that has any, else the defaults. Raises `ConfigError`."""
    merged, _ = documents.overridden(gathered.layers)
    document = next((d for i, d in merged.items() if _pair(i) == SETTINGS), None)
    if document is None:
        return Settings()
    try:
        return spec.decode(document.value, SettingsDocument, quantities.decode).spec
    except SpecError as error:
        raise ConfigError([document.problem(str(error), error.path)]) from error


def declare(gathered: Gathered, registry: Registry) -> DeclaredSet:
    """Everything that the documents declare. Raises one `ConfigError` with all that is wrong with them."""
    merged, duplicates = documents.overridden(gathered.layers)
    apart = several.problems(gathered.layers)
    reading = _Reading(registry=registry, problems=[*apart, *gathered.problems, *duplicates])
    reading.warnings.extend(Problem(place=place, message=KUSTOMIZE) for place in gathered.skipped)
    try:
        reading.settings = settings(gathered)
    except ConfigError as error:
        reading.problems.extend(error.problems)
    _check_names(merged, reading)
    _read_all(merged, reading)
    _check_references(merged, reading)
    if reading.problems:
        raise ConfigError(reading.problems)
    return DeclaredSet(
        settings=reading.settings,
        clusters=reading.clusters,
        objects=reading.objects,
        intents=reading.intents,
        secrets=reading.secrets,
        config_maps=reading.config_maps,
        warnings=tuple(reading.warnings),
    )


def children(
    bodies: Iterable[Mapping[str, Any]],
    *,
    parent: ObjectRef,
    known: Mapping[ObjectRef, Declared],
    registry: Registry,
    settings: Settings,
) -> Children:
    """The declared objects among an app's rendered manifests; all other manifests are passed over.

    `known` is every declared object of the moment, children included. What a file or another app declares is left to it. A broken child is a problem of its own and stops no other one.
    """
    place = Place(file=f"rendered by {parent}")
    objects: dict[ObjectRef, Declared] = {}
    intents: dict[ObjectRef, Intent] = {}
    problems: list[Problem] = []
    left: set[ObjectRef] = set()
    for body in bodies:
        if not declares(body, registry):
            continue
        try:
            document = documents.written(body, place)
        except SpecError as error:
            subject = documents.subject(body)
            problems.append(Problem(place=place, message=str(error), subject=subject, path=error.path))
            continue
        before = known.get(document.identity.ref)
        if before is not None and before.parent != parent:
            left.add(before.ref)
            continue
        child = kinds.declared(document, parent)
        objects[child.ref] = child
        try:
            intents[child.ref] = kinds.intent(document, child, registry, settings.kinds)
        except Misconfigured as error:
            problems.append(document.problem(str(error), getattr(error, "path", ())))
            intents[child.ref] = Broken(ref=child.ref, message=problems[-1].told)
    return Children(objects=objects, intents=intents, problems=tuple(problems), left=frozenset(left))


def declares(body: Mapping[str, Any], registry: Registry) -> bool:
    """True for a manifest that is a declared object, not one to apply."""
    group = str(body.get("apiVersion", "")).rpartition("/")[0]
    return kinds.known(registry, group, str(body.get("kind", "")))


def _read_all(merged: Mapping[Identity, Written], reading: _Reading) -> None:
    skipped: list[Written] = []
    for document in merged.values():
        if _is_flux_itself(document, reading.registry):
            skipped.append(document)
            continue
        try:
            _read(document, reading)
        except Misconfigured as error:
            reading.problems.append(document.problem(str(error), getattr(error, "path", ())))
    reading.warnings.extend(_skipped(skipped))


def _read(document: Written, reading: _Reading) -> None:
    identity = document.identity
    match _pair(identity):
        case pair if pair == SETTINGS:
            return
        case pair if pair == CLUSTER:
            found = cluster.read(document, reading.registry.accesses)
            reading.clusters[found.name] = found
        case pair if pair == SECRET:
            reading.secrets[identity.namespace, identity.name] = secrets.secret(document.value)
        case pair if pair == CONFIG_MAP:
            reading.config_maps[identity.namespace, identity.name] = secrets.config_map(document.value)
        case _:
            declared = kinds.declared(document)
            if declared.ref in reading.objects:
                raise SpecError(f"another group declares a {identity.kind} of this name; give one another name")
            reading.objects[declared.ref] = declared
            reading.intents[declared.ref] = kinds.intent(document, declared, reading.registry, reading.settings.kinds)


def _is_flux_itself(document: Written, registry: Registry) -> bool:
    """True for the manifests of Flux's controllers, which `flux bootstrap` puts beside its declared objects."""
    labels = document.value.get("metadata", {}).get("labels") or {}
    return labels.get(PART_OF) == "flux" and not kinds.known(registry, document.identity.group, document.identity.kind)


def _skipped(found: list[Written]) -> Iterable[Problem]:
    """One warning for each file that holds foreign documents."""
    by_file: dict[str, list[Written]] = {}
    for document in found:
        by_file.setdefault(document.place.file, []).append(document)
    for written in by_file.values():
        names = ", ".join(str(document.identity) for document in written[:3]) + (", ..." if len(written) > 3 else "")
        message = f"skipped, as gitopsd needs none of Flux's controllers: {names}"
        yield Problem(place=written[0].place, message=message)


def _check_names(merged: Mapping[Identity, Written], reading: _Reading) -> None:
    """The kinds, plugins and the cluster that the settings name must exist."""
    registry, chosen = reading.registry, reading.settings
    kinds_known = {kind for _, kind in {*registry.kinds, *registry.unserved}}
    plugins_known = {row.name for row in registry.plugins}
    for what, names, known, path in (
        ("kind", chosen.kinds, kinds_known, ("spec", "kinds")),
        ("plugin", chosen.plugins.disabled, plugins_known, ("spec", "plugins", "disabled")),
    ):
        for index, name in enumerate(names):
            if name not in known:
                message = f"unknown {what} {name!r}{near(name, known)}{registry.failures()}"
                reading.problems.append(_in_settings(merged, message, (*path, index)))
    if chosen.home_cluster and chosen.home_cluster not in (clusters := _named(merged)):
        message = f"Cluster/{chosen.home_cluster} is not declared{near(chosen.home_cluster, clusters)}"
        reading.problems.append(_in_settings(merged, message, ("spec", "homeCluster")))


def _in_settings(merged: Mapping[Identity, Written], message: str, path: Path) -> Problem:
    return next(d for i, d in merged.items() if _pair(i) == SETTINGS).problem(message, path)


def _check_references(merged: Mapping[Identity, Written], reading: _Reading) -> None:
    by_ref = {d.identity.ref: d for i, d in merged.items() if i.ref in reading.objects}
    misfits = (
        *references.dangling(reading.intents, reading.objects, {kind for _, kind in reading.registry.unserved}),
        *references.clusterless(reading.intents, _named(merged)),
        *references.cyclic(reading.intents),
    )
    for misfit in misfits:
        found = _located(misfit, by_ref[misfit.ref])
        (reading.problems if misfit.certain else reading.warnings).append(found)


def _named(merged: Mapping[Identity, Written]) -> set[str]:
    """The clusters that are declared, broken ones included: those have a message of their own."""
    return {identity.name for identity in merged if _pair(identity) == CLUSTER}


def _located(misfit: Misfit, document: Written) -> Problem:
    path = misfit.path or (mentions.find(document.value, misfit.mentioned) if misfit.mentioned else ())
    return document.problem(misfit.message, path)


def _pair(identity: Identity) -> tuple[str, str]:
    return identity.group, identity.kind
