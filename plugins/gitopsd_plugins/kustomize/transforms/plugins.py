"""kustomize's built-in plugins, configured by objects in `transformers` and `generators` instead of by fields.

Each is a kind of apiVersion `builtin`. Unlike the fields they bring no field specifications of their own: what is
configured is all there is. Programs and containers are never run: any other apiVersion is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from gitopsd.plugin import Rejected, Spec, SpecError, yaml
from gitopsd_plugins.kustomize.files import documents
from gitopsd_plugins.kustomize.files.kustomization import (
    Field,
    Generator,
    Image,
    Patch,
    PatchOptions,
    Replacement,
    Replica,
    Target,
)
from gitopsd_plugins.kustomize.files.loader import Loader
from gitopsd_plugins.kustomize.objects import decoding, origins
from gitopsd_plugins.kustomize.objects.decoding import Mode
from gitopsd_plugins.kustomize.objects.identity import text
from gitopsd_plugins.kustomize.objects.origins import Origin
from gitopsd_plugins.kustomize.objects.resource import Resource
from gitopsd_plugins.kustomize.objects.resources import Resources
from gitopsd_plugins.kustomize.references import fieldspec, names, replacements
from gitopsd_plugins.kustomize.references.config import as_spec
from gitopsd_plugins.kustomize.references.fieldspec import FieldSpecs
from gitopsd_plugins.kustomize.references.selector import Selector
from gitopsd_plugins.kustomize.transforms import generators, patches, transformers


class Entries(Spec, frozen=True, kw_only=True):
    """LabelTransformer, AnnotationsTransformer."""

    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    field_specs: tuple[Field, ...] = ()


class Surrounding(Spec, frozen=True, kw_only=True):
    """PrefixTransformer, SuffixTransformer, PrefixSuffixTransformer."""

    prefix: str = ""
    suffix: str = ""
    field_specs: tuple[Field, ...] = ()


class Namespacing(Spec, frozen=True, kw_only=True):
    """NamespaceTransformer; the namespace itself is in the metadata."""

    field_specs: tuple[Field, ...] = ()
    unset_only: bool = False
    set_role_binding_subjects: str = ""


class Imaging(Spec, frozen=True, kw_only=True):
    """ImageTagTransformer."""

    image_tag: Image = Image()
    field_specs: tuple[Field, ...] = ()


class Replicating(Spec, frozen=True, kw_only=True):
    """ReplicaCountTransformer."""

    replica: Replica = Replica()
    field_specs: tuple[Field, ...] = ()


class Patching(Spec, frozen=True, kw_only=True):
    """PatchTransformer, PatchJson6902Transformer, PatchStrategicMergeTransformer."""

    path: str = ""
    patch: str = ""
    json_op: str = ""
    paths: tuple[str, ...] = ()
    patches: str = ""
    target: Target | None = None
    options: PatchOptions | None = None


class Replacing(Spec, frozen=True, kw_only=True):
    """ReplacementTransformer."""

    replacements: tuple[Replacement, ...] = ()


class ValueTarget(Spec, frozen=True, kw_only=True):
    """Where a value goes."""

    selector: Target | None = None
    field_path: str = ""
    file_path_position: int = 0


class Adding(Spec, frozen=True, kw_only=True):
    """ValueAddTransformer."""

    value: str = ""
    targets: tuple[ValueTarget, ...] = ()
    target_file_path: str = ""


class Account(Spec, frozen=True, kw_only=True):
    """A service account, of Kubernetes or of the cloud."""

    name: str = ""
    namespace: str = ""
    project_id: str = ""


class Policy(Spec, frozen=True, kw_only=True):
    """IAMPolicyGenerator."""

    cloud: str = ""
    kubernetes_service: Account = Account()
    service_account: Account = Account()


class Nothing(Spec, frozen=True, kw_only=True):
    """A plugin without settings."""


@dataclass(frozen=True, slots=True)
class Call:
    """One configured plugin at work."""

    resources: Resources
    config: Any
    metadata: dict[str, Any]
    loader: Loader


def transform(resources: Resources, plugin: Resource, loader: Loader) -> None:
    """Run one transformer. Raises `Rejected` naming it."""
    _run(_TRANSFORMERS, resources, plugin, loader)


def generate(resources: Resources, plugin: Resource, loader: Loader, origin: Origin | None = None) -> None:
    """Run one generator; `origin` is noted on what it makes. Raises `Rejected` naming it."""
    made = Resources(types=resources.types)
    _run(_GENERATORS, made, plugin, loader)
    if origin is not None:
        origins.set_maker(made, origin)
    for resource in made:
        resources.absorb(resource)


def _run(
    table: dict[str, tuple[type[Spec], Callable[[Call], None]]], resources: Resources, plugin: Resource, loader: Loader
) -> None:
    if text(plugin.body.get("apiVersion")) != "builtin":
        raise Rejected(
            f"{plugin.file}: {plugin}: only kustomize's built-in plugins (apiVersion: builtin) are run, never programs; "
            "express it as a patch or replacement, or render it before it is committed"
        )
    if plugin.kind not in table:
        raise Rejected(f"{plugin.file}: {plugin}: no built-in plugin of this kind; known: {', '.join(table)}")
    kind, run = table[plugin.kind]
    try:
        run(Call(resources, decoding.decode(plugin.body, kind, Mode.LENIENT), plugin.metadata, loader))
    except (SpecError, Rejected) as error:
        raise Rejected(f"{plugin.file or 'inline'}: {plugin}: {error}") from error
    resources.keep(lambda r: bool(r.body))


def _fields(config: Any) -> FieldSpecs:
    return FieldSpecs(map(as_spec, config.field_specs))


def _labels(call: Call) -> None:
    transformers.set_entries(call.resources, call.config.labels, _fields(call.config))


def _annotations(call: Call) -> None:
    transformers.set_entries(call.resources, call.config.annotations, _fields(call.config))


def _surround(call: Call) -> None:
    if call.config.prefix:
        names.surround(call.resources, _fields(call.config), prefix=call.config.prefix)
    if call.config.suffix:
        names.surround(call.resources, _fields(call.config), suffix=call.config.suffix)


def _namespace(call: Call) -> None:
    namespace = text(call.metadata.get("namespace"))
    mode = call.config.set_role_binding_subjects or "defaultOnly"
    if namespace:
        transformers.set_namespace(
            call.resources, namespace, _fields(call.config), unset_only=call.config.unset_only, subjects=mode
        )


def _images(call: Call) -> None:
    transformers.set_images(call.resources, (call.config.image_tag,), _fields(call.config))


def _replicas(call: Call) -> None:
    transformers.set_replicas(call.resources, call.config.replica, _fields(call.config))


def _patch(call: Call) -> None:
    config: Patching = call.config
    wanted = Patch(path=config.path, patch=config.patch, target=config.target, options=config.options)
    patches.apply(call.resources, wanted, call.loader)


def _patch_json(call: Call) -> None:
    config: Patching = call.config
    patches.apply_json(call.resources, Patch(path=config.path, patch=config.json_op, target=config.target), call.loader)


def _patch_strategic(call: Call) -> None:
    entries = (*call.config.paths, *([call.config.patches] if call.config.patches else ()))
    if not entries:
        raise Rejected("empty file path and empty patch content")
    patches.apply_strategic(call.resources, entries, call.loader)


def _replace(call: Call) -> None:
    replacements.apply_all(call.resources, call.config.replacements, call.loader)


def _hash(call: Call) -> None:
    names.add_hashes(call.resources)


def _add_value(call: Call) -> None:
    value = call.config.value.strip() or call.loader.root.rpartition("/")[2]
    targets = call.config.targets
    if call.config.target_file_path:
        targets = (*targets, *_in_file(call.config.target_file_path, call.loader))
    if not targets:
        raise Rejected("must specify at least one target")
    for target in targets:
        if not target.field_path:
            raise Rejected("fieldPath cannot be empty")
        chosen = Selector.of(target.selector).among(call.resources) if target.selector else call.resources.items
        for resource in chosen:
            _add_to(resource, target, value)
    call.resources.changed()


def _in_file(path: str, loader: Loader) -> tuple[ValueTarget, ...]:
    (document,) = documents.documents(loader.read(path), loader.shown(path), yaml.KUBERNETES)
    return decoding.decode(document.value, Adding, Mode.LENIENT).targets


def _add_to(resource: Resource, target: ValueTarget, value: str) -> None:
    if target.field_path == "metadata/namespace":
        resource.namespace = value
        return

    def edit(holder: Any, key: Any) -> None:
        holder[key] = (
            _inserted(text(holder[key]), target.file_path_position, value) if target.file_path_position else value
        )

    steps = fieldspec.FieldSpec(target.field_path).steps
    fieldspec.visit(resource.body, steps, edit, make=str)


def _inserted(path: str, position: int, part: str) -> str:
    absolute = path.startswith("/")
    parts = [p for p in path.split("/") if p]
    parts.insert(position - 1, part)
    return ("/" if absolute else "") + "/".join(parts)


def _config_map(call: Call) -> None:
    call.resources.append(generators.config_map(_named(call), None, call.loader))


def _secret(call: Call) -> None:
    call.resources.append(generators.secret(_named(call), None, call.loader))


def _named(call: Call) -> Generator:
    config: Generator = call.config
    return msgspec.structs.replace(
        config,
        name=config.name or text(call.metadata.get("name")),
        namespace=config.namespace or text(call.metadata.get("namespace")),
    )


def _policy(call: Call) -> None:
    config: Policy = call.config
    if config.cloud != "gke":
        raise Rejected(f"cloud provider {config.cloud!r} is not supported; it must be gke")
    account = f"{config.service_account.name}@{config.service_account.project_id}.iam.gserviceaccount.com"
    metadata = {"name": config.kubernetes_service.name, "annotations": {"iam.gke.io/gcp-service-account": account}}
    if config.kubernetes_service.namespace:
        metadata["namespace"] = config.kubernetes_service.namespace
    call.resources.append(Resource({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}))


_TRANSFORMERS: dict[str, tuple[type[Spec], Callable[[Call], None]]] = {
    "AnnotationsTransformer": (Entries, _annotations),
    "HashTransformer": (Nothing, _hash),
    "ImageTagTransformer": (Imaging, _images),
    "LabelTransformer": (Entries, _labels),
    "NamespaceTransformer": (Namespacing, _namespace),
    "PatchJson6902Transformer": (Patching, _patch_json),
    "PatchStrategicMergeTransformer": (Patching, _patch_strategic),
    "PatchTransformer": (Patching, _patch),
    "PrefixSuffixTransformer": (Surrounding, _surround),
    "PrefixTransformer": (Surrounding, _surround),
    "ReplacementTransformer": (Replacing, _replace),
    "ReplicaCountTransformer": (Replicating, _replicas),
    "SuffixTransformer": (Surrounding, _surround),
    "ValueAddTransformer": (Adding, _add_value),
}
_GENERATORS: dict[str, tuple[type[Spec], Callable[[Call], None]]] = {
    "ConfigMapGenerator": (Generator, _config_map),
    "IAMPolicyGenerator": (Policy, _policy),
    "SecretGenerator": (Generator, _secret),
}
