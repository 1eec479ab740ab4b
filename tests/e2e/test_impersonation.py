"""Apps that act as a service account, whole-way: every request about their objects is made as it, and its rights are the limit."""

from __future__ import annotations

import pytest
from fakes import account
from fakes.world import MERGE, SOURCE, World, app_ref, gone, kustomization, maps

from gitopsd.model.outcome import Phase
from gitopsd.runtime.asked import foreseen, whatif
from gitopsd.runtime.asked.whatif import Question
from gitopsd.runtime.live.watches import Watches

pytestmark = pytest.mark.asyncio

TENANT = "system:serviceaccount:flux-system:deployer"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: default}\ndata: {}\n"
OWN = ("/api/v1/namespaces/kube-system", "/api/v1/namespaces/gitopsd-system", "/apis/coordination.k8s.io/")


def tenant(name: str = "app", whose: str = "deployer") -> str:
    return kustomization(name, f"serviceAccountName: {whose}", "retryInterval: 1s")


async def test_everything_about_its_objects_is_asked_as_the_service_account(either: World) -> None:
    await account.granted(either, "get", "list", "watch", "create", "patch", "delete")
    either.repository.commit(maps("app", "a", "b"))
    either.declare(tenant())
    async with either.engine(watch=True) as engine:
        await either.until("app")
        mirror = engine.world.mirror
        assert isinstance(mirror, Watches)
        await mirror.caught_up(f"test as {TENANT}", 10)
        seen = len(either.heard.outcomes)
        await either.send("PATCH", "/api/v1/namespaces/default/configmaps/a", {"data": {"key": "edited"}}, MERGE)
        await either.until("app", since=seen)
        restored = await either.get("/api/v1/namespaces/default/configmaps/a")
        assert restored is not None
        assert restored["data"] == {"key": "value"}
        either.repository.commit(gone("app", "b"))
        assert (await engine.reconcile(SOURCE, "now")).phase is Phase.READY
        await either.until("app", since=len(either.heard.outcomes) - 1)
    assert not await either.exists("b")
    asked = [r for r in either.running.journal.requests() if r.agent.startswith("gitopsd/")]
    assert [r for r in asked if r.user == TENANT and "watch" in r.query]
    ours = [r for r in asked if r.user != TENANT]
    assert [r.path for r in ours if not r.path.startswith((*OWN, "/api", "/apis"))] == []
    assert [r for r in ours if "/namespaces/default/" in r.path or r.path == "/api/v1/configmaps"] == []


async def test_a_right_that_it_lacks_is_named_with_the_account_and_helps_as_soon_as_it_is_there(either: World) -> None:
    either.repository.commit(maps("app", "a"))
    either.declare(tenant())
    outcome = await either.app()
    assert outcome.phase is Phase.RETRYING
    assert f"gitopsd acts as {TENANT} here: grant that one the right" in outcome.message
    assert not await either.exists("a")
    await account.granted(either, "get", "list", "watch", "create", "patch")
    assert (await either.app()).phase is Phase.READY
    assert await either.exists("a")


async def test_what_it_may_not_do_is_not_done_for_it(either: World) -> None:
    await account.granted(either, "get", "list", "watch", "create", "patch")
    either.repository.commit({**maps("app", "a"), "app/s.yaml": SECRET})
    either.declare(tenant())
    outcome = await either.app()
    assert outcome.phase is Phase.RETRYING
    assert "Secret/default/s" in outcome.message
    assert "(Forbidden)" in outcome.message
    assert not await either.exists("a")
    assert await either.get("/api/v1/namespaces/default/secrets/s") is None


async def test_what_it_may_not_delete_stays_and_stays_known(either: World) -> None:
    await account.granted(either, "get", "list", "watch", "create", "patch")
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


async def test_apps_of_different_accounts_do_not_touch_each_other(either: World) -> None:
    await account.granted(either, "get", "list", "watch", "create", "patch")
    either.repository.commit({**maps("app", "a"), **maps("other", "b"), **maps("own", "c")})
    either.declare(tenant(), tenant("other", "nobody"), kustomization("own"))
    outcomes = await either.once()
    assert outcomes[app_ref("app")].phase is Phase.READY
    assert outcomes[app_ref("other")].phase is Phase.RETRYING
    assert "system:serviceaccount:flux-system:nobody" in outcomes[app_ref("other")].message
    assert outcomes[app_ref("own")].phase is Phase.READY
    assert await either.exists("a", "c")
    users = {r.user for r in either.asked("PATCH") if r.path.endswith("/configmaps/c")}
    assert users == {either.user}


async def test_another_account_takes_over_with_the_next_declaration(either: World) -> None:
    await account.granted(either, "get", "list", "watch", "create", "patch")
    await account.granted(either, "get", "list", "watch", "create", "patch", account="second")
    either.repository.commit(maps("app", "a"))
    either.declare(tenant())
    async with either.engine(watch=True) as engine:
        await either.until("app")
        either.declare(tenant(whose="second"))
        seen = len(either.heard.outcomes)
        engine.declare(either.load().declared)
        await either.until("app", since=seen)
        seen = len(either.heard.outcomes)
        await either.send("PATCH", "/api/v1/namespaces/default/configmaps/a", {"data": {"key": "edited"}}, MERGE)
        await either.until("app", since=seen)
    last = [r for r in either.asked("PATCH") if r.path.endswith("/configmaps/a") and "dryRun" not in r.query][-1]
    assert last.user == "system:serviceaccount:flux-system:second"


async def test_a_plan_is_made_as_the_service_account_too(either: World) -> None:
    await account.granted(either, "get", "list", "watch", "create", "patch")
    either.repository.commit(maps("app", "a"))
    either.declare(tenant())
    async with either.engine(watch=True) as engine:
        await either.until("app")
        either.repository.commit(maps("app", "b"), branch="next")
        before = len(either.running.journal.requests())
        view = await whatif.asked(engine, Question(revisions=("next",)), foreseen.view)
        asked = either.running.journal.requests()[before:]
    [app] = view.apps
    assert [(change.action, change.name) for change in app.changes if change.writes] == [("create", "b")]
    assert {r.user for r in asked if "/namespaces/default/" in r.path} == {TENANT}
    assert not await either.exists("b")
