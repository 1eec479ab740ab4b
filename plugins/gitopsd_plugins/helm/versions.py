"""Which version of a chart is meant, and what the artifact made of it is called. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from gitopsd.plugin import Misconfigured, Rejected
from gitopsd.plugin.sources import semver
from gitopsd.plugin.sources.semver import Constraint, Version
from gitopsd_plugins.helm.chart import METADATA, REFERENCE
from gitopsd_plugins.helm.entries import Entry

_NEVER = datetime.min.replace(tzinfo=UTC)


def select(name: str, wanted: str, found: Sequence[Entry], place: str) -> Entry:
    """The version of exactly this text, else the highest that satisfies it; of equal ones the one made last.

    Raises `Misconfigured` naming what there is.
    """
    exact = next((entry for entry in found if entry.version == wanted), None)
    if exact is not None:
        return exact
    allowed = constraint(name, wanted)
    fitting = [(version, entry) for version, entry in _read(found) if allowed.allows(version)]
    if fitting:
        return max(fitting, key=lambda pair: (pair[0], _created(pair[1])))[1]
    newest = sorted((version for version, _ in _read(found)), reverse=True)[:5]
    there = f"; there is {', '.join(map(str, newest))}" if newest else ""
    hint = "" if not newest or any(not v.pre for v in newest) else "; pre-releases need a constraint such as >=0.0.0-0"
    raise Misconfigured(
        f"no version of the chart {name!r} at {place} satisfies {wanted!r}{there}{hint}; check spec.version",
        reason=REFERENCE,
    )


def constraint(name: str, wanted: str) -> Constraint:
    """What versions of a chart are meant. Raises `Rejected` for text that means none: it may stand in somebody's Chart.yaml."""
    try:
        return semver.constraint(wanted)
    except semver.VersionError as error:
        raise Rejected(f"the chart {name!r}: {error}", reason=REFERENCE) from error


def same(one: str, other: str) -> bool:
    """True for two ways to write one version."""
    try:
        return semver.version(one) == semver.version(other)
    except semver.VersionError:
        return one == other


def is_exact(text: str) -> bool:
    """True for one version as it stands, which needs no list to choose from."""
    try:
        semver.version(text, strict=True)
    except semver.VersionError:
        return False
    return True


def named(version: str, *, revision: str = "", generation: int = 0) -> str:
    """The version with what else decides the content as its metadata: the source's revision, the object's generation."""
    parts = [part for part in (revision[:12], str(generation) if generation else "") if part]
    if not parts:
        return version
    try:
        return str(replace(semver.version(version), metadata=".".join(parts)))
    except semver.VersionError as error:
        raise Rejected(f"the chart's {error}", reason=METADATA) from error


def _read(found: Iterable[Entry]) -> Iterable[tuple[Version, Entry]]:
    for entry in found:
        try:
            yield semver.of_tag(entry.version), entry
        except semver.VersionError:
            continue


def _created(entry: Entry) -> datetime:
    try:
        found = datetime.fromisoformat(entry.created)
    except ValueError:
        return _NEVER
    return found if found.tzinfo else found.replace(tzinfo=UTC)
