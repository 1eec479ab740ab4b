"""The end of an app that waits for its objects."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from fakes.world import MERGE, World, app_ref, config_map, kustomization

from gitopsd.model.declared import AppIntent
from gitopsd.model.outcome import Phase

pytestmark = pytest.mark.asyncio
PATH = "/api/v1/namespaces/default/configmaps/a"


async def test_a_deletion_that_waits_names_what_does_not_go_and_ends_once_it_went(world: World) -> None:
    world.repository.commit({"app/a.yaml": config_map("a"), "app/b.yaml": config_map("b")})
    world.declare(kustomization("app", "deletionPolicy: WaitForTermination"))
    async with world.engine(watch=True) as engine:
        await engine.once()
        await world.send("PATCH", PATH, {"metadata": {"finalizers": ["example.com/slow"]}}, MERGE)
        await engine.once()
        intent = engine.board.intents[app_ref("app")]
        assert isinstance(intent, AppIntent)
        ending = replace(intent, policy=replace(intent.policy, delete_confirmed=True))
        engine.board.intents[app_ref("app")] = replace(ending, timeout=timedelta(seconds=1))

        late = await engine.reconcile(app_ref("app"), "first")

        assert late.phase is Phase.RETRYING
        assert "within 1 s, at step prune, which waits for ConfigMap/default/a to be gone" in late.message
        assert not await world.exists("b")

        engine.board.intents[app_ref("app")] = ending
        await world.send("PATCH", PATH, {"metadata": {"finalizers": None}}, MERGE)
        ended = await engine.reconcile(app_ref("app"), "second")

        assert ended.phase is Phase.DELETED
        assert not await world.exists("a")
        assert app_ref("app") not in engine.board.inventories
