"""kustomize's own notes in annotations of its input: what an object was called before, and how its name came to be.

kustomize keeps such notes while it builds, and honours them where a file brings them along.
"""

from __future__ import annotations

from gitopsd.plugin import Rejected
from gitopsd_plugins.kustomize.objects.resource import Resource

_DOMAIN = "internal.config.kubernetes.io/"
_NAMES, _NAMESPACES, _KINDS = "previousNames", "previousNamespaces", "previousKinds"
_PREFIXES, _SUFFIXES = "prefixes", "suffixes"
_BEHAVIOR, _HASHED = "generatorBehavior", "needsHashSuffix"
_KNOWN = (
    *(_NAMES, _NAMESPACES, _KINDS, _PREFIXES, _SUFFIXES, _BEHAVIOR, _HASHED),
    *("allowNameChange", "allowKindChange", "refBy"),
)


def take(resource: Resource) -> None:
    """Move the notes out of an object's annotations. Raises `Rejected` where they contradict each other."""
    annotations = resource.metadata.get("annotations")
    if not isinstance(annotations, dict) or not any(key.startswith(_DOMAIN) for key in annotations):
        return
    texts = resource.labels("annotations")
    found = {name: texts[_DOMAIN + name] for name in _KNOWN if annotations.pop(_DOMAIN + name, None) is not None}
    names, namespaces, kinds = (_split(found.get(name)) for name in (_NAMES, _NAMESPACES, _KINDS))
    if not len(names) == len(namespaces) == len(kinds):
        raise Rejected(f"{resource}: {_DOMAIN}{_NAMES}, {_NAMESPACES} and {_KINDS} must have as many entries each")
    resource.history.extend(zip(names, namespaces, kinds, strict=True))
    resource.prefixes.extend(_split(found.get(_PREFIXES)))
    resource.suffixes.extend(_split(found.get(_SUFFIXES)))
    resource.behavior = found.get(_BEHAVIOR, resource.behavior)
    resource.hashed = resource.hashed or found.get(_HASHED) == "enabled"


def _split(value: str | None) -> list[str]:
    return value.split(",") if value else []
