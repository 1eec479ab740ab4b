"""What an app owns in a cluster, as remembered there: written before the first other write, shrunk after the last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gitopsd.model.identity import ObjectRef, ResourceId


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """One object of an app. `intended`: about to be written, perhaps never was. `children`: objects of a child app."""

    id: ResourceId
    version: str
    intended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """Who suspended an app, from when on, why, and until when."""

    actor: str
    since: datetime
    reason: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Who approved the deletions of the plan with this digest."""

    plan: str
    actor: str
    at: datetime
    reason: str = ""
    until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """False once its time is over."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person decided about an app: the verb (`approve`, `suspend`, `resume`, `delete`), who, when, why, until when.

    `plan`: digest of the plan that was approved.
    """

    verb: str
    actor: str
    at: datetime
    reason: str = ""
    until: datetime | None = None
    plan: str = ""

    def holds(self, now: datetime) -> bool:
        """False once its time is over."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """An app's record in the cluster. `token` is the record's resourceVersion ('' before the first write).

    `suspension`, `approvals` and `removal` (that the app is to be deleted) are in force; `decisions` are the latest that led
    there, the newest last, for the history.
    """

    app: ObjectRef
    cluster_uid: str
    owned: Mapping[ResourceId, Owned] = field(default_factory=dict)
    suspension: Suspension | None = None
    approvals: tuple[Approval, ...] = ()
    removal: Decision | None = None
    decisions: tuple[Decision, ...] = ()
    token: str = ""

    def held(self, now: datetime) -> Suspension | None:
        """The suspension that is in force: begun, and not over."""
        found = self.suspension
        if found is None or found.since > now or (found.until is not None and found.until <= now):
            return None
        return found
