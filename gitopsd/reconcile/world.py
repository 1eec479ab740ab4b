"""What the steps share: the plugins, the store, the way to clusters, and the board of what every object came to last.

The board is the only mutable state of the core. It lives on the event loop; nothing here awaits, so every read and write
is atomic. Nothing on it is precious: the store, the clusters and the sources can tell it all again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

import anyio

from gitopsd.model import masking
from gitopsd.model.change import Applied, Sight
from gitopsd.model.declared import Adopt, AppIntent, ConfigName, Declared, Decryption, HealthCheck, Intent, SourceIntent
from gitopsd.model.digest import Digest
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.inventory import Inventory
from gitopsd.model.manifest import Manifest, Outline
from gitopsd.model.outcome import Outcome
from gitopsd.model.tree import Artifact, Polled, Revision
from gitopsd.plugin.context import Context
from gitopsd.plugin.registry import Registry
from gitopsd.plugin.roles import Target
from gitopsd.reconcile.claims import Claims
from gitopsd.reconcile.remotes import Elsewhere
from gitopsd.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Safety:
    """The rules that keep things from being deleted or taken over by accident; each can be turned off for strict parity."""

    adopt: Adopt = Adopt.UNMANAGED
    mass_deletion: bool = True
    collateral: bool = True
    volumes: bool = True
    empty_render: bool = True
    orphan_vanished: bool = True
    hold_timeout: timedelta = timedelta(hours=1)
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What bounds single steps."""

    render_timeout: timedelta = timedelta(minutes=5)
    """Longest time that one render may take."""
    keep: int = 3
    """Artifacts of each source that are kept, the current one included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Render:
    """What an app's newest render wants, by whose reading of which revision."""

    intent: Digest
    revision: Revision
    tree: Digest
    outline: Outline
    kept: tuple[Manifest, ...] | None = None
    """The manifests themselves, only where the set is not stored: it holds secrets, or a plan made it."""
    hidden: frozenset[str] = field(default=frozenset(), repr=False)
    """Values from Secrets that it was made with: what it lets go of may hold them, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What was true when an app was last concluded READY: while it still holds there is nothing to do."""

    spec: Digest
    """Of what was declared: other rules are other writes."""
    render: Digest
    cluster_uid: str
    ids: frozenset[ResourceId]
    """Everything it owns, declared objects included."""
    checks: tuple[HealthCheck, ...]
    """The objects in the cluster, with the versions they were applied in."""


class Mirror(Protocol):
    """What watches say about a cluster right now, without a request."""

    def holds(self, cluster: str, kinds: Iterable[tuple[str, str]]) -> bool:
        """True when a live watch covers each of these (group, kind)."""
        ...

    def sight(self, cluster: str, id: ResourceId) -> Sight | None:
        """The object as last seen; None when no watch has seen it since our last write of it."""
        ...

    def drifted(self, app: ObjectRef) -> frozenset[ResourceId]:
        """The app's objects whose mark differs from the expected one, or that are gone."""
        ...

    def expect(
        self, app: ObjectRef, cluster: str, marks: Mapping[ResourceId, str], left: Collection[ResourceId] = ()
    ) -> None:
        """After a reconcile: this is how the app's objects should look from now on. `left`: do not, and are left so."""
        ...

    def writing(self, cluster: str, ids: Iterable[ResourceId]) -> None:
        """Events of these are not judged until the next `expect` of their app."""
        ...


class Follower(Protocol):
    """Follows what renders read from clusters, so that a change of it wakes their apps."""

    def note(self, app: ObjectRef, looked: Mapping[tuple[str, ResourceId], Digest]) -> None:
        """All that an app's newest look asked clusters for, by cluster and object, with a keyed digest of what was there."""
        ...

    def seen(self, cluster: str, id: ResourceId) -> Digest | None:
        """The digest of what is there right now; None while nobody sees it."""
        ...


@dataclass(slots=True, kw_only=True)
class Board:
    """What every declared object is and came to last."""

    declared: dict[ObjectRef, Declared] = field(default_factory=dict)
    intents: dict[ObjectRef, Intent] = field(default_factory=dict)
    artifacts: dict[ObjectRef, Artifact] = field(default_factory=dict)
    polled: dict[ObjectRef, Polled] = field(default_factory=dict)
    """When each source was last known to be at its artifact's revision, in this run or an earlier one."""
    outcomes: dict[ObjectRef, Outcome] = field(default_factory=dict)
    renders: dict[ObjectRef, Render] = field(default_factory=dict)
    declaring: dict[ObjectRef, tuple[Revision, frozenset[ObjectRef]]] = field(default_factory=dict)
    """The revision by which a parent's children were declared last, and the children."""
    short: dict[ObjectRef, frozenset[str]] = field(default_factory=dict, repr=False)
    """Secret values in an app's objects that are too short to be masked everywhere; they are, in what is said of the app."""
    standing: dict[ObjectRef, Standing] = field(default_factory=dict)
    inventories: dict[ObjectRef, Inventory] = field(default_factory=dict)
    records: dict[ObjectRef, dict[str, Inventory]] = field(default_factory=dict)
    """All records of an app that were seen, by the uid of their cluster: one for each cluster that it was ever applied to."""
    names: dict[str, str] = field(default_factory=dict)
    """What clusters are called, by their uid."""
    listed: set[str] = field(default_factory=set)
    """Uids of the clusters whose records were all read by their only actor: there, a record that is not known is not there."""
    holding: dict[ObjectRef, frozenset[ObjectRef]] = field(default_factory=dict)
    """Apps with deletions that wait, and the apps whose render or adoption they wait for."""
    removals: set[ObjectRef] = field(default_factory=set)
    """Apps that are to be deleted: asked for by a person, or gone from their parent's render."""
    despite: set[ObjectRef] = field(default_factory=set)
    """Apps that a plan was asked for by name: they are planned although they are suspended."""

    def forget(self, ref: ObjectRef) -> None:
        """It is not declared any more."""
        for table in (
            self.declared,
            self.intents,
            self.artifacts,
            self.polled,
            self.outcomes,
            self.declaring,
            self.short,
        ):
            table.pop(ref, None)

    def discretion(self, ref: ObjectRef, everywhere: Callable[[str], str]) -> Callable[[str], str]:
        """Masks what is said of an object: what `everywhere` masks, and the object's own short values."""
        alone = masking.quoted(self.short.get(ref, ()))
        return lambda text: alone(everywhere(text))

    def discreet(self, everywhere: Callable[[str], str], outcome: Outcome) -> Outcome:
        """The outcome with what is secret in it masked."""
        return outcome.masked(self.discretion(outcome.ref, everywhere))

    def versions(self, app: ObjectRef) -> Mapping[ResourceId, str]:
        """In which version an app's objects are applied."""
        inventory = self.inventories.get(app)
        return {id: owned.version for id, owned in inventory.owned.items()} if inventory else {}

    def apps(self) -> Iterable[AppIntent]:
        """Every declared app."""
        return (intent for intent in self.intents.values() if isinstance(intent, AppIntent))

    def source(self, ref: ObjectRef) -> SourceIntent | None:
        """A declared source."""
        intent = self.intents.get(ref)
        return intent if isinstance(intent, SourceIntent) else None


class Memory(Protocol):
    """What was applied last, as this process knows it; kept on the disk behind the steps' back."""

    def applied(self, cluster_uid: str, app: ObjectRef) -> Mapping[ResourceId, Applied]:
        """What the app applied to this cluster last, with the marks from then."""
        ...

    def keep_applied(
        self, cluster_uid: str, app: ObjectRef, marks: Mapping[ResourceId, Applied], gone: Collection[ResourceId] = ()
    ) -> None:
        """Add or replace marks, and drop those of objects that are gone."""
        ...

    def forget(self, ref: ObjectRef) -> None:
        """The object is gone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """How much of each kind of work happens at once."""

    fetch: anyio.CapacityLimiter
    render: anyio.CapacityLimiter


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What services that keep keys may be asked with, whatever an app says."""

    own: tuple[str, ...] = ()
    """Keys, with `*` for any part of a name, for which gitopsd's own identity may be used."""
    settings: ConfigName | None = None
    """What the operator says about services."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Handed to every attempt. The callables are the runtime's ears: they only note something and return."""

    registry: Registry
    store: Store
    memory: Memory
    ctx: Context
    safety: Safety
    limits: Limits
    slots: Slots
    additive_ready: bool
    """An expression that says when a dependency is ready comes on top of the rule, instead of replacing it."""
    decryption: Decryption = field(default_factory=Decryption)
    """How encrypted files of every app are opened that does not say so itself."""
    trust: Trust = field(default_factory=Trust)
    board: Board
    statuses: Mapping[ObjectRef, Mapping[str, Any]]
    """The status of each declared object, in its kind's own words."""
    claims: Claims
    elsewhere: Elsewhere
    """What renders need beside their source."""
    mirror: Mirror
    target: Callable[[AppIntent], Awaitable[Target]]
    """Where the app's objects are, connected, as whoever acts for the app. Raises `Misconfigured` or `Transient`."""
    adopt_children: Callable[[ObjectRef, tuple[Manifest, ...]], tuple[str, ...]]
    """The declared objects among an app's manifests, after each render; answers with what is wrong with them."""
    has_read: Callable[[ObjectRef, Revision], None]
    """What an app declares is on the board as this revision has it: its children may look at the revision, too."""
    lookups: Follower
    wake: Callable[[ObjectRef, str], object]
    progress: Callable[[Outcome], None]
    """An attempt is under way; shown, not stored."""
