"""What a plan needs to be allowed: verbs on a kind in a namespace."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Need:
    """Verbs on objects of one kind; `namespace` '' for kinds of the whole cluster."""

    group: str
    version: str
    kind: str
    namespace: str
    verbs: tuple[str, ...]
