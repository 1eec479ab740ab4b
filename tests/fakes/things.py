"""Values of the steps, made short for tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from gitopsd.model.change import Action, Change, Live, Ours, Owner
from gitopsd.model.declared import AppIntent, Declared, Place, SourceIntent
from gitopsd.model.digest import Digest
from gitopsd.model.identity import ObjectRef, ResourceId
from gitopsd.model.inventory import Inventory, Owned
from gitopsd.model.manifest import Manifest
from gitopsd.reconcile import plan
from gitopsd.reconcile.plan import Ground

AT = datetime(2026, 1, 1, tzinfo=UTC)
CLUSTER = "cluster-1"


def app(name: str = "app") -> ObjectRef:
    return ObjectRef(kind="Kustomization", namespace="flux-system", name=name)


def source(name: str = "repo") -> ObjectRef:
    return ObjectRef(kind="GitRepository", namespace="flux-system", name=name)


APP, OTHER, SOURCE = app(), app("other"), source()


def id_of(name: str, kind: str = "ConfigMap", *, namespace: str = "default", group: str = "") -> ResourceId:
    return ResourceId(group=group, kind=kind, namespace=namespace, name=name)


def manifest(name: str, kind: str = "ConfigMap", *, namespace: str = "default", **body: Any) -> Manifest:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return Manifest.of({"apiVersion": "v1", "kind": kind, "metadata": metadata, **body})


def live(
    name: str,
    kind: str = "ConfigMap",
    *,
    owner: Owner | None = None,
    mark: str = "m1",
    namespace: str = "default",
    terminating: bool = False,
    owners: tuple[str, ...] = (),
    **body: Any,
) -> Live:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if owners:
        metadata["ownerReferences"] = [{"uid": uid} for uid in owners]
    return Live(
        id=id_of(name, kind, namespace=namespace),
        version="v1",
        uid=f"uid-{name}",
        resource_version="1",
        owner=Ours(app=APP) if owner is None else owner,
        mark=mark,
        terminating=terminating,
        body={"apiVersion": "v1", "kind": kind, "metadata": metadata, **body},
    )


def record(*names: str, intended: tuple[str, ...] = (), of: ObjectRef = APP, token: str = "1") -> Inventory:
    owned = {id_of(n): Owned(id=id_of(n), version="v1", intended=n in intended) for n in (*names, *intended)}
    return Inventory(app=of, cluster_uid=CLUSTER, owned=owned, token=token)


def recorded(*ids: ResourceId) -> Inventory:
    return Inventory(app=APP, cluster_uid=CLUSTER, owned={id: Owned(id=id, version="v1") for id in ids}, token="1")


def deletion(name: str, action: Action = Action.DELETE, kind: str = "ConfigMap") -> Change:
    return Change(id=id_of(name, kind), action=action, live=live(name, kind), deletion=True)


def intent(ref: ObjectRef = APP, *, of: ObjectRef = SOURCE, after: tuple[ObjectRef, ...] = ()) -> AppIntent:
    minute = timedelta(minutes=1)
    return AppIntent(
        ref=ref,
        source=of,
        renderer="kustomize",
        spec={},
        interval=minute,
        retry_interval=minute,
        timeout=minute,
        prune=True,
        depends_on=after,
    )


def source_intent(ref: ObjectRef = SOURCE) -> SourceIntent:
    minute = timedelta(minutes=1)
    return SourceIntent(ref=ref, spec=None, content=Digest("c"), interval=minute, timeout=minute)


def declared(ref: ObjectRef = APP, *, generation: int = 1) -> Declared:
    return Declared(ref=ref, document={}, place=Place(file="x.yaml"), spec=Digest("s"), generation=generation)


def planned(manifests: Sequence[Manifest], ground: Ground) -> tuple[Change, ...]:
    return plan.together(tuple(plan.each(manifests, ground)), ground)
