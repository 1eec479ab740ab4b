"""What a chart says of itself: Chart.yaml, and which charts it needs (also Chart.lock, and the files of Helm 2's time). Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitopsd.plugin import Rejected, yaml
from gitopsd.plugin.sources import semver
from gitopsd_plugins.helm.chart import REFERENCE

FILE = "Chart.yaml"
MAX_FILE = 4 << 20
MAX_DEPENDENCIES = 200

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._\-]{0,199}")
"""Names become names of folders."""

ReadFile = Callable[[str], bytes | None]
"""The bytes of a chart's file; None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """A chart that another one needs. `called` is what it goes by: its alias, else its name."""

    name: str
    version: str
    repository: str
    called: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """A chart's own words. `document` is the whole Chart.yaml."""

    name: str
    version: str
    dependencies: Sequence[Dependency] = ()
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)


def read(file: ReadFile, place: str) -> Metadata:
    """What the chart whose files `file` reads says of itself. Raises `Rejected` naming `place`, the file and the field."""
    data = file(FILE)
    if data is None:
        raise Rejected(f"no chart at {place}: there is no {FILE}; check spec.chart", reason=REFERENCE)
    document = mapping(data, f"{place}/{FILE}")
    name, version = document.get("name"), document.get("version")
    if not isinstance(name, str) or not _PLAIN.fullmatch(name):
        raise Rejected(f"{place}/{FILE}: name must be a plain name", reason=REFERENCE)
    if not isinstance(version, str) or not _is_version(version):
        raise Rejected(f"{place}/{FILE}: version must be a semantic version, as text", reason=REFERENCE)
    return Metadata(name=name, version=version, dependencies=_dependencies(file, document, place), document=document)


def mapping(data: bytes, place: str) -> Mapping[str, Any]:
    """A YAML object; an empty file is an empty one. Raises `Rejected` naming the place and what is wrong."""
    if len(data) > MAX_FILE:
        raise Rejected(f"{place}: more than {MAX_FILE >> 20} MiB", reason=REFERENCE)
    try:
        found = yaml.read(data, file=place, unique_keys=False)
    except yaml.YamlError as error:
        raise Rejected(str(error), reason=REFERENCE) from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Rejected(f"{place}: is no object of keys and values", reason=REFERENCE)
    return found


def _is_version(text: str) -> bool:
    try:
        semver.version(text)
    except semver.VersionError:
        return False
    return True


def _dependencies(file: ReadFile, document: Mapping[str, Any], place: str) -> Sequence[Dependency]:
    """A lock decides; it says no alias, so that those of the chart stand for it."""
    stated = _listed(document.get("dependencies"), f"{place}/{FILE}")
    stated = stated or _listed(_of(file, "requirements.yaml", place), f"{place}/requirements.yaml")
    for name in ("Chart.lock", "requirements.lock"):
        locked = _listed(_of(file, name, place), f"{place}/{name}")
        if locked:
            return locked
    return stated


def _of(file: ReadFile, name: str, place: str) -> Any:
    data = file(name)
    return None if data is None else mapping(data, f"{place}/{name}").get("dependencies")


def _listed(found: Any, place: str) -> Sequence[Dependency]:
    if found is None:
        return ()
    if not isinstance(found, list) or len(found) > MAX_DEPENDENCIES:
        raise Rejected(f"{place}: dependencies must be a list of at most {MAX_DEPENDENCIES}", reason=REFERENCE)
    return tuple(_dependency(entry, f"{place}: dependencies[{index}]") for index, entry in enumerate(found))


def _dependency(entry: Any, place: str) -> Dependency:
    fields = entry if isinstance(entry, dict) else {}
    texts = [fields.get(key) or "" for key in ("name", "version", "repository", "alias")]
    name, version, repository, alias = (text if isinstance(text, str) else "\0" for text in texts)
    if "\0" in {version, repository} or not _PLAIN.fullmatch(name) or not _PLAIN.fullmatch(alias or name):
        raise Rejected(f"{place}: needs a plain name (and alias), a version and a repository as text", reason=REFERENCE)
    return Dependency(name=name, version=version or "*", repository=repository, called=alias or name)
