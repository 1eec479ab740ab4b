"""An identity that may not do everything, on a real control plane with RBAC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gitopsd.plugin import Context, Need, Rejected, Treatment
from gitopsd.plugin.conformance.scene import (
    APP,
    actor,
    applied,
    apply,
    config_map,
    look,
    namespace_manifest,
    next_of,
    place,
)
from gitopsd_plugins.kubernetes import client as clients
from gitopsd_plugins.kubernetes.access.kubeconfig import KubeconfigAccess
from gitopsd_plugins.kubernetes.sink import KubernetesSink
from gitopsd_plugins.kubernetes.target import KubernetesTarget

pytestmark = [pytest.mark.contract, pytest.mark.asyncio, pytest.mark.timeout(180)]

RBAC = "/apis/rbac.authorization.k8s.io/v1"
KINDS = [("", "v1", "ConfigMap")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Somebody who may only work in one namespace."""

    target: KubernetesTarget
    admin: KubernetesTarget
    namespace: str


@pytest_asyncio.fixture
async def tenant(control_plane: Any, ctx: Context) -> AsyncIterator[Tenant]:
    def opened(path: Path) -> Any:
        return KubeconfigAccess().open("real", {"path": str(path), "context": "local"}, ctx)

    async with AsyncExitStack() as stack:
        access = await stack.enter_async_context(opened(control_plane.kubeconfig))
        admin, namespace = await stack.enter_async_context(
            place(lambda who: KubernetesSink().connect(access, who, ctx))
        )
        assert isinstance(admin, KubernetesTarget)
        user = f"tenant-{namespace}"
        await _grant(admin, "ClusterRole", "", user, ["get"], ["namespaces"])
        await _grant(admin, "Role", namespace, user, ["*"], ["configmaps"])
        limited = await stack.enter_async_context(opened(control_plane.kubeconfig_for(user)))
        target = await stack.enter_async_context(KubernetesSink().connect(limited, actor(), ctx))
        yield Tenant(target=target, admin=admin, namespace=namespace)


async def _grant(
    admin: KubernetesTarget, kind: str, namespace: str, user: str, verbs: list[str], plurals: list[str]
) -> None:
    where = f"{RBAC}/namespaces/{namespace}" if namespace else RBAC
    rules = [{"apiGroups": [""], "resources": plurals, "verbs": verbs}]
    role = {"metadata": {"name": user}, "rules": rules}
    binding = {
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": user},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }
    plural = f"{kind.lower()}s"
    clients.checked(await admin.client.send("POST", f"{where}/{plural}", body=role), "granting")
    bindings = plural.replace("roles", "rolebindings")
    clients.checked(await admin.client.send("POST", f"{where}/{bindings}", body=binding), "granting")


async def test_what_is_denied_is_told_in_sentences(tenant: Tenant) -> None:
    sentences = await tenant.target.rights(KINDS)
    assert "may not get, list, watch, create, patch, delete configmaps in all namespaces" in sentences
    records = tenant.target.actor.namespace
    assert f"may not get, create, update leases.coordination.k8s.io in namespace {records}" in sentences


async def test_exactly_what_a_plan_needs_is_asked_for(tenant: Tenant) -> None:
    own = Need(group="", version="v1", kind="ConfigMap", namespace=tenant.namespace, verbs=("get", "create", "delete"))
    theirs = Need(group="", version="v1", kind="ConfigMap", namespace="default", verbs=("get", "create", "patch"))
    whole = Need(group="", version="v1", kind="Namespace", namespace="", verbs=("get", "create"))
    assert sorted(await tenant.target.denied([own, theirs, whole])) == [
        "may not create namespaces in all namespaces",
        "may not get, create, patch configmaps in namespace default",
    ]


async def test_a_denied_write_is_a_refusal_that_names_the_object(tenant: Tenant) -> None:
    result = await apply(tenant.target, config_map("a", "default", {}))
    assert isinstance(result.error, Rejected)
    assert str(result.error).startswith("ConfigMap/default/a apply failed (Forbidden): ")
    rehearsal = await tenant.target.rehearse(namespace_manifest("mine"), APP, None, Treatment())
    assert not rehearsal.waits
    assert "Namespace/mine dry-run failed (Forbidden)" in str(rehearsal.error)


async def test_observing_and_watching_go_on_in_the_allowed_namespace(tenant: Tenant) -> None:
    manifests = [config_map(f"c{number}", tenant.namespace, {}) for number in range(12)]
    for manifest in manifests:
        await applied(tenant.target, manifest)
    assert len(await tenant.target.observe([(m.id, m.version) for m in manifests])) == 12
    async with tenant.target.watch(KINDS) as stream:
        assert (await next_of(stream, manifests[0].id)).live is not None


async def test_what_cannot_be_listed_counts_as_collateral(tenant: Tenant) -> None:
    live = await look(tenant.target, namespace_manifest(tenant.namespace))
    assert live is not None
    kinds = {item.id.kind for item in await tenant.target.collateral(live) if not item.id.name}
    assert "Deployment" in kinds
    assert "ConfigMap" not in kinds
