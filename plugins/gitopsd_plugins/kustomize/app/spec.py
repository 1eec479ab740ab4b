"""The document of a Flux Kustomization, every field of every served version, as msgspec structs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from gitopsd.plugin import Spec
from gitopsd_plugins.kustomize.files.kustomization import Image, Target

Duration = str
SOURCES = ("GitRepository", "OCIRepository", "Bucket", "ExternalArtifact")
"""Flux's list, which it closes; here any kind that a plugin serves as a source joins it."""
SourceKind = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        description=f"{', '.join(SOURCES)}, or any other kind that a plugin serves as a source",
        examples=list(SOURCES),
    ),
]


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of the metadata; anything else a server may have added is left alone."""

    name: str
    namespace: str = ""
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class SourceRef(Spec, frozen=True, kw_only=True):
    """The source that the app is built from."""

    kind: SourceKind
    name: str
    api_version: str = ""
    namespace: str = ""


class Dependency(Spec, frozen=True, kw_only=True):
    """Another Kustomization that must be ready before."""

    name: str
    namespace: str = ""
    ready_expr: str = ""


class CheckedObject(Spec, frozen=True, kw_only=True):
    """An object whose health counts."""

    kind: str
    name: str
    api_version: str = "apps/v1"
    namespace: str = ""


class FluxPatch(Spec, frozen=True, kw_only=True):
    """A patch in place."""

    patch: str
    target: Target | None = None


class JsonPatch(Spec, frozen=True, kw_only=True):
    """A JSON patch in place, as older versions write it."""

    patch: tuple[dict[str, Any], ...]
    target: Target


class CommonMetadata(Spec, frozen=True, kw_only=True):
    """Labels and annotations for all objects."""

    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class SubstituteSource(Spec, frozen=True, kw_only=True):
    """Where variables come from."""

    kind: Literal["ConfigMap", "Secret"]
    name: str
    optional: bool = False


class PostBuild(Spec, frozen=True, kw_only=True):
    """Variables that are put in after the build."""

    substitute: dict[str, str] = msgspec.field(default_factory=dict)
    substitute_from: tuple[SubstituteSource, ...] = ()
    substitute_strategy: Literal["", "WithVariables", "Always"] = ""


class Named(Spec, frozen=True, kw_only=True):
    """A reference by name."""

    name: str


class KeyOf(Spec, frozen=True, kw_only=True):
    """A reference to a Secret, and which of its keys."""

    name: str
    key: str = ""


class Decryption(Spec, frozen=True, kw_only=True):
    """How secrets are decrypted."""

    provider: str
    secret_ref: Named | None = None
    service_account_name: str = ""


class KubeConfig(Spec, frozen=True, kw_only=True):
    """Another cluster."""

    secret_ref: KeyOf | None = None
    config_map_ref: Named | None = None


class HealthExpressions(Spec, frozen=True, kw_only=True):
    """Health of a kind in CEL."""

    api_version: str
    current: str
    kind: str = ""
    in_progress: str = ""
    failed: str = ""


class Ignored(Spec, frozen=True, kw_only=True):
    """Fields that are no drift."""

    paths: tuple[str, ...]
    target: Target | None = None


class KustomizationSpec(Spec, frozen=True, kw_only=True):
    """`spec` as Flux has it; the last four are fields of older versions that tutorials still show."""

    interval: Duration
    prune: bool
    source_ref: SourceRef
    retry_interval: Duration = ""
    timeout: Duration = ""
    path: str = ""
    deletion_policy: Literal["", "MirrorPrune", "Delete", "WaitForTermination", "Orphan"] = ""
    depends_on: tuple[Dependency, ...] = ()
    suspend: bool = False
    force: bool = False
    wait: bool = False
    target_namespace: str = ""
    name_prefix: str = ""
    name_suffix: str = ""
    common_metadata: CommonMetadata | None = None
    patches: tuple[FluxPatch, ...] = ()
    images: tuple[Image, ...] = ()
    components: tuple[str, ...] = ()
    ignore_missing_components: bool = False
    build_metadata: tuple[str, ...] = ()
    post_build: PostBuild | None = None
    decryption: Decryption | None = None
    health_checks: tuple[CheckedObject, ...] = ()
    health_check_exprs: tuple[HealthExpressions, ...] = ()
    ignore: tuple[Ignored, ...] = ()
    kube_config: KubeConfig | None = None
    service_account_name: str = ""
    validation: Literal["", "none", "client", "server"] = ""
    patches_strategic_merge: tuple[dict[str, Any], ...] = ()
    patches_json6902: tuple[JsonPatch, ...] = ()


class Document(Spec, frozen=True, kw_only=True):
    """The whole object; `status` is never read."""

    api_version: Literal[
        "kustomize.toolkit.fluxcd.io/v1", "kustomize.toolkit.fluxcd.io/v1beta2", "kustomize.toolkit.fluxcd.io/v1beta1"
    ]
    kind: Literal["Kustomization"]
    metadata: Metadata
    spec: KustomizationSpec
    status: Any = None
