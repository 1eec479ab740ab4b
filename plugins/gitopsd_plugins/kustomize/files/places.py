"""Where a field stands, for messages: file, line and field; or the declared object's own field where that laid it over the file."""

from __future__ import annotations

import msgspec

from gitopsd.plugin import yaml
from gitopsd_plugins.kustomize.files.kustomization import Kustomization
from gitopsd_plugins.kustomize.files.loader import Loader

_ATTRIBUTES = {f.encode_name: f.name for f in msgspec.structs.fields(Kustomization)}
_IN_SPEC = {"namespace": "targetNamespace"}


def of(loader: Loader, field: str, index: int | None, own: Kustomization | None) -> str:
    """The place of a field, or of one entry of it. `own` is what the file says itself, where something is laid over it."""
    name = loader.file()
    if own is not None and field != "resources":
        said = getattr(own, _ATTRIBUTES[field])
        if index is not None and index >= len(said):
            return f"spec.{field}[{index - len(said)}]"
        if not said:
            return f"spec.{_IN_SPEC.get(field, field)}"
    if not name:
        return field
    path = (field,) if index is None else (field, index)
    line, _ = yaml.locate(loader.tree.read(loader.path(name)), path)
    return f"{loader.shown(name)}:{line}: {field}" + ("" if index is None else f"[{index}]")
