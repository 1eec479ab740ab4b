"""The values between *observe* and *forget*: what is live, what a dry run said, what is planned, what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gitopsd.model.declared import PLAIN, Treatment
from gitopsd.model.digest import Digest
from gitopsd.model.errors import GitopsdError
from gitopsd.model.health import Verdict
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.manifest import Body, Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """Carries the owner labels of this instance's app."""

    app: ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmanaged:
    """Nobody's, or kubectl's: `managers` are the field managers seen."""

    managers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Another engine's: Flux, Argo CD, Helm, another gitopsd instance, a cloud's addon manager. `name` is for people."""

    name: str


Owner = Ours | Unmanaged | Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """An object as the cluster has it. `mark` digests its uid and our own field ownership: a differing mark is drift.

    `mark` is '' while we own nothing of it. `body` carries no managedFields.
    """

    id: ResourceId
    version: str
    uid: str
    resource_version: str
    owner: Owner
    mark: str
    terminating: bool = False
    body: Body = field(repr=False)
    contested: tuple[str, ...] = ()
    """Other managers that would lose fields in a takeover (kubectl's entries)."""
    managers: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    """Who holds which fields, as the target has it; for the target only."""
    changed_by: str = ""
    """Who else wrote it last, status left out; '' for nobody."""
    yields: bool = False
    """A field of it may be left to another controller, as long as that is there: only a rehearsal tells whether it still is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is kept of an object that a watch showed: enough to tell that nothing changed, and nothing of its content."""

    version: str
    owner: Owner
    mark: str
    terminating: bool
    verdict: Verdict
    changed_by: str = ""

    @classmethod
    def of(cls, live: Live, verdict: Verdict) -> Sight:
        """What is kept of it."""
        return cls(
            version=live.version,
            owner=live.owner,
            mark=live.mark,
            terminating=live.terminating,
            verdict=verdict,
            changed_by=live.changed_by,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """The server's answer to a dry run: the object as it would be, or the refusal.

    `waits` marks an object that cannot be rehearsed yet, because its kind or namespace comes in the same run.
    """

    id: ResourceId
    body: Body | None = field(default=None, repr=False)
    sent: Body | None = field(default=None, repr=False)
    """What was sent: the manifest with all that the target adds."""
    mark: str = ""
    error: GitopsdError | None = None
    immutable: bool = False
    """The refusal really means that a field cannot be changed in place."""
    waits: bool = False
    creates: bool = False
    """The server says that there is no such object now."""


class Action(StrEnum):
    """What a plan does with one object."""

    CREATE = "create"
    UPDATE = "update"
    RECREATE = "recreate"
    ADOPT = "adopt"
    DELETE = "delete"
    UNCHANGED = "unchanged"
    SKIP = "skip"
    HOLD = "hold"
    REFUSE = "refuse"

    @property
    def writes(self) -> bool:
        """True where carrying it out sends a write."""
        return self in {Action.CREATE, Action.UPDATE, Action.RECREATE, Action.ADOPT, Action.DELETE}


class Author(StrEnum):
    """Whose a change is: ours, or the server's (a default, a webhook, a value that it writes in another way)."""

    OURS = "ours"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One changed field: dotted path with list keys in brackets, values before and after (None: absent), masked already."""

    path: str
    before: Any = None
    after: Any = None
    by: Author = Author.OURS


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is done with one object, why, and on what ground it was decided."""

    id: ResourceId
    action: Action
    reason: str = ""
    fields: tuple[FieldChange, ...] = ()
    manifest: Manifest | None = None
    live: Live | None = None
    deletion: bool = False
    """The id is no longer wanted: also true for a deletion that is held, skipped or refused."""
    error: GitopsdError | None = None
    """What a refusal concludes with: `Misconfigured` for a matter of ownership, else what the rehearsal met."""
    before: Body | None = field(default=None, repr=False)
    """The object as it is, masked, only in a plan that is to be shown."""
    ours: Body | None = field(default=None, repr=False)
    """The object as our own change alone would make it, likewise."""
    after: Body | None = field(default=None, repr=False)
    """The object as it will be, likewise."""
    treatment: Treatment = PLAIN
    force: bool = False
    """It may be re-created where a field of it cannot be changed in place."""
    drifted: bool = False
    """Skipped although somebody changed it: its app leaves drift alone. Whether it is as expected stays an open question."""
    unread: bool = False
    """Refused or held because it could not be looked at: nobody knows whether it is there, or how it looks."""
    estimated: bool = False
    """No dry run was allowed: what the server would make of it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All changes of an app, in the order they are carried out. `digest` is what an approval names."""

    app: ObjectRef
    changes: tuple[Change, ...]
    digest: Digest

    def count(self) -> Mapping[Action, int]:
        """Changes by action, only those that occur."""
        counts: dict[Action, int] = {}
        for change in self.changes:
            counts[change.action] = counts.get(change.action, 0) + 1
        return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one change. `error` is a value; `mark` is the object's new mark after a write."""

    id: ResourceId
    action: Action
    mark: str = ""
    error: GitopsdError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What was written last for an id: the manifest's digest, and the object's mark right after."""

    manifest: Digest
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One thing that a watch saw. `live` None: gone, or no longer ours to see.

    `broken`: nothing can be seen for now, and what was seen may be out of date; `relist`: a full picture follows, as events
    may have been missed. Both are about `namespace` ('' for all).
    """

    id: ResourceId | None = None
    live: Live | None = None
    relist: bool = False
    broken: bool = False
    namespace: str = ""
