"""Apps that act as a service account, whole-way: every request about their objects is made as it, and its rights are the limit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from fakes.world import MERGE, SOURCE, World, app_ref, gone, kustomization, maps

from gitopsd.model.outcome import Phase
from gitopsd.plugin.conformance.scene import eventually
from gitopsd.runtime import foreseen, whatif
from gitopsd.runtime.watches import Watches
from gitopsd.runtime.whatif import Question

pytestmark = pytest.mark.asyncio

TENANT = "system:serviceaccount:flux-system:deployer"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: default}\ndata: {}\n"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
OWN = ("/api/v1/namespaces/kube-system", "/api/v1/namespaces/gitopsd-system", "/apis/coordination.k8s.io/")


async def granted(world: World, *verbs: str, account: str = "deployer") -> None:
    """Let the service account do this with config maps of the namespace default."""
    name: dict[str, Any] = {"name": account, "namespace": "default"}
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs}
    await world.send("POST", f"{RBAC}/roles", {"metadata": name, "rules": [rule]})
    binding = {
        "metadata": name,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "flux-system"}],
    }
    await world.send("POST", f"{RBAC}/rolebindings", binding)

    async def holds() -> bool:
        asked = [{"verb": verb, "resource": "configmaps", "namespace": "default"} for verb in verbs]
        user = f"system:serviceaccount:flux-system:{account}"
        reviews = [{"spec": {"user": user, "resourceAttributes": attributes}} for attributes in asked]
        answers = [await world.send("POST", REVIEWS, review) for review in reviews]
        return all(answer["status"]["allowed"] for answer in answers)

    await eventually(holds)  # a real server hears of it a moment later


@pytest_asyncio.fixture
async def either(either: World) -> AsyncIterator[World]:
    """A real control plane is shared: what a test granted there ends with it."""
    yield either
    for path in (f"{RBAC}/rolebindings/deployer", f"{RBAC}/roles/deployer"):
        if await either.get(path) is not None:
            await either.send("DELETE", path)


def tenant(name: str = "app", account: str = "deployer") -> str:
    return kustomization(name, f"serviceAccountName: {account}", "retryInterval: 1s")


async def test_everything_about_its_objects_is_asked_as_the_service_account(world: World) -> None:
    await granted(world, "get", "list", "watch", "create", "patch", "delete")
    world.repository.commit(maps("app", "a", "b"))
    world.declare(tenant())
    async with world.engine(watch=True) as engine:
        await world.until("app")
        mirror = engine.world.mirror
        assert isinstance(mirror, Watches)
        await mirror.caught_up(f"test as {TENANT}", 10)
        seen = len(world.heard.outcomes)
        await world.send("PATCH", "/api/v1/namespaces/default/configmaps/a", {"data": {"key": "edited"}}, MERGE)
        await world.until("app", since=seen)
        restored = await world.get("/api/v1/namespaces/default/configmaps/a")
        assert restored is not None
        assert restored["data"] == {"key": "value"}
        world.repository.commit(gone("app", "b"))
        assert (await engine.reconcile(SOURCE, "now")).phase is Phase.READY
        await world.until("app", since=len(world.heard.outcomes) - 1)
    assert not await world.exists("b")
    ours = [r for r in world.running.journal.requests() if r.agent.startswith("gitopsd/") and r.user != TENANT]
    assert [r.path for r in ours if not r.path.startswith((*OWN, "/api", "/apis"))] == []
    assert [r for r in ours if "/namespaces/default/" in r.path or r.path == "/api/v1/configmaps"] == []


async def test_a_right_that_it_lacks_is_named_with_the_account_and_helps_as_soon_as_it_is_there(either: World) -> None:
    either.repository.commit(maps("app", "a"))
    either.declare(tenant())
    outcome = await either.app()
    assert outcome.phase is Phase.RETRYING
    assert f"gitopsd acts as {TENANT} here: grant that one the right" in outcome.message
    assert not await either.exists("a")
    await granted(either, "get", "list", "watch", "create", "patch")
    assert (await either.app()).phase is Phase.READY
    assert await either.exists("a")


async def test_what_it_may_not_do_is_not_done_for_it(either: World) -> None:
    await granted(either, "get", "list", "watch", "create", "patch")
    either.repository.commit({**maps("app", "a"), "app/s.yaml": SECRET})
    either.declare(tenant())
    outcome = await either.app()
    assert outcome.phase is Phase.RETRYING
    assert "Secret/default/s" in outcome.message
    assert "(Forbidden)" in outcome.message
    assert not await either.exists("a")
    assert await either.get("/api/v1/namespaces/default/secrets/s") is None


async def test_what_it_may_not_delete_stays_and_stays_known(either: World) -> None:
    await granted(either, "get", "list", "watch", "create", "patch")
    either.repository.commit(maps("app", "a", "b"))
    either.declare(tenant())
    assert (await either.app()).phase is Phase.READY
    either.repository.commit(gone("app", "b"))
    outcome = await either.app()
    assert outcome.phase is Phase.RETRYING
    assert 'cannot delete resource "configmaps"' in outcome.message
    assert await either.exists("a", "b")
    assert outcome.inventory is not None
    assert {id.name for id in outcome.inventory.owned} == {"a", "b"}


async def test_apps_of_different_accounts_do_not_touch_each_other(world: World) -> None:
    await granted(world, "get", "list", "watch", "create", "patch")
    world.repository.commit({**maps("app", "a"), **maps("other", "b"), **maps("own", "c")})
    world.declare(tenant(), tenant("other", account="nobody"), kustomization("own"))
    outcomes = await world.once()
    assert outcomes[app_ref("app")].phase is Phase.READY
    assert outcomes[app_ref("other")].phase is Phase.RETRYING
    assert "system:serviceaccount:flux-system:nobody" in outcomes[app_ref("other")].message
    assert outcomes[app_ref("own")].phase is Phase.READY
    assert await world.exists("a", "c")
    users = {r.user for r in world.asked("PATCH") if r.path.endswith("/configmaps/c")}
    assert users == {"sandbox-admin"}


async def test_another_account_takes_over_with_the_next_declaration(world: World) -> None:
    await granted(world, "get", "list", "watch", "create", "patch")
    await granted(world, "get", "list", "watch", "create", "patch", account="second")
    world.repository.commit(maps("app", "a"))
    world.declare(tenant())
    async with world.engine(watch=True) as engine:
        await world.until("app")
        world.declare(tenant(account="second"))
        seen = len(world.heard.outcomes)
        engine.declare(world.load().declared)
        await world.until("app", since=seen)
        seen = len(world.heard.outcomes)
        await world.send("PATCH", "/api/v1/namespaces/default/configmaps/a", {"data": {"key": "edited"}}, MERGE)
        await world.until("app", since=seen)
    last = [r for r in world.asked("PATCH") if r.path.endswith("/configmaps/a") and "dryRun" not in r.query][-1]
    assert last.user == "system:serviceaccount:flux-system:second"


async def test_a_plan_is_made_as_the_service_account_too(world: World) -> None:
    await granted(world, "get", "list", "watch", "create", "patch")
    world.repository.commit(maps("app", "a"))
    world.declare(tenant())
    async with world.engine(watch=True) as engine:
        await world.until("app")
        world.repository.commit(maps("app", "b"), branch="next")
        before = len(world.running.journal.requests())
        view = await whatif.asked(engine, Question(revisions=("next",)), foreseen.view)
        asked = world.running.journal.requests()[before:]
    [app] = view.apps
    assert [(change.action, change.name) for change in app.changes if change.writes] == [("create", "b")]
    assert {r.user for r in asked if "/namespaces/default/" in r.path} == {TENANT}
    assert not await world.exists("b")
