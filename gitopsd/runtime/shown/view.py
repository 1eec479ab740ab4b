"""What a person or a program is shown of one declared object: plain values, fit for a table, JSON or another process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
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
    warnings: tuple[str, ...] = ()
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
    """One changed field of a plan; values are masked already. `by` says whose the change is: `ours` or the `server`'s."""

    path: str
    before: Any = None
    after: Any = None
    by: str = "ours"


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
    moved_from: str = ""
    """The app that has it now, for one that moves here."""
    moved_to: str = ""
    """The app that takes it over, for one that moves away."""
    deletion: bool = False
    """It is no longer wanted, whatever becomes of it."""
    declared: bool = False
    """An object that gitopsd reads itself, such as a child app: nothing of it is written to the cluster."""
    estimated: bool = False
    """No dry run was allowed: what the server would make of it is not known."""
    before: Mapping[str, Any] | None = field(default=None, repr=False)
    """The object as it is, masked and without bookkeeping; None where there is none, or the plan was carried out."""
    ours: Mapping[str, Any] | None = field(default=None, repr=False)
    """The object as our own change alone would make it, likewise."""
    after: Mapping[str, Any] | None = field(default=None, repr=False)
    """The object as it will be, likewise."""

    @property
    def writes(self) -> bool:
        """True where carrying it out changes something."""
        return self.action in {"create", "update", "recreate", "adopt", "delete"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """An app's plan, or what a reconcile came to, with the cluster that it is about."""

    view: View
    cluster: str = ""
    server: str = ""
    context: str = ""
    digest: str = ""
    changes: tuple[ChangeView, ...] = ()
    unchanged: int = 0
    """Objects that stay as they are; they are not among the changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """A source that a plan rests on: the revision that was planned, and what stands in for it, in words ('' for nothing)."""

    ref: ObjectRef
    revision: str = ""
    instead: str = ""
    error: str = ""
    """Why what stands in, or the newest revision, could not be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """The plans of all apps that a question touches."""

    clusters: tuple[ClusterView, ...]
    sources: tuple[SourceView, ...]
    apps: tuple[Report, ...]
    untouched: int = 0
    """Further apps, which read other sources and give or take nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """A declared cluster: how it is reached, and whether it is."""

    name: str
    server: str = ""
    context: str = ""
    connected: bool = False
    offline: bool = False
    """An empty sandbox stands for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One object of a chain that waits: its state in a word, since when, what it says, what would unblock it."""

    ref: ObjectRef
    state: str
    since: str = ""
    message: str = ""
    unblock: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceStep:
    """One step from an object to where it comes from; `what` says how it belongs to the one before."""

    what: str
    name: str
    place: str = ""
    revision: str = ""
    ready: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that happened to an object; numbers only grow while a daemon runs."""

    number: int
    at: datetime
    ref: ObjectRef
    phase: str
    message: str
    revision: str = ""
    changed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of the daemon's log about an object, as it was written."""

    number: int
    object: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """A daemon in numbers. Sizes in bytes, times in seconds."""

    version: str
    uptime: float
    memory: int
    store: int
    clusters: int
    connected: int
    sources: int
    apps: int
    children: int
    objects: int
    """Objects in clusters that apps own."""
    phases: Mapping[str, int]
    suspended: int
    approvals: int
    """Apps whose deletions wait for an approval."""
