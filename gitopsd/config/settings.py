"""gitopsd's own settings: the spec of the one `Settings` object, each field with its default and what it does.

`config/gitopsd.yaml` shows the same to users; a test keeps both equal. A setting is here only if something honours it.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from msgspec import Meta, field

from gitopsd.config.quantities import Duration, Size, duration, size
from gitopsd.plugin import Adopt, Spec

_LABEL = "a DNS label; use lower case letters, digits and '-', at most 63"
_PATH = "an absolute path; begin it with /"  # the folder that the daemon runs in means nothing to users
Label = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", description=_LABEL)]
AbsolutePath = Annotated[str, Meta(pattern=r"^(/.*)?$", description=_PATH)]
GroupKind = Annotated[
    str, Meta(pattern=r"^([a-z0-9.-]+/)?[A-Z][A-Za-z0-9]*$", description="GROUP/KIND, of the core group KIND")
]
_SECRET_NAME = r"^(([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$"
_ACCOUNT = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$"
Cidr = Annotated[str, Meta(pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$", description="a network as CIDR, such as 10.0.0.0/8")]
Count = Annotated[int, Meta(ge=1, le=1000)]


class Limits(Spec, frozen=True, kw_only=True):
    """How much happens at once, and how large one piece of it may get."""

    fetches: Count = 8
    """Sources that are fetched at the same time."""
    renders: Count = 2
    """Worker processes, which is also how many renders run at the same time."""
    applies: Count = 16
    """Requests in flight to one cluster."""
    worker_memory: Size = size("1Gi")
    """Memory of one worker process; a render that needs more fails with a message that says so."""
    render_timeout: Duration = duration("5m")
    """Longest time that one render may take."""


class Retry(Spec, frozen=True, kw_only=True):
    """The back-off of failures for which an object does not name its own retry interval."""

    min: Duration = duration("1s")
    """First wait; each further failure doubles it."""
    max: Duration = duration("15m")
    """Longest wait."""

    def __post_init__(self) -> None:
        if not self.min or self.min > self.max:
            raise ValueError(f"min is {self.min}, max {self.max}; min must be more than 0s and at most max")


class Safety(Spec, frozen=True, kw_only=True):
    """The rules against deletion by accident, each to be turned off for strict parity with Flux."""

    mass_deletion: bool = True
    """Deleting more than half of an app's objects, if that is at least 3, needs an approval."""
    namespace_deletion: bool = True
    """Deleting a Namespace or CRD that would take along objects outside of the plan needs an approval."""
    volume_deletion: bool = True
    """Deleting a PersistentVolume or a PersistentVolumeClaim needs an approval."""
    empty_render: bool = True
    """An app that renders to nothing prunes nothing."""
    shrunken_set: bool = True
    """A reload that loses over half of the declared objects, or all, is rejected."""
    orphan_vanished: bool = True
    """What an object applied is kept when its declaration vanishes from the files; while no daemon runs always."""


class Plugins(Spec, frozen=True, kw_only=True):
    """Which plugins are used."""

    disabled: tuple[str, ...] = ()
    """Names of plugins (see `gitopsd plugins`) that are not loaded."""


class RemoteResources(Spec, frozen=True, kw_only=True):
    """From where kustomizations and charts may have content fetched that only they name: remote resources, dependencies."""

    hosts: tuple[str, ...] = ()
    """Names of hosts, with `*` for any part of one (`github.com`, `*.example.org`, `*`); empty: from nowhere."""
    http: bool = False
    """Also over http, where nobody can tell who answers."""


class Log(Spec, frozen=True, kw_only=True):
    """What is logged, and in which form."""

    format: Literal["auto", "console", "json"] = "auto"
    """`auto` is JSON under systemd and in containers, else for people."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe messages that are shown."""


class Network(Spec, frozen=True, kw_only=True):
    """Where sources may be fetched from. Clusters and the proxies of the environment are not meant."""

    private_addresses: bool = True
    """False: public addresses only; private, link-local and loopback ones are refused after each look-up, but for those that the environment names and the clouds' metadata services."""
    allowed_networks: tuple[Cidr, ...] = ()
    """Networks, as CIDR, that are allowed all the same."""

    def __post_init__(self) -> None:
        for network in self.allowed_networks:
            ipaddress.ip_network(network, strict=False)


class Gc(Spec, frozen=True, kw_only=True):
    """What the store on disk keeps."""

    interval: Duration = duration("1h")
    """Time between two collections."""
    grace: Duration = duration("1h")
    """Content that nothing refers to is kept this long, at least 10m."""
    keep: Count = 3
    """Revisions of each source that are kept, the current one included, for plans and rollbacks."""


class Decryption(Spec, frozen=True, kw_only=True):
    """How encrypted files are opened, for every app that does not say so itself."""

    provider: str = ""
    """Decryptor (see `gitopsd plugins`) for every app without one of its own, `sops`; empty: only where an app asks for it."""
    secret: Annotated[str, Meta(pattern=_SECRET_NAME, description="a Secret as [NAMESPACE/]NAME")] = ""
    """Secret with the keys, as [NAMESPACE/]NAME; also tried where an app's own do not open a file."""
    service_account: Annotated[str, Meta(pattern=_ACCOUNT, description="the name of a service account")] = ""
    """Service account of each app's own namespace in whose name clouds and Vaults are asked for keys, where an app names none."""
    own_identity: tuple[str, ...] = ()
    """Keys of clouds and Vaults (`arn:aws:kms:*:111122223333:*`) for which gitopsd's own identity may be used by every app; empty: none."""
    config_map: Annotated[str, Meta(pattern=_SECRET_NAME, description="a ConfigMap as [NAMESPACE/]NAME")] = ""
    """ConfigMap with the Vaults where service accounts may log in, as [NAMESPACE/]NAME (Flux's `--sops-vault-configmap`)."""
    verify_mac: bool = True
    """Refuse files that were changed since they were encrypted; Flux takes them."""

    def __post_init__(self) -> None:
        if self.secret and not self.provider:
            raise ValueError("secret is set without a provider; set provider: sops")


class Settings(Spec, frozen=True, kw_only=True):
    """The spec of gitopsd's own kind `Settings`."""

    instance: Label = "default"
    """Name of this gitopsd; a label of all that it applies. Two that share a cluster need different names."""
    kinds: tuple[str, ...] = ()
    """Serve these kinds only, the others are listed and left alone; empty for all."""
    read_only: bool = False
    """Send no write to any cluster: plans only."""
    adopt: Adopt = Adopt.UNMANAGED
    """Existing objects that may be taken over: `never`, `unmanaged` (nobody's or kubectl's), `always`."""
    field_manager: Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[!-~]+$")] = "gitopsd"
    """Field manager under which objects are applied."""
    inventory_namespace: Label = "gitopsd-system"
    """Namespace of the records of what gitopsd applied, in each cluster; made when missing."""
    state_dir: AbsolutePath = ""
    """Folder of the store and the keys; empty: $STATE_DIRECTORY, /var/lib/gitopsd for root, else the user's state folder."""
    secrets_dir: str = ""
    """Folder with secrets as [NAMESPACE/]NAME/KEY; empty: `secrets.d` in the first config folder."""
    socket: AbsolutePath = ""
    """Control socket; empty: gitopsd.sock in $RUNTIME_DIRECTORY, /run/gitopsd for root, else the user's run-time folder."""
    interval_jitter_percent: Annotated[int, Meta(ge=0, le=50)] = 5
    """Spread of intervals, so that not all objects are due at once."""
    hold_timeout: Duration = duration("1h")
    """How long a broken or suspended app may hold back the deletion of objects that it might still want."""
    full_check_interval: Duration = duration("1h")
    """Time between two comparisons of everything in the cluster, beside the watches."""
    stage_kinds: tuple[GroupKind, ...] = ()
    """Kinds, as GROUP/KIND or KIND, that every app writes in a stage of their own: after definitions and classes, before all else."""
    additive_ready_expr: bool = False
    """A `readyExpr` comes on top of the built-in test of a dependency instead of replacing it (Flux's AdditiveCELDependencyCheck)."""
    home_cluster: str = ""
    """Cluster that knows service accounts and issues their tokens, for other clusters and for clouds; empty: the only one that is declared."""
    decryption: Decryption = field(default_factory=Decryption)
    """How encrypted files are opened, for every app that does not say so itself."""
    limits: Limits = field(default_factory=Limits)
    """How much happens at once."""
    retry: Retry = field(default_factory=Retry)
    """Back-off after failures."""
    safety: Safety = field(default_factory=Safety)
    """Rules against deletion by accident."""
    remote_resources: RemoteResources = field(default_factory=RemoteResources)
    """Remote resources of kustomizations."""
    plugins: Plugins = field(default_factory=Plugins)
    """Which plugins are used."""
    log: Log = field(default_factory=Log)
    """Logging."""
    network: Network = field(default_factory=Network)
    """Where sources may be fetched from."""
    gc: Gc = field(default_factory=Gc)
    """The store's garbage collection."""


class Named(Spec, frozen=True, kw_only=True):
    """The metadata of a `Settings` document; its name is for the reader only, there is one `Settings`."""

    name: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


class SettingsDocument(Spec, frozen=True, kw_only=True):
    """A whole `Settings` document."""

    api_version: Literal["gitopsd.io/v1alpha1"]
    kind: Literal["Settings"]
    metadata: Named = field(default_factory=Named)
    spec: Settings = field(default_factory=Settings)
