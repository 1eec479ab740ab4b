"""Apps that bring the way to their cluster along: a kubeconfig in a Secret, or a ConfigMap that describes it."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from fakes import clouds, proxy
from fakes.clouds import Cloud
from fakes.proxy import Upstream
from fakes.real_cluster import RealCluster
from fakes.world import APPLY, MERGE, SOURCE, Heard, World, app_ref, kustomization, maps

from gitopsd.config import chosen as choice
from gitopsd.config.chosen import Chosen
from gitopsd.model.outcome import Phase
from gitopsd_plugins.sandbox.server import Running, serve

pytestmark = pytest.mark.asyncio

MAP = "/api/v1/namespaces/default/configmaps/a"


@pytest_asyncio.fixture
async def cloud() -> AsyncIterator[Cloud]:
    async with clouds.serving() as running:
        yield running


def secret(text: str, key: str = "value") -> str:
    return (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: remote, namespace: flux-system}\n"
        f"stringData: {{{key}: {json.dumps(text)}}}\n"
    )


def away(name: str = "app", *spec: str) -> str:
    return kustomization(name, "kubeConfig: {secretRef: {name: remote}}", "retryInterval: 1s", *spec)


async def test_everything_of_the_app_is_in_the_other_cluster_its_record_too(world: World, remote: World) -> None:
    world.repository.commit({**maps("app", "a"), **maps("here", "h")})
    world.declare(away(), kustomization("here"), secret(remote.running.kubeconfig()))
    async with world.engine(watch=True) as engine:
        await world.until("app")
        await world.until("here")
        assert engine.view(app_ref("app")).cluster == "Secret/flux-system/remote"
        seen = len(world.heard.outcomes)
        await remote.send("PATCH", MAP, {"data": {"key": "edited"}}, MERGE)
        await world.until("app", since=seen)
        assert await remote.exists("a")
        assert (await remote.get(MAP) or {})["data"] == {"key": "value"}
    assert not await world.exists("a")
    assert await world.exists("h")
    records = "/api/v1/namespaces/gitopsd-system/configmaps"
    names = [item["metadata"]["name"] for item in (await remote.get(records) or {})["items"]]
    assert [name for name in names if name.startswith(f"inventory.{world.instance}.")] == [
        f"inventory.{world.instance}.kustomization.flux-system.app"
    ]


@pytest.mark.parametrize("remote", ["sandbox"], indirect=True)  # whose token is easily renewed
async def test_a_renewed_kubeconfig_is_used_from_the_next_look_on(world: World, remote: World) -> None:
    world.repository.commit(maps("app", "a"))
    world.declare(away(), secret(remote.running.kubeconfig()))
    async with world.engine(watch=True) as engine:
        await world.until("app")
        assert isinstance(remote.running, Running)
        remote.running.token = "renewed"
        oid = world.repository.commit(maps("app", "b"))
        world.declare(away(), secret(remote.running.kubeconfig()))
        engine.declare(world.load().declared)
        await engine.reconcile(SOURCE, "now")
        await world.until("app", at=oid)
    assert await remote.exists("b")


async def test_a_service_account_is_one_of_the_other_cluster(world: World, remote: World) -> None:
    world.repository.commit(maps("app", "a"))
    world.declare(away("app", "serviceAccountName: deployer"), secret(remote.running.kubeconfig()))
    outcome = await world.app()
    assert outcome.phase is Phase.RETRYING
    assert "gitopsd acts as system:serviceaccount:flux-system:deployer here" in outcome.message
    assert await remote.get(MAP) is None


async def test_a_plan_looks_into_the_other_cluster_and_offline_into_none(world: World, remote: World) -> None:
    world.repository.commit({**maps("app", "a", "b"), **maps("here", "h")})
    told = {("app", "a"), ("app", "b"), ("here", "h")}
    world.declare(
        away("app"), kustomization("here", "serviceAccountName: deployer"), secret(remote.running.kubeconfig())
    )
    remote.running.journal.clear()
    offline = await world.plan(offline=True)
    assert {(r.view.ref.name, c.name) for r in offline.apps for c in r.changes if c.action == "create"} == told
    assert remote.running.journal.requests() == world.asked() == []
    world.declare(away("app"), secret(remote.running.kubeconfig()))
    await world.once()
    world.repository.commit(maps("app", "c"))
    [found] = (await world.plan()).apps
    assert ([(c.action, c.name) for c in found.changes], found.unchanged) == ([("create", "c")], 2)


async def test_a_secret_that_is_not_there_is_waited_for_and_named(world: World) -> None:
    world.repository.commit(maps("app", "a"))
    world.declare(away())
    outcome = await world.app()
    assert outcome.phase is Phase.WAITING
    assert "Secret/flux-system/remote not found" in outcome.message
    assert not await world.exists("a")


async def test_a_kubeconfig_that_would_run_a_program_stalls_its_app_only(world: World) -> None:
    world.repository.commit({**maps("app", "a"), **maps("here", "h")})
    text = json.loads(world.running.kubeconfig())
    text["users"][0]["user"] = {"exec": {"command": "/bin/true"}}
    world.declare(away(), kustomization("here"), secret(json.dumps(text)))
    outcomes = await world.once()
    assert outcomes[app_ref("app")].phase is Phase.STALLED
    assert "may not have exec" in outcomes[app_ref("app")].message
    assert outcomes[app_ref("here")].phase is Phase.READY


async def test_where_the_only_cluster_is_named_for_the_run_no_other_is_contacted(world: World, remote: World) -> None:
    world.repository.commit(maps("app", "a"))
    world.declare(away(), secret(remote.running.kubeconfig()))
    chosen = replace(world.load().chosen, context="sandbox", kubeconfig=world.folder / "kubeconfig")
    loaded = choice.load(chosen)
    outcome = (await world.once(loaded=loaded))[app_ref("app")]
    assert outcome.phase is Phase.STALLED
    assert "a kubeConfig is not followed while --context names the only cluster" in outcome.message
    assert remote.running.journal.requests() == []


async def test_the_other_cluster_speaks_for_its_own_apps_only(world: World, remote: World, tmp_path: Path) -> None:
    world.repository.commit({**maps("app", "a"), **maps("here", "h"), **maps("gone", "g")})
    (tmp_path / "theirs").mkdir()
    theirs = replace(world, folder=tmp_path / "theirs", running=remote.running, heard=Heard())
    theirs.declare(kustomization("here"), kustomization("gone"))  # records of the same instance, whoever made them
    await theirs.once()
    world.declare(kustomization("here"))
    async with world.engine() as engine:
        await engine.once()
        world.declare(away(), kustomization("here"), secret(remote.running.kubeconfig()))
        engine.declare(world.load().declared)
        await engine.once()
        uid = engine.board.inventories[app_ref("app")].cluster_uid
        assert engine.board.inventories[app_ref("here")].cluster_uid != uid
        assert {view.ref.name for view in engine.views()} == {"app", "here", "repo"}


@asynccontextmanager
async def posing(world: World, remote: World) -> AsyncIterator[str]:
    """The kubeconfig of another server, which says that it is the declared cluster."""
    declared = await world.get("/api/v1/namespaces/kube-system")
    assert declared is not None

    async def lie(_: web.Request, upstream: Upstream) -> web.Response:
        body = json.loads((await upstream()).body)  # type: ignore[arg-type]  # a whole answer
        body["metadata"]["uid"] = declared["metadata"]["uid"]
        return web.json_response(body)

    async with proxy.proxy(remote.running.url, remote.tls) as it:
        it.add(lie, method="GET", path="/namespaces/kube-system$")
        yield secret(remote.running.kubeconfig().replace(remote.running.url, it.url))


FOUND_OUT = "says that it is the cluster test, and is another one"


async def test_a_server_that_poses_as_the_declared_cluster_is_found_out(world: World, remote: World) -> None:
    world.repository.commit({**maps("away", "a"), **maps("here", "a")})
    async with posing(world, remote) as kubeconfig:
        world.declare(kustomization("here"), away("away", "dependsOn: [{name: here}]"), kubeconfig)
        outcomes = await world.once()
    assert outcomes[app_ref("here")].phase is Phase.READY, outcomes[app_ref("here")].message
    assert outcomes[app_ref("away")].phase is Phase.RETRYING
    assert FOUND_OUT in outcomes[app_ref("away")].message
    assert await remote.get(MAP) is None


async def test_one_that_posed_first_is_cut_off_and_what_it_claimed_is_free(world: World, remote: World) -> None:
    world.repository.commit({**maps("away", "a"), **maps("here", "a")})
    async with posing(world, remote) as kubeconfig:
        world.declare(away("away"), kubeconfig)
        async with world.engine() as engine:
            await world.until("away")
            world.declare(kustomization("here"), away("away"), kubeconfig)
            engine.declare(world.load().declared)
            await world.until("here")
            found_out = await engine.reconcile(app_ref("away"), "now")
            assert FOUND_OUT in found_out.message
    assert await world.exists("a")


async def test_the_declared_cluster_by_another_way_is_the_same_one(either: World) -> None:
    either.repository.commit({**maps("here", "a", "h"), **maps("way", "a", "w")})
    either.declare(kustomization("here"), away("way", "dependsOn: [{name: here}]"), secret(either.running.kubeconfig()))
    outcomes = await either.once()
    assert outcomes[app_ref("here")].phase is Phase.READY, outcomes[app_ref("here")].message
    assert outcomes[app_ref("way")].phase is Phase.STALLED
    assert f"{app_ref('here')} wants it too" in outcomes[app_ref("way")].message
    assert await either.exists("a", "h", "w")


async def test_an_app_that_moves_to_another_cluster_says_what_it_leaves_behind(world: World, remote: World) -> None:
    other = remote.declared_as("other")
    world.repository.commit(maps("app", "a", "b"))
    for cluster in ("test", "other"):
        world.declare(kustomization("app", annotations=f"{{gitopsd.io/cluster: {cluster}}}"), other)
        async with world.engine() as engine:
            await engine.reached()
            outcome = (await engine.once())[app_ref("app")]
        assert outcome.phase is Phase.READY
        assert bool(outcome.warnings) is (cluster == "other")
    [warning] = outcome.warnings
    assert "2 objects that it applied to the cluster test are left there: ConfigMap/default/a, " in warning
    assert await world.exists("a", "b")
    assert await remote.get(MAP) is not None


# --- by a ConfigMap that describes the way ------------------------------------------------------------------------------

ISSUER = "https://kubernetes.default.svc"
"""Who issues tokens on a real control plane, and takes them too."""
ACCOUNT = "system:serviceaccount:flux-system:traveller"


def described(cluster: World, *, provider: str = "generic") -> str:
    """A ConfigMap that leads back to the same cluster, as another one that trusts its tokens."""
    data = {"provider": provider, "address": cluster.running.url, "serviceAccountName": "traveller"}
    if isinstance(cluster.running, RealCluster):
        data |= {"audiences": ISSUER, "ca.crt": (cluster.running.plane.folder / "ca.crt").read_text()}
    return (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: remote, namespace: flux-system}\n"
        f"data: {json.dumps(data)}\n"
    )


def by_config_map(name: str = "app") -> str:
    return kustomization(name, "kubeConfig: {configMapRef: {name: remote}}", "retryInterval: 1s")


@asynccontextmanager
async def travelling(world: World) -> AsyncIterator[None]:
    """A service account that may do everything; taken away again, since a real control plane is shared."""
    rbac = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    binding = {
        "metadata": {"name": "traveller"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "traveller", "namespace": "flux-system"}],
    }
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system"}}
    await world.send("PATCH", "/api/v1/namespaces/flux-system?fieldManager=somebody", namespace, APPLY)
    await world.send("POST", "/api/v1/namespaces/flux-system/serviceaccounts", {"metadata": {"name": "traveller"}})
    await world.send("POST", rbac, binding)
    try:
        yield
    finally:
        await world.send("DELETE", f"{rbac}/traveller")
        await world.send("DELETE", "/api/v1/namespaces/flux-system/serviceaccounts/traveller")


async def test_a_token_that_the_declared_cluster_issues_opens_the_one_that_a_config_map_describes(
    either: World,
) -> None:
    either.repository.commit(maps("app", "travelled"))
    either.declare(by_config_map(), described(either))
    async with travelling(either):
        async with either.engine(watch=True) as engine:
            await either.until("app")
            assert engine.view(app_ref("app")).cluster == "ConfigMap/flux-system/remote"
        found = await either.get("/api/v1/namespaces/default/configmaps/travelled")
        assert found is not None
        await either.send("DELETE", "/api/v1/namespaces/default/configmaps/travelled")


async def test_of_several_declared_clusters_the_one_that_the_settings_name_issues_the_token(
    either: World,
) -> None:
    either.repository.commit(maps("app", "travelled"))
    elsewhere = "apiVersion: gitopsd.io/v1alpha1\nkind: Cluster\nmetadata: {name: elsewhere}\nspec: {sandbox: {}}\n"
    objects = by_config_map(), described(either), elsewhere
    either.declare(*objects)
    async with travelling(either):
        unnamed = await either.app()
        assert unnamed.phase is Phase.WAITING
        assert "Name it in the Settings by homeCluster (declared: elsewhere, test)" in unnamed.message
        either.settings = "  homeCluster: test\n"
        either.declare(*objects)
        assert (await either.app()).phase is Phase.READY
        await either.send("DELETE", "/api/v1/namespaces/default/configmaps/travelled")


async def test_it_is_the_account_of_the_config_map_that_acts_there(either: World) -> None:
    either.repository.commit(maps("app", "a"))
    either.declare(by_config_map(), described(either))
    async with travelling(either):
        assert (await either.app()).phase is Phase.READY
    [created] = [r for r in either.asked("PATCH") if r.path.endswith("/configmaps/a") and "dryRun" not in r.query]
    assert created.user == ACCOUNT


async def test_a_cluster_that_is_not_named_stalls_the_app_until_its_config_map_changes(world: World) -> None:
    world.repository.commit({**maps("app", "a"), **maps("here", "h")})
    world.declare(by_config_map(), kustomization("here"), described(world, provider="aws"))
    async with travelling(world), world.engine() as engine:
        outcome = await world.until("app", Phase.STALLED)
        assert "ConfigMap/flux-system/remote: cluster '' is not of the form arn:aws:eks:" in outcome.message
        await world.until("here")
        world.declare(by_config_map(), kustomization("here"), described(world))
        engine.declare(world.load().declared)
        await world.until("app")


async def test_a_plan_asks_for_no_token_and_says_so(either: World) -> None:
    either.repository.commit(maps("app", "a"))
    either.declare(by_config_map(), described(either))
    async with travelling(either):
        outcome = (await either.once(write=False))[app_ref("app")]
    assert "serviceaccounts/traveller/token was not sent: gitopsd runs read-only" in outcome.message


AKS = "/subscriptions/0a/resourceGroups/prod/providers/Microsoft.ContainerService/managedClusters/prod"


async def test_a_cluster_of_a_cloud_is_found_by_its_name_and_opened_by_the_accounts_identity_there(
    world: World, cloud: Cloud
) -> None:
    async with serve(tls=True) as aks:
        ca = base64.b64encode(aks.authority.encode()).decode()
        kubeconfig = f"clusters: [{{name: c, cluster: {{server: '{aks.url}', certificate-authority-data: {ca}}}}}]"
        cloud.replies = {
            "POST /tenant/oauth2/v2.0/token": {"access_token": aks.token, "expires_in": 3600},
            f"POST {AKS}/listClusterUserCredential": {
                "kubeconfigs": [{"name": "clusterUser", "value": base64.b64encode(kubeconfig.encode()).decode()}]
            },
        }
        described = {"provider": "azure", "cluster": AKS, "serviceAccountName": "deployer"}
        identity = {"tenantId": "tenant", "clientId": "client", "clientSecret": "s3cret", "authorityHost": cloud.url}
        world.repository.commit(maps("app", "a"))
        world.declare(
            by_config_map(),
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: remote, namespace: flux-system}\n"
            f"data: {json.dumps(described)}\n",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: deployer, namespace: flux-system}\n"
            f"stringData: {json.dumps(identity)}\n",
        )
        environment = {"HOME": str(world.folder), "AZURE_RESOURCE_MANAGER_URL": cloud.url}
        loaded = choice.load(Chosen(paths=(world.config,), environment=environment, here=world.folder))
        outcome = (await world.once(loaded=loaded))[app_ref("app")]
        assert outcome.phase is Phase.READY, outcome.message
        [written] = [r for r in aks.journal.requests("PATCH") if r.path == MAP and "dryRun" not in r.query]
        assert written.agent.startswith("gitopsd/")
    assert world.deleted == []
    assert not await world.exists("a")
