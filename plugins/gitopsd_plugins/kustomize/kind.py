"""The declared kind Kustomization of Flux: document to intent, markers on objects to rules, outcome to status."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec

from gitopsd.plugin import (
    AppIntent,
    Atomic,
    Body,
    ConfigName,
    Declared,
    Decryption,
    Deletion,
    ObjectRef,
    Outcome,
    ResourceId,
    SecretKey,
    SpecError,
    Treatment,
    ValuesRef,
    keys,
    spec,
)
from gitopsd_plugins.kustomize.app import checks, ignored, markers, overlay, policy, status
from gitopsd_plugins.kustomize.app.spec import SOURCES, Document, KustomizationSpec

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LEAST = timedelta(seconds=30)


class KustomizationKind:
    """`kustomize.toolkit.fluxcd.io` Kustomization, rendered by `kustomize`."""

    group = "kustomize.toolkit.fluxcd.io"
    kind = "Kustomization"
    versions: tuple[str, ...] = ("v1", "v1beta2", "v1beta1")
    aliases: tuple[str, ...] = ("ks", "kustomizations")

    def read(self, declared: Declared) -> AppIntent:
        """Decode the document. Raises `SpecError` with the path of what does not fit."""
        document = spec.decode(declared.document, Document)
        found, annotations, ref = document.spec, document.metadata.annotations, declared.ref
        interval = _duration(found.interval, "interval")
        return AppIntent(
            ref=ref,
            source=_source(found, ref),
            source_kinds=frozenset(SOURCES),
            renderer="kustomize",
            spec=overlay.value(overlay.of(found, strict=policy.strict(annotations))),
            values=_values(found, ref),
            decryption=_decryption(found, ref, annotations),
            interval=interval,
            retry_interval=_duration(found.retry_interval, "retryInterval") if found.retry_interval else interval,
            timeout=max(_duration(found.timeout, "timeout") if found.timeout else interval - _LEAST, _LEAST),
            prune=found.prune,
            deletion=Deletion(found.deletion_policy or Deletion.MIRROR_PRUNE),
            depends_on=checks.dependencies(found, ref),
            ready_expressions=checks.ready_expressions(found, ref),
            wait=found.wait,
            health_checks=checks.objects(found),
            health_expressions=checks.health_expressions(found),
            suspended=found.suspend,
            cluster=policy.cluster(annotations),
            kubeconfig=_kubeconfig(found, ref, annotations),
            act_as=_service_account(found, ref),
            policy=policy.read(
                annotations, atomic=Atomic.OBJECT if found.validation == "none" else None, force=found.force
            ),
            own=ignored.rules(found.ignore),
            warnings=_warnings(document),
        )

    def status(self, declared: Declared, outcome: Outcome, previous: Mapping[str, Any]) -> Mapping[str, Any]:
        """The status that Flux would write."""
        return status.after(outcome, previous)

    def treatment(self, intent: AppIntent, id: ResourceId, body: Body) -> Treatment:
        """What Flux's markers on the object and `spec.ignore` ask for."""
        marked = markers.read(id, body)
        return replace(marked, ignored=ignored.paths(intent.own, id, body)) if intent.own else marked

    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of the whole document."""
        return msgspec.json.schema(Document)


def _source(found: KustomizationSpec, ref: ObjectRef) -> ObjectRef:
    wanted = found.source_ref
    return ObjectRef(kind=wanted.kind, namespace=wanted.namespace or ref.namespace, name=wanted.name)


def _values(found: KustomizationSpec, ref: ObjectRef) -> tuple[ValuesRef, ...]:
    """What `postBuild.substituteFrom` names, in its order."""
    return tuple(
        ValuesRef(
            kind=source.kind,
            namespace=ref.namespace,
            name=source.name,
            field=f"spec.postBuild.substituteFrom[{index}]",
            optional=source.optional,
        )
        for index, source in enumerate(found.post_build.substitute_from if found.post_build else ())
    )


def _decryption(found: KustomizationSpec, ref: ObjectRef, annotations: Mapping[str, str]) -> Decryption | None:
    """The app's own; an annotation may speak of the authentication code without one."""
    asked, verify = found.decryption, policy.verify_mac(annotations)
    if asked is None:
        return None if verify is None else Decryption(verify=verify)
    named = asked.secret_ref.name if asked.secret_ref else ""
    keys = ValuesRef(kind="Secret", namespace=ref.namespace, name=named, field="spec.decryption.secretRef")
    account = _account_name(asked.service_account_name, "decryption", "serviceAccountName")
    return Decryption(provider=asked.provider, keys=keys if named else None, account=account, verify=verify)


def _kubeconfig(
    found: KustomizationSpec, ref: ObjectRef, annotations: Mapping[str, str]
) -> SecretKey | ConfigName | None:
    wanted = found.kube_config
    if wanted is None:
        return None
    if (wanted.secret_ref is None) == (wanted.config_map_ref is None):
        raise SpecError("needs either secretRef or configMapRef", path=("spec", "kubeConfig"))
    if policy.cluster(annotations):
        raise SpecError(
            f"names another cluster than the annotation {keys.CLUSTER}; remove one", path=("spec", "kubeConfig")
        )
    if wanted.secret_ref is not None:
        return SecretKey(namespace=ref.namespace, name=wanted.secret_ref.name, key=wanted.secret_ref.key)
    assert wanted.config_map_ref is not None  # one of the two, as said above
    return ConfigName(namespace=ref.namespace, name=wanted.config_map_ref.name)


def _service_account(found: KustomizationSpec, ref: ObjectRef) -> str:
    """The user that Kubernetes knows a service account of the app's namespace by."""
    name = _account_name(found.service_account_name, "serviceAccountName")
    return f"system:serviceaccount:{ref.namespace}:{name}" if name else ""


def _account_name(name: str, *path: str) -> str:
    if name and not _NAME.fullmatch(name):
        raise SpecError(f"{name[:80]!r} cannot be the name of a service account", path=("spec", *path))
    return name


def _duration(text: str, field: str) -> timedelta:
    found = spec.duration(text, path=("spec", field))
    if found <= timedelta():
        raise SpecError(f"{text!r} is no time at all; write it as 30s, 5m or 1h30m", path=("spec", field))
    return found


def _warnings(document: Document) -> tuple[str, ...]:
    warnings: list[str] = []
    if document.api_version != "kustomize.toolkit.fluxcd.io/v1":
        warnings.append(f"apiVersion {document.api_version} is outdated; use kustomize.toolkit.fluxcd.io/v1")
    if document.spec.validation:
        meaning = "objects are applied one by one" if document.spec.validation == "none" else "as it is anyway"
        warnings.append(f"spec.validation is a field of older versions of Flux; {meaning}")
    return tuple(warnings)
