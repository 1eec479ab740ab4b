"""What a person or a program is shown of one declared object: plain values, fit for a table, JSON or another process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One object as it stands. `ready` None: not known yet. `document` carries the status that Flux would write."""

    ref: ObjectRef
    phase: Phase | None
    ready: bool | None
    message: str
    reason: str = ""
    """The word for it, where the outcome has one of its own."""
    revision: str = ""
    cluster: str = ""
    app: bool = False
    """True for what has a plan and an inventory."""
    suspended: bool = False
    counted: bool = True
    """False for kinds that are not served: they count in no health and no exit code."""
    parent: ObjectRef | None = None
    place: str = ""
    due: float | None = None
    """Seconds until it is looked at by itself."""
    plan: str = ""
    """Digest of a plan whose deletions wait for an approval."""
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One object in a cluster, as an app's inventory and the last verdicts have it."""

    kind: str
    namespace: str
    name: str
    health: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """An object with what it applied and what it declared."""

    view: View
    leaves: tuple[Leaf, ...] = ()
    branches: tuple[Branch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldView:
    """One changed field of a plan; values are masked already."""

    path: str
    before: Any = None
    after: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeView:
    """One object of a plan, or of what a reconcile did; `error` is '' where all went well."""

    action: str
    kind: str
    namespace: str
    name: str
    reason: str = ""
    error: str = ""
    fields: tuple[FieldView, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """An app's plan, or what a reconcile came to, with the cluster that it is about."""

    view: View
    cluster: str = ""
    server: str = ""
    context: str = ""
    digest: str = ""
    changes: tuple[ChangeView, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """A declared cluster: how it is reached, and whether it is."""

    name: str
    server: str = ""
    context: str = ""
    connected: bool = False
