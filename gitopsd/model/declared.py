"""What the user declared, and what it means to the core.

A document becomes a neutral `Intent` by its `Kind`. The core works on intents only: it knows sources and apps, never a
GitRepository or a Kustomization. What belongs to one plugin alone travels as opaque `spec`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from gitopsd.model.digest import Digest
from gitopsd.model.identity import ObjectRef, ResourceId


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a document stands: a file and a line (1-based), or the app that rendered it (then `file` names it)."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One declared document. `generation` grows when its spec changes; `parent` is the app that rendered it."""

    ref: ObjectRef
    document: Mapping[str, Any] = field(repr=False)
    place: Place
    spec: Digest
    """Digest of its spec and of gitopsd's annotations: equal digest, equal intent."""
    generation: int = 1
    parent: ObjectRef | None = None
    hidden: frozenset[str] = field(default=frozenset(), repr=False)
    """Values from Secrets that its parent's render put into it: what it makes of them is treated like a Secret."""


class Deletion(StrEnum):
    """What happens to an app's objects when the app itself is deleted (Flux's deletionPolicy)."""

    MIRROR_PRUNE = "MirrorPrune"
    DELETE = "Delete"
    WAIT = "WaitForTermination"
    ORPHAN = "Orphan"


class Adopt(StrEnum):
    """Which foreign objects an app may take over."""

    NEVER = "never"
    UNMANAGED = "unmanaged"
    ALWAYS = "always"


class DriftPolicy(StrEnum):
    """What happens when somebody changes or deletes an object that Git did not change."""

    ENABLED = "enabled"
    """It is put back."""
    WARN = "warn"
    """It is left so, and said."""
    DISABLED = "disabled"
    """It is left so."""


class Atomic(StrEnum):
    """What one refused object holds back: its whole stage, or itself only."""

    STAGE = "stage"
    OBJECT = "object"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """An app's own decisions about safety, read from its annotations by its kind. None: the setting decides."""

    adopt: Adopt | None = None
    atomic: Atomic | None = None
    approved: frozenset[str] = frozenset()
    """Digests of plans whose deletions are approved in Git."""
    delete_confirmed: bool = False
    force: bool = False
    """Objects of which a field cannot be changed in place are re-created; not those that hold others or data."""
    drift: DriftPolicy = DriftPolicy.ENABLED
    stage_kinds: frozenset[tuple[str, str]] = frozenset()
    """(group, kind) of objects that are written before all others of the app, after definitions and classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A suspension in the declaration itself, by annotation: why, and until when."""

    reason: str = ""
    until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """False once its time is over."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceIntent:
    """A source to keep up to date. `spec` is the plugin's own frozen value; `content` digests what decides the content."""

    ref: ObjectRef
    spec: Any = field(repr=False)
    content: Digest
    interval: timedelta
    timeout: timedelta
    depends_on: tuple[ObjectRef, ...] = ()
    reads: tuple[ObjectRef, ...] = ()
    """Sources of its namespace that it takes its content from, through `Context.sources`: it begins after the first, waits until
    there is something to read in each, and hears of what is new."""
    blends: bool = False
    """What it reads is in its content as it stands: another revision there is other content here. Else its revision says what it took."""
    bare: bool = False
    """It has no content of its own: it is ready as it stands, for the sources that read it."""
    suspended: bool = False
    hold: Hold | None = None
    unsupported: tuple[str, ...] = ()
    """Fields that are set and not served yet: the object stalls and is never fetched."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """One object outside or inside the app that must be healthy; `version` as in its apiVersion."""

    id: ResourceId
    version: str
    ends: bool = False
    """It is removed by itself when it is done: gone means healthy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKey:
    """A key of a Secret; '' leaves the key to whoever reads it."""

    namespace: str
    name: str
    key: str = ""

    def __str__(self) -> str:
        return f"Secret/{self.namespace}/{self.name}" + (f"[{self.key}]" if self.key else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigName:
    """A ConfigMap."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"ConfigMap/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthExpression:
    """Health of a kind of objects in CEL, instead of the rule for it; `kind` '' stands for every kind of the group."""

    group: str
    kind: str
    current: str
    in_progress: str = ""
    failed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesRef:
    """A ConfigMap or Secret whose values a render needs; `field` is where the object names it, for messages."""

    kind: str
    namespace: str
    name: str
    field: str
    optional: bool = False

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"

    @property
    def secret(self) -> bool:
        """Whether what is made with its values must be treated as a secret, too."""
        return self.kind == "Secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decryption:
    """How what is encrypted in an app's tree is opened: by which decryptor, with the keys of which Secret, in whose name."""

    provider: str = ""
    """'' leaves it, and the keys, to what is set for all apps."""
    keys: ValuesRef | None = None
    account: str = ""
    """The service account of the app's namespace in whose name services that keep keys are asked."""
    verify: bool | None = None
    """Whether content that was changed since it was encrypted is refused. None: the setting decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppIntent:
    """An app to keep equal to its source: what to render, where to apply it, and how careful to be."""

    ref: ObjectRef
    source: ObjectRef
    source_kinds: frozenset[str] = frozenset()
    """Kinds of sources that the app's kind knows of, served or not; what a plugin serves as a source is welcome anyway."""
    renderer: str
    spec: Mapping[str, Any] = field(repr=False)
    """JSON value for the renderer, crosses into a worker process; part of the render's cache key."""
    values: tuple[ValuesRef, ...] = ()
    """What is looked up for the renderer: among the declared files first, then in the target."""
    decryption: Decryption | None = None
    """None: as the settings say for all apps."""
    interval: timedelta
    retry_interval: timedelta
    timeout: timedelta
    prune: bool
    deletion: Deletion = Deletion.MIRROR_PRUNE
    depends_on: tuple[ObjectRef, ...] = ()
    ready_expressions: Mapping[ObjectRef, str] = field(default_factory=dict)
    """When a dependency counts as ready, in CEL, where that is not left to the rule."""
    wait: bool = False
    health_checks: tuple[HealthCheck, ...] = ()
    health_expressions: tuple[HealthExpression, ...] = ()
    suspended: bool = False
    hold: Hold | None = None
    cluster: str | None = None
    kubeconfig: SecretKey | ConfigName | None = None
    """Where the way to the app's cluster is kept, when it is not a declared one: a kubeconfig, or what describes one."""
    act_as: str = ""
    """Who sees and changes the app's objects, in the cluster's words; '' for gitopsd's own identity."""
    policy: Policy = Policy()
    own: Any = field(default=None, repr=False)
    """The kind's own frozen value, handed back to its `treatment`."""
    unsupported: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unserved:
    """A kind that Flux has and gitopsd does not serve yet: listed as such, counted nowhere, stops nothing."""

    ref: ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A declared object among an app's manifests that does not decode: it is left alone until a render mends it."""

    ref: ObjectRef
    message: str


Intent = SourceIntent | AppIntent | Unserved | Broken


class WriteMode(StrEnum):
    """How an object is written."""

    APPLY = "apply"
    """And fields that kubectl holds are taken over at first contact."""
    MERGE = "merge"
    """Without taking anything over: what others added stays."""
    CREATE_ONLY = "create-only"
    IGNORE = "ignore"
    """Never written, never pruned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """What markers on an object, and its app's own rules for it, ask for."""

    mode: WriteMode = WriteMode.APPLY
    keep: bool = False
    """Never pruned."""
    force: bool = False
    """The object itself asks to be re-created where a field of it cannot be changed in place."""
    ignored: tuple[str, ...] = ()
    """JSON pointers of fields that others may set: no drift, and never taken from them."""
    why: str = ""
    """The marker in words, where the object is not simply applied."""

    def beside(self, live: Treatment) -> Treatment:
        """With what the object in the cluster asks for itself: to be left alone, or not to be taken over."""
        if live.mode is WriteMode.IGNORE or (live.mode is WriteMode.MERGE and self.mode is WriteMode.APPLY):
            return replace(self, mode=live.mode, why=live.why)
        return self


PLAIN = Treatment()
"""Of an object that nothing special is said about."""
