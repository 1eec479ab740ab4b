"""Values files merged into one, as Flux does: later ones win, maps are merged, everything else is replaced. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitopsd.plugin import Misconfigured, Rejected, yaml
from gitopsd_plugins.helm import metadata
from gitopsd_plugins.helm.chart import VALUES
from gitopsd_plugins.helm.metadata import ReadFile

FILE = "values.yaml"
MAX_DEPTH = 100


def merged(files: tuple[str, ...], read: ReadFile, *, ignore_missing: bool) -> tuple[bytes, tuple[str, ...]]:
    """The one file, keys sorted, and which of them it is made of. Raises `Misconfigured` for one that is missing."""
    found: dict[str, Any] = {}
    there: list[str] = []
    for file in files:
        data = read(file)
        if data is None:
            if ignore_missing:
                continue
            raise Misconfigured(
                f"no values file {file!r}; check spec.valuesFiles, or set spec.ignoreMissingValuesFiles", reason=VALUES
            )
        there.append(file)
        found = _merge(found, metadata.mapping(data, file), 0)
    return yaml.write(found, sort_keys=True).encode(), tuple(there)


def _merge(one: Mapping[str, Any], other: Mapping[str, Any], depth: int) -> dict[str, Any]:
    if depth > MAX_DEPTH:
        raise Rejected(f"values nested deeper than {MAX_DEPTH}", reason=VALUES)
    result = dict(one)
    for key, value in other.items():
        before = result.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            value = _merge(before, value, depth + 1)
        result[key] = value
    return result
