"""Content that is lost is fetched again and never used; content that is there serves while its source cannot be reached."""

from __future__ import annotations

import sqlite3

import pytest
from fakes.world import SOURCE, World, app_ref, config_map, kustomization, maps

from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.runtime.engine import Engine
from gitopsd_plugins.helm.chart_kind import HelmChart

pytestmark = pytest.mark.asyncio


def change(world: World, statement: str) -> None:
    """Change the store's database behind its back."""
    connection = sqlite3.connect(world.folder / "state" / "cache" / "cache.db", isolation_level=None, timeout=10)
    assert connection.execute(statement).rowcount > 0
    connection.close()


async def rendered_anew(world: World, engine: Engine) -> Outcome:
    """Make the app read its files again, although its source offers nothing new."""
    world.declare(kustomization("app", "targetNamespace: other"))
    engine.declare(world.load().declared)
    return (await engine.once())[app_ref("app")]


@pytest.mark.parametrize("damage", ["UPDATE bytes SET data = 'x'", "DELETE FROM bytes"])
@pytest.mark.parametrize("watch", [True, False])
async def test_damaged_content_is_fetched_again_and_the_app_goes_on(world: World, damage: str, watch: bool) -> None:
    world.repository.commit(
        {"app/a.yaml": config_map("a"), "app/n.yaml": "{apiVersion: v1, kind: Namespace, metadata: {name: other}}"}
    )
    world.declare(kustomization("app"))
    async with world.engine(watch=watch) as engine:
        await engine.once()
        change(world, damage)
        outcome = await rendered_anew(world, engine)
        said = [o.reason for o in world.heard.outcomes if o.ref == app_ref("app") and o.phase is Phase.WAITING]
    assert outcome.phase is Phase.READY, outcome.message
    assert said == ["ContentDamaged"] * 2
    assert await world.get("/api/v1/namespaces/other/configmaps/a")


CHART = ObjectRef(kind="HelmChart", namespace="flux-system", name="web")
CHART_YAML = (
    "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmChart\nmetadata: {name: web, namespace: flux-system}\n"
    "spec: {interval: 1h, chart: web, sourceRef: {kind: GitRepository, name: repo}}\n"
)


async def test_damaged_content_that_a_chart_is_made_of_is_fetched_again(world: World) -> None:
    world.repository.commit({"web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n"})
    world.declare(CHART_YAML)
    async with world.engine() as engine:
        await engine.once()
        change(world, "UPDATE bytes SET data = 'x'")
        first = await engine.reconcile(CHART, "now")
        since = len(world.heard.outcomes) - 1
        again = await world.heard.until(lambda o: o.ref == CHART and o.phase is Phase.READY, since)
    assert (first.phase, first.reason) == (Phase.WAITING, "ContentDamaged")
    assert str(again.applied) == "1.0.0"


async def test_chart_tells_what_it_was_made_of(world: World) -> None:
    head = world.repository.commit({"web/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n"})
    world.declare(CHART_YAML)
    first = (await world.once())[CHART]
    newer = world.repository.commit({"README.md": "no part of the chart"})
    second = (await world.once())[CHART]
    status = HelmChart().status(world.load().declared.objects[CHART], second, {})
    assert [str(outcome.upstream) for outcome in (first, second)] == [f"main@sha1:{head}", f"main@sha1:{newer}"]
    assert first.artifact == second.artifact
    assert status["observedChartName"] == "shop"
    assert status["observedSourceArtifactRevision"] == f"main@sha1:{newer}"


async def test_what_was_stored_last_serves_while_its_source_cannot_be_reached(world: World) -> None:
    head = world.repository.commit(maps("app", "a"))
    world.declare(kustomization("app"))
    await world.once()
    await world.send("DELETE", "/api/v1/namespaces/default/configmaps/a")
    world.repository.path.rename(world.folder / "elsewhere.git")
    outcomes = await world.once()
    assert outcomes[app_ref("app")].phase is Phase.READY
    assert str(outcomes[app_ref("app")].applied).endswith(head)
    assert await world.exists("a")
    failed = outcomes[SOURCE]
    assert failed.phase is not Phase.READY
    assert failed.artifact is not None
    assert f"{failed.artifact.revision}, stored {failed.artifact.stored:%Y-%m-%dT%H:%M:%SZ}" in failed.message
    assert "stays in service" in failed.message
    assert "stale since" in failed.message
