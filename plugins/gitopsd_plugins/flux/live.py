"""Flux's objects as a cluster holds them, made into declared ones again: without status and the cluster's bookkeeping. Pure.

What another Kustomization applied is its child and comes with it; so only those at the top need to be declared, with the
sources that they name, since a bootstrapped `flux-system` pair owns itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from gitopsd.plugin.imports import Imported, Wanted

OWNER = "kustomize.toolkit.fluxcd.io"
HELM_OWNER = "helm.toolkit.fluxcd.io"
KINDS = (
    ("source.toolkit.fluxcd.io", "GitRepository"),
    ("source.toolkit.fluxcd.io", "OCIRepository"),
    ("source.toolkit.fluxcd.io", "Bucket"),
    ("source.toolkit.fluxcd.io", "HelmRepository"),
    ("source.toolkit.fluxcd.io", "HelmChart"),
    ("kustomize.toolkit.fluxcd.io", "Kustomization"),
    ("helm.toolkit.fluxcd.io", "HelmRelease"),
    ("notification.toolkit.fluxcd.io", "Provider"),
    ("notification.toolkit.fluxcd.io", "Alert"),
    ("notification.toolkit.fluxcd.io", "Receiver"),
    ("image.toolkit.fluxcd.io", "ImageRepository"),
    ("image.toolkit.fluxcd.io", "ImagePolicy"),
    ("image.toolkit.fluxcd.io", "ImageUpdateAutomation"),
)
_BOOKKEEPING = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "reconcile.fluxcd.io/requestedAt",
    "reconcile.fluxcd.io/forceAt",
    "reconcile.fluxcd.io/resetAt",
)
_SECRETS = ("secretRef", "certSecretRef", "proxySecretRef")

Body = Mapping[str, Any]


def declared(bodies: Sequence[Body], *, cluster: str, every: bool) -> tuple[Imported, ...]:
    """The objects to declare, in the order of `bodies`: those at the top, or all of them."""
    kept = [body for body in bodies if not _is_made(body)] if every else _top(bodies)
    return tuple(_cleaned(body, cluster) for body in kept)


def _is_made(body: Body) -> bool:
    """A HelmChart that Flux made for a release."""
    return body["kind"] == "HelmChart" and f"{HELM_OWNER}/name" in _labels(body)


def _top(bodies: Sequence[Body]) -> list[Body]:
    apps = {_name(body) for body in bodies if body["kind"] == "Kustomization"}
    first = [
        body for body in bodies if not _is_made(body) and _owner(body) in {None, _own(body)} | _strangers(body, apps)
    ]
    wanted = {source for body in first for source in _sources(body)}
    return [body for body in bodies if body in first or (body["kind"], *_name(body)) in wanted]


def _strangers(body: Body, apps: set[tuple[str, str]]) -> set[tuple[str, str] | None]:
    """Its owner, where that is not in the cluster any more."""
    owner = _owner(body)
    return {owner} if owner not in apps else set()


def _own(body: Body) -> tuple[str, str] | None:
    return _name(body) if body["kind"] == "Kustomization" else None


def _name(body: Body) -> tuple[str, str]:
    return body["metadata"].get("namespace", ""), body["metadata"]["name"]


def _labels(body: Body) -> Mapping[str, str]:
    labels: Mapping[str, str] = body["metadata"].get("labels") or {}
    return labels


def _owner(body: Body) -> tuple[str, str] | None:
    labels = _labels(body)
    name = labels.get(f"{OWNER}/name")
    return (labels.get(f"{OWNER}/namespace", ""), name) if name else None


def _sources(body: Body) -> Iterator[tuple[str, str, str]]:
    reference = (body.get("spec") or {}).get("sourceRef")
    if isinstance(reference, Mapping):
        namespace = reference.get("namespace") or body["metadata"].get("namespace", "")
        yield reference.get("kind", ""), namespace, reference.get("name", "")


def _cleaned(body: Body, cluster: str) -> Imported:
    metadata = body["metadata"]
    kept: dict[str, Any] = {"name": metadata["name"], "namespace": metadata.get("namespace", "")}
    owners = (f"{OWNER}/", f"{HELM_OWNER}/")
    labels = {key: value for key, value in _labels(body).items() if not key.startswith(owners)}
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k not in _BOOKKEEPING}
    kept |= {name: table for name, table in (("labels", labels), ("annotations", annotations)) if table}
    made = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": kept, "spec": body.get("spec") or {}}
    return Imported(
        body=made, heading=f"cluster {cluster}: {body['kind']}/{'/'.join(_name(body))}", file=kept["namespace"]
    )


def wanted(objects: Iterable[Imported]) -> tuple[Wanted, ...]:
    """The Secrets that these refer to."""
    found = {secret for it in objects for secret in _wanted(it)}
    return tuple(sorted(found))


def _wanted(it: Imported) -> Iterator[Wanted]:
    spec, namespace = it.body["spec"], it.id.namespace
    references = [spec.get(name) for name in _SECRETS]
    references += [(spec.get(name) or {}).get("secretRef") for name in ("verify", "decryption", "kubeConfig")]
    references += [r for r in (spec.get("postBuild") or {}).get("substituteFrom") or () if r.get("kind") == "Secret"]
    references += [r for r in spec.get("valuesFrom") or () if r.get("kind") == "Secret"]
    for reference in references:
        if isinstance(reference, Mapping) and reference.get("name"):
            yield Wanted(namespace=namespace, name=reference["name"], by=str(it.id))
