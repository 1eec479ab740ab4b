"""What the real server's own log says of a plan, of what follows it, and of a shadow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from fakes.control_plane import ControlPlane
from fakes.git_repository import GitRepository
from fakes.world import World, app_ref, config_map, gone, kustomization, maps

from gitopsd.model.outcome import Phase
from gitopsd_plugins.sandbox.server import Running

pytestmark = [pytest.mark.asyncio, pytest.mark.contract, pytest.mark.timeout(180)]

AGENT = "gitopsd/"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: plan-web, namespace: default}\nspec: {ports: [{port: 80}]}\n"


@dataclass
class Plane:
    """The control plane where a `World` has its sandbox."""

    plane: ControlPlane
    url: str = "https://127.0.0.1"

    def kubeconfig(self) -> str:
        return self.plane.kubeconfig.read_text().replace("contexts: [{name: local,", "contexts: [{name: sandbox,")


@pytest.fixture
def real(control_plane: ControlPlane, tmp_path: Path) -> World:
    http = cast("aiohttp.ClientSession", None)  # nothing here asks behind gitopsd's back
    running = cast("Running", Plane(control_plane))
    return World(folder=tmp_path, running=running, http=http, repository=GitRepository(tmp_path / "repo.git"))


def written(event: Mapping[str, Any]) -> bool:
    return "dryRun=All" not in event["requestURI"]


def named(event: Mapping[str, Any]) -> tuple[str, str]:
    return event["verb"], event["objectRef"]["name"]


def objects(events: list[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Writes of objects: gitopsd's own records and lease left out."""
    return {named(e) for e in events if written(e) and e["objectRef"].get("namespace") == "default"}


async def test_the_servers_log_has_exactly_the_planned_writes_and_none_of_a_plan(
    real: World, control_plane: ControlPlane
) -> None:
    names = [f"plan-{n}" for n in "abcd"]
    real.settings = "  instance: planned\n"
    real.repository.commit({**maps("app", *names), "app/web.yaml": SERVICE})
    real.declare(kustomization("plan-app", path="app"))
    await real.once()
    real.repository.branch("next", real.repository.commit({}))
    change = {"app/plan-a.yaml": config_map("plan-a", key="new"), **gone("app", "plan-b"), **maps("app", "plan-e")}
    head = real.repository.commit(change, branch="next")

    before = len(control_plane.audited(AGENT))
    found = await real.plan(revisions=["next"])
    planned = control_plane.audited(AGENT)[before:]
    assert {e["verb"] for e in planned} <= {"patch", "create"}
    assert [named(e) for e in planned if written(e)] == []
    [report] = found.apps
    assert {(c.action, c.name) for c in report.changes} == {
        ("update", "plan-a"), ("delete", "plan-b"), ("create", "plan-e")
    }  # fmt: skip

    before = len(control_plane.audited(AGENT))
    real.repository.branch("main", head)
    outcome = (await real.once())[app_ref("plan-app")]
    assert outcome.phase is Phase.READY, outcome.message
    assert objects(list(control_plane.audited(AGENT)[before:])) == {
        ("patch", "plan-a"), ("delete", "plan-b"), ("patch", "plan-e")
    }  # fmt: skip


async def test_the_servers_log_has_no_write_of_a_shadow(real: World, control_plane: ControlPlane) -> None:
    real.settings = "  instance: shadow\n  readOnly: true\n"
    real.repository.commit(maps("app", "shadow-a", "shadow-b"))
    real.declare(kustomization("shadow-app", path="app"))
    before = len(control_plane.audited(AGENT))
    async with real.engine(watch=True) as engine:
        await engine.once()
        assert engine.view(app_ref("shadow-app")).message == "read-only: would change 2 objects (2 create)"
    events = control_plane.audited(AGENT)[before:]
    assert [named(event) for event in events if written(event)] == []
    assert len(events) == 2


async def test_what_a_real_server_fills_in_is_told_apart(real: World) -> None:
    real.settings = "  instance: defaults\n"
    real.repository.commit({"app/web.yaml": SERVICE.replace("plan-web", "default-web")})
    real.declare(kustomization("defaults", path="app"))
    [change] = (await real.plan()).apps[0].changes
    by = {f.path: f.by for f in change.fields}
    assert (by["spec"], by["spec.clusterIP"], by["spec.type"]) == ("ours", "server", "server")
