"""A HelmChart as the source works with it: decoded, checked, with nothing left to guess. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from gitopsd.plugin import Declared, Digest, ObjectRef, PathError, SourceIntent, SpecError, digest, spec, tree
from gitopsd.plugin.oci.verify import Asked
from gitopsd.plugin.oci.verify import spec as asking
from gitopsd.plugin.sources import fields, semver
from gitopsd_plugins.helm.chart_spec import ChartSpec, Document

FORMAT = 2
"""Grows when the same chart would give another tree or other facts: then every artifact is built again."""

NAME, VALUES_FILES = "name", "valuesFiles"
"""The facts about a chart that was built: what it calls itself, and the values files that are merged into it."""

PULL, BUILD, VALUES = "ChartPullError", "ChartPackageError", "ValuesFilesError"
DEPENDENCY, REFERENCE, METADATA = "DependencyBuildError", "InvalidChartReference", "MetadataPatchError"
VERIFICATION = "ChartVerificationError"
NO_SOURCE, NO_ARTIFACT = "SourceUnavailable", "NoSourceArtifact"
"""Flux's reasons for what can go wrong with a chart."""

TIMEOUT = timedelta(seconds=120)
"""A HelmChart has no field for it."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]*(?:/[A-Za-z0-9._\-]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """`name` is a chart's name in a repository, or the path of a chart in an artifact."""

    name: str
    version: str
    source: ObjectRef
    by_revision: bool = False
    values_files: tuple[str, ...] = ()
    ignore_missing: bool = False
    verify: Asked | None = None
    """Who has to have signed it; None for no check."""


def read(declared: Declared) -> SourceIntent:
    """Decode and check a document. Raises `SpecError` with the path of the first misfit."""
    found = spec.decode(declared.document, Document).spec
    source = ObjectRef(kind=found.source_ref.kind, namespace=declared.ref.namespace, name=found.source_ref.name)
    chart = Chart(
        name=_name(found),
        version=_version(found),
        source=source,
        by_revision=found.reconcile_strategy == "Revision" and source.kind != "HelmRepository",
        values_files=_values(found),
        ignore_missing=found.ignore_missing_values_files,
        verify=_verify(found, declared.ref.namespace),
    )
    return SourceIntent(
        ref=declared.ref,
        spec=chart,
        content=_content(chart),
        interval=fields.interval(found.interval),
        timeout=TIMEOUT,
        reads=(source,),
        suspended=found.suspend,
        warnings=(*found.warnings, *asking.warnings(found.verify)),
    )


def _content(chart: Chart) -> Digest:
    """Who has to have signed counts only where somebody has to, so that all other charts stay what they are."""
    facts = [FORMAT, chart.name, str(chart.source), chart.by_revision, list(chart.values_files), chart.ignore_missing]
    return digest.of_value([*facts, *chart.verify.facts] if chart.verify else facts)


def _verify(found: ChartSpec, namespace: str) -> Asked | None:
    if found.verify and found.source_ref.kind != "HelmRepository":
        raise SpecError("is only supported when spec.sourceRef.kind is 'HelmRepository'", path=asking.PATH)
    return asking.read(found.verify, namespace)


def _name(found: ChartSpec) -> str:
    if found.source_ref.kind == "HelmRepository":
        if not _NAME.fullmatch(found.chart) or ".." in found.chart.split("/"):
            raise SpecError(f"{found.chart[:80]!r} cannot be the name of a chart", path=("spec", "chart"))
        return found.chart
    return _path(found.chart, ("spec", "chart"))


def _version(found: ChartSpec) -> str:
    """Of charts in an artifact the version is what they say themselves, as in Flux."""
    version = found.version.strip() or "*"
    if found.source_ref.kind == "HelmRepository":
        try:
            semver.constraint(version)
        except semver.VersionError as error:
            raise SpecError(str(error), path=("spec", "version")) from error
    return version


def _values(found: ChartSpec) -> tuple[str, ...]:
    files = found.values_files or ((found.values_file,) if found.values_file else ())
    return tuple(_path(file, ("spec", "valuesFiles", index)) for index, file in enumerate(files))


def _path(text: str, path: tuple[str | int, ...]) -> str:
    """Taken from the root, as a chroot would: what climbs out of it is refused here, where Flux stops at the root."""
    try:
        return tree.normal(text)
    except PathError as error:
        raise SpecError(str(error), path=path) from error
