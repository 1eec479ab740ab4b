"""Acting as a service account: it may what its role says, everything about the app is done as it, and nothing as ourselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
import pytest_asyncio

from gitopsd.plugin import Access, Action, Change, Context, Manifest, Misconfigured, Rejected, Treatment
from gitopsd.plugin.conformance.scene import APP, SOON, applied, apply, config_map, inventory_of, look, next_of, place
from gitopsd_plugins.kubernetes.sink import KubernetesSink
from gitopsd_plugins.kubernetes.target import KubernetesTarget

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

MAPS = [("", "v1", "ConfigMap")]
RBAC = "rbac.authorization.k8s.io"


def tenant(namespace: str) -> str:
    return f"system:serviceaccount:{namespace}:deployer"


def rights(namespace: str) -> list[Manifest]:
    """A service account that may do everything with config maps of its namespace."""
    metadata = {"name": "deployer", "namespace": namespace}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "verbs": ["get", "list", "watch", "create", "patch", "delete"],
    }
    role = {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]}
    binding: dict[str, Any] = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "deployer"},
        "subjects": [{"kind": "ServiceAccount", "name": "deployer", "namespace": namespace}],
    }
    return [Manifest.of(body) for body in (account, role, binding)]


def secret(namespace: str) -> Manifest:
    metadata = {"name": "s", "namespace": namespace}
    return Manifest.of({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {}})


@pytest_asyncio.fixture
async def both(access: Access, ctx: Context) -> AsyncIterator[tuple[KubernetesTarget, KubernetesTarget, str]]:
    """The own target, the same as the tenant, and the tenant's namespace."""
    async with place(lambda who: KubernetesSink().connect(access, who, ctx)) as (own, namespace):
        for manifest in rights(namespace):
            await applied(own, manifest)
        assert isinstance(own, KubernetesTarget)
        async with own.acting_as(tenant(namespace), "test as the tenant") as other:
            yield own, other, namespace


async def test_what_its_role_allows_is_done_as_it(both: tuple[KubernetesTarget, KubernetesTarget, str]) -> None:
    _, other, namespace = both
    manifest = config_map("a", namespace, {})
    qualified = await other.qualify([manifest])
    assert qualified.unknown == frozenset()
    live = await applied(other, manifest)
    assert (await look(other, manifest)) is not None
    assert (await other.delete(Change(id=live.id, action=Action.DELETE, live=live))).error is None


async def test_what_its_role_lacks_is_refused_by_name_although_we_might(
    both: tuple[KubernetesTarget, KubernetesTarget, str],
) -> None:
    own, other, namespace = both
    manifest = secret(namespace)
    dry = await other.rehearse(manifest, APP, None, Treatment())
    done = await apply(other, manifest)
    for error in (dry.error, done.error):
        assert isinstance(error, Rejected)
        assert f"gitopsd acts as {tenant(namespace)} here: grant that one the right" in str(error)
    live = await applied(own, manifest)
    assert isinstance((await other.delete(Change(id=live.id, action=Action.DELETE, live=live))).error, Rejected)
    with pytest.raises(Rejected, match=r"cannot get resource \"secrets\""):
        await look(other, manifest)
    assert await look(own, manifest) is not None


async def test_another_namespace_is_out_of_reach(both: tuple[KubernetesTarget, KubernetesTarget, str]) -> None:
    _, other, _ = both
    assert isinstance((await apply(other, config_map("a", "default", {}))).error, Rejected)


async def test_its_watches_see_what_it_may_see(both: tuple[KubernetesTarget, KubernetesTarget, str]) -> None:
    own, other, namespace = both
    live = await applied(other, config_map("a", namespace, {}))
    await applied(own, config_map("b", "default", {}))
    async with other.watch([*MAPS, ("", "v1", "Secret")]) as stream:
        assert (await next_of(stream, live.id)).live is not None
        await applied(own, secret(namespace))
        changed = await applied(other, config_map("a", namespace, {"key": "new"}), action=Action.UPDATE)
        seen = set()
        with anyio.fail_after(SOON):
            while True:
                event = await stream.receive()
                seen.add(event.id)
                if event.live is not None and event.live.resource_version == changed.resource_version:
                    break
        assert {id.kind for id in seen if id} == {"ConfigMap"}
        assert {id.namespace for id in seen if id} == {namespace}


async def test_records_stay_with_the_own_identity(both: tuple[KubernetesTarget, KubernetesTarget, str]) -> None:
    own, other, _ = both
    written = await other.remember(inventory_of(other.uid, 3))
    assert await own.inventory(written.app) is not None
    assert other.uid == own.uid


async def test_a_way_that_acts_as_somebody_already_cannot_act_as_another(
    both: tuple[KubernetesTarget, KubernetesTarget, str],
) -> None:
    _, other, namespace = both
    async with other.acting_as(tenant(namespace), "twice") as twice:
        with pytest.raises(Misconfigured, match="acts as another user already"):
            await look(twice, config_map("a", namespace, {}))
