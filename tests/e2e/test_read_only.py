"""A shadow beside a live engine: everything up to the plan, and no write, ever."""

from __future__ import annotations

import pytest
from fakes.world import World, app_ref, config_map, gone, kustomization, maps

from gitopsd.model.errors import Rejected, UsageError
from gitopsd.model.outcome import Phase
from gitopsd.runtime.asked.decisions import Decisions

pytestmark = pytest.mark.asyncio

FLUX = {"kustomize.toolkit.fluxcd.io/name": "app", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}


def writes(world: World) -> list[str]:
    """Every request of gitopsd that is no read and no dry run; leases and records are not left out."""
    return [
        f"{request.method} {request.path}"
        for request in world.running.journal.requests()
        if request.agent.startswith("gitopsd/") and request.method != "GET" and request.query.get("dryRun") != "All"
    ]


async def test_a_shadow_beside_another_engine_says_what_it_would_change_and_sends_no_write(either: World) -> None:
    await either.put_map("a", manager="kustomize-controller", labels=FLUX)
    either.settings = "  readOnly: true\n  adopt: always\n"
    head = either.repository.commit(
        {"app/child.yaml": kustomization("child"), **maps("app", "a", "b"), **maps("child", "c")}
    )
    either.declare(kustomization("app"))
    async with either.engine(watch=True) as engine:
        await engine.once()
        app, child = engine.view(app_ref("app")), engine.view(app_ref("child"))
        assert (app.ready, app.message) == (True, "read-only: would change 2 objects (1 adopt, 1 create)")
        assert child.message == "read-only: would change 1 object (1 create)"
        since = len(either.heard.outcomes)
        head = either.repository.commit({**gone("app", "b"), "app/child.yaml": None, "app/n.yaml": config_map("n")})
        await engine.reconcile(engine.find("repo")[0], "now")
        await either.until("app", since=since, at=head)
        await engine.once()
        assert engine.view(app_ref("app")).message == "read-only: would change 2 objects (1 adopt, 1 create)"
        with pytest.raises(UsageError, match="runs read-only"):
            await Decisions(engine).delete(app_ref("app"), "now")
        with pytest.raises(Rejected, match="runs read-only"):
            await Decisions(engine).suspend(app_ref("app"), actor="ada")
    assert writes(either) == []
    assert either.asked("PATCH")  # dry runs


async def test_a_shadow_beside_its_own_live_instance_sees_drift_and_deletions(either: World) -> None:
    either.repository.commit(maps("app", "a", "b", "c"))
    either.declare(kustomization("app"))
    await either.once()
    either.running.journal.clear()
    either.settings = "  readOnly: true\n"
    either.declare(kustomization("app"))
    (either.folder / "state").rename(either.folder / "live")
    async with either.engine(watch=True) as engine:
        await engine.once()
        assert engine.view(app_ref("app")).message == "read-only: no change"
        since = len(either.heard.outcomes)
        either.repository.commit(gone("app", "a"))
        await engine.reconcile(engine.find("repo")[0], "now")
        await either.until("app", since=since)
        await engine.once()
        assert engine.view(app_ref("app")).message == "read-only: would change 1 object (1 delete)"
        assert engine.board.outcomes[app_ref("app")].phase is Phase.READY
    assert writes(either) == []
