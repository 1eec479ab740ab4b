"""What a plugin can be. Typed protocols without policy: a role says how, the core decides whether and when.

A plugin module registers objects of these roles through the hooks of `gitopsd.plugin.hooks`; each role has a conformance
suite in `gitopsd.plugin.conformance`. Roles of the design that nothing calls yet (verifier, notifier) are added together with
their first caller.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from gitopsd.model.change import Change, Live, Rehearsal, Result, Seen
from gitopsd.model.declared import AppIntent, Declared, HealthCheck, Intent, SourceIntent, Treatment
from gitopsd.model.health import Explanation, Verdict
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.inventory import Inventory
from gitopsd.model.manifest import Body, Manifest, Rendered, Stage
from gitopsd.model.outcome import Outcome
from gitopsd.model.remote import Remote
from gitopsd.model.rights import Need
from gitopsd.model.tree import Artifact, Revision
from gitopsd.plugin.context import AccountToken, Context
from gitopsd.plugin.http import Tls
from gitopsd.plugin.tree import Remotes, Stored, Tree

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream

T = TypeVar("T")


class Kind(Protocol):
    """Gives a declared kind its meaning: document -> neutral intent, neutral outcome -> that kind's own status."""

    group: str
    kind: str
    versions: tuple[str, ...]
    """Versions of the group that are read alike, newest first."""
    aliases: tuple[str, ...]
    """Names for the command line, for example `ks`, `kustomizations`."""

    def read(self, declared: Declared) -> Intent:
        """Decode the document. Raises `SpecError` where it does not fit; unserved fields go into the intent."""
        ...

    def status(self, declared: Declared, outcome: Outcome, previous: Mapping[str, Any]) -> Mapping[str, Any]:
        """The `.status` of the object after this outcome, given the previous one ({} at first)."""
        ...

    def treatment(self, intent: AppIntent, id: ResourceId, body: Body) -> Treatment:
        """What markers on an object that this app applies, or has applied, and the app's own rules for it ask for. Pure."""
        ...

    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of the whole document, for editors."""
        ...


class Source(Protocol):
    """Where content comes from. `kind` is the declared kind that it serves."""

    kind: str

    async def resolve(self, intent: SourceIntent, ctx: Context) -> Revision:
        """The revision that the intent names now, with one small request."""
        ...

    async def fetch(self, intent: SourceIntent, revision: Revision, base: Artifact | None, ctx: Context) -> Stored:
        """Bring exactly this revision into the store as a tree; `base` is what was stored last, of the same source."""
        ...


@runtime_checkable
class AnyRevision(Protocol):
    """What a source may offer beside its role: content at another revision than the declared one, for plans."""

    def at(self, intent: SourceIntent, revision: str) -> SourceIntent:
        """The same source at what a person calls a revision. Raises `UsageError` for what can be none. Pure."""
        ...


@runtime_checkable
class AnyFolder(Protocol):
    """What a source may offer beside its role: a local folder in the place of its content, for plans."""

    async def folder(self, intent: SourceIntent, folder: Path, ctx: Context) -> Stored:
        """The folder as the tree that the source would make of it, with the source's own rules about what is left out."""
        ...


@runtime_checkable
class AnyAddress(Source, Protocol):
    """What a source may offer beside its role: content at addresses that renders ask for, without a declaration."""

    serves: str
    """The `sort` of addresses that it takes."""

    def address(self, remote: Remote, ref: ObjectRef) -> SourceIntent:
        """The address as something to resolve and fetch; `ref` stands for it in messages. Raises `Rejected`. Pure.

        `resolve` raises `NothingThere` where the other side answers so.
        """
        ...


@runtime_checkable
class Closing(Protocol):
    """What a source may offer beside its role: it keeps connections open between its calls, and ends them when told."""

    async def close(self) -> None:
        """End them. The source may be used again afterwards."""
        ...


Values = Mapping[str, bytes]
"""The data of a ConfigMap or Secret by key."""


class Fetching(Protocol):
    """What `gitopsd build` hands to its verbs as click's context object: renders with what they need from elsewhere."""

    def rendered(self, make: Callable[[Remotes], T], hosts: Sequence[str], *, plain: bool) -> T:
        """What `make` gives, called again, with more, each time that it raises `RemoteNeeded`.

        Only from these hosts (`*` stands for any part of a name), by http only where it is `plain`. Raises as `make` does,
        and as sources do.
        """
        ...


class Renderer(Protocol):
    """Makes manifests of a tree. A class without constructor arguments: it is instantiated again in a worker process.

    It is a function of its inputs: same tree content, spec and values, same result. `version` changes when its results may.
    """

    name: str
    version: str

    def render(self, tree: Tree, spec: Mapping[str, Any], values: Sequence[Values | None] = ()) -> Rendered:
        """The objects, in order. Raises `Rejected` naming file and field; reads only through `tree`.

        `values` are what the intent's `values` name, in that order; None for an optional one that is not there. They may be
        secret: no message may repeat one.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach one cluster: the lines that every summary shows, and the credentials that it never shows."""

    cluster: str
    server: str
    context: str = ""
    tls: Tls = field(default=Tls(), repr=False)
    proxy: str = ""
    headers: Callable[[], Awaitable[Mapping[str, str]]] | None = field(default=None, repr=False)
    """Authentication headers, asked for at each request; the provider caches and refreshes."""
    expire: Callable[[], None] | None = field(default=None, repr=False)
    """Called after a 401: the next `headers` must not come from a cache."""
    act_as: str = ""
    """Who is impersonated; '' for nobody."""


class ClusterAccess(Protocol):
    """One way to reach a cluster, chosen by the field of the same name in a `Cluster` object's spec."""

    name: str

    def open(self, cluster: str, spec: Mapping[str, Any], ctx: Context) -> AbstractAsyncContextManager[Access]:
        """Access for as long as the context lasts. Raises `Misconfigured` naming file and field."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who writes: the instance's name, its field manager, where its records live, and whether it may write at all."""

    instance: str
    field_manager: str
    namespace: str
    holder: str
    """Machine, instance and state folder: the same after a restart, so that the lease is taken over at once."""
    read_only: bool = False
    concurrency: int = 16
    """Requests in flight to this target."""
    stage_kinds: frozenset[tuple[str, str]] = frozenset()
    """(group, kind) of objects that have a stage of their own in every app."""
    silence: float = 90.0
    """Seconds without a byte after which a watch counts as dead; servers say something at least once a minute."""


class Sink(Protocol):
    """Where manifests go."""

    name: str

    def connect(self, access: Access, actor: Actor, ctx: Context) -> AbstractAsyncContextManager[Target]:
        """One destination under one identity; connections, watches and caches live as long as the context."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Qualified:
    """Manifests with their namespaces settled. `unknown`: kinds that the server does not know (yet)."""

    manifests: tuple[Manifest, ...]
    unknown: frozenset[ResourceId] = frozenset()


Versioned = tuple[ResourceId, str]
"""An id and the version in which it is read."""


class Target(Protocol):
    """One cluster under one identity; the only code that changes it. Errors of single objects are values.

    Every method may raise `Transient` (server down, 429 after its own retries) or `Rejected` (403) for the whole call.
    """

    access: Access
    uid: str
    """Identifies the cluster itself (the uid of its kube-system namespace), not the way to it."""

    def lease(self) -> AbstractAsyncContextManager[None]:
        """Be the one actor of this instance here, while the context lasts. Raises `HeldElsewhere` naming the holder."""
        ...

    async def proof(self) -> str:
        """What this very cluster alone can tell: nobody guesses it who may not read our records there. '' before there is any."""
        ...

    def acting_as(self, user: str, name: str) -> AbstractAsyncContextManager[Target]:
        """The same cluster as another user, for an app's objects; lease and records stay with the own identity.

        `name` is what its access is called. Nothing that the user may not do is done with the own rights instead.
        """
        ...

    def stages(self, manifests: Sequence[Manifest], before: Collection[tuple[str, str]] = ()) -> tuple[Stage, ...]:
        """The order in which manifests are written; deletions go in reverse. Pure.

        `before`: (group, kind) of objects with a stage of their own, after definitions and classes.
        """
        ...

    async def qualify(self, manifests: Sequence[Manifest]) -> Qualified:
        """Set namespaces where the kind needs one and drop them where it has none. Uses cached discovery."""
        ...

    async def observe(self, ids: Collection[Versioned]) -> Mapping[ResourceId, Live]:
        """Live state; an id that is not in the answer does not exist. One paged list per kind where many are asked."""
        ...

    async def rehearse(self, manifest: Manifest, app: ObjectRef, live: Live | None, treatment: Treatment) -> Rehearsal:
        """What the server would make of it: a dry run of exactly what `apply` would send for this manifest, `live` and treatment."""
        ...

    async def apply(self, change: Change, app: ObjectRef) -> Result:
        """Carry out a create, update, recreate or adopt. Adoption first moves `live.contested` managers' fields to us.

        Under `change.force` an update that meets a field which cannot be changed in place becomes a recreate. Fields that
        `change.treatment` ignores, and replicas that an autoscaler sets, stay with whoever sets them.
        """
        ...

    async def delete(self, change: Change) -> Result:
        """Delete with uid and resourceVersion as preconditions, in the background; gone already is success."""
        ...

    async def settle(self, stage: Stage, timeout: float) -> Sequence[ResourceId]:
        """Wait until the kinds and namespaces of the stage can be used; what is not after `timeout` seconds."""
        ...

    async def collateral(self, live: Live) -> Sequence[Live]:
        """What deleting a Namespace or a definition would take along, housekeeping objects of the server left out.

        A kind that cannot be listed counts as present: its entry has an empty name.
        """
        ...

    async def inventory(self, app: ObjectRef) -> Inventory | None:
        """The app's record; None when there is none. Raises `Misconfigured` on a newer format."""
        ...

    async def inventories(self) -> Sequence[Inventory]:
        """All records of this instance, with one list."""
        ...

    async def remember(self, inventory: Inventory) -> Inventory:
        """Write the record, creating the namespace when needed; the result carries the new token.

        Raises `Conflict` when it changed since it was read: read again, merge, write again.
        """
        ...

    async def discard(self, inventory: Inventory) -> None:
        """Remove the record of an app that owns nothing any more."""
        ...

    def watch(
        self, kinds: Collection[tuple[str, str, str]]
    ) -> AbstractAsyncContextManager[MemoryObjectReceiveStream[Seen]]:
        """Everything that happens to objects with this instance's labels, by (group, version, kind).

        First one `Seen` for each that is there, then one per event. `relist=True` says that events may have been missed and
        that a full picture follows. Silence, disconnects and expired versions are handled inside; where nothing helps for
        now (the kind cannot be listed, the server is away) `broken=True` says so, until a `relist`.
        """
        ...

    def follow(self, checks: Collection[HealthCheck]) -> AbstractAsyncContextManager[MemoryObjectReceiveStream[Seen]]:
        """The same for single objects of any owner, until the context ends; absence is a `Seen` without `live`."""
        ...

    async def explain(self, live: Live) -> Explanation:
        """Why it is not healthy, in one sentence from its pods or events, and whether that means that it has failed."""
        ...

    async def token(self, namespace: str, account: str, audiences: Sequence[str]) -> AccountToken:
        """A new token of a service account, good for these audiences; the own identity must be allowed to ask for it."""
        ...

    async def rights(self, kinds: Collection[tuple[str, str, str]]) -> Sequence[str]:
        """Sentences about what this identity may not do; empty when it may do everything it needs."""
        ...


@runtime_checkable
class Preflight(Protocol):
    """What a target may offer beside its role: which of the rights that plans need are missing, asked beforehand."""

    async def denied(self, needs: Collection[Need]) -> Sequence[str]:
        """A sentence for each kind and namespace with what this identity may not do there; empty when it may do it all."""
        ...


@runtime_checkable
class Lister(Protocol):
    """What a target may offer beside its role: all objects of a kind, for imports."""

    async def listed(self, group: str, version: str, kind: str) -> Sequence[Body]:
        """Every object of the kind, without managedFields; none where the server does not know it. `version` '' is the preferred one."""
        ...


class HealthRule(Protocol):
    """Assesses one kind of object. Pure."""

    group: str
    kind: str

    def assess(self, body: Body) -> Verdict:
        """The object's health: the whole verdict, what is common to all kinds (deletion, observedGeneration) included."""
        ...
