"""Settings have their effect: what is written in the file is what the parts are made with."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest
from fakes.world import SOURCE, World, app_ref, kustomization, maps

from gitopsd.config import quantities
from gitopsd.config.settings import Safety as SafetySettings
from gitopsd.config.settings import Settings
from gitopsd.daemon import compose, connect
from gitopsd.daemon.compose import Mode
from gitopsd.model.masking import Secrets
from gitopsd.model.outcome import Phase
from gitopsd.runtime import log
from gitopsd.runtime.asked.decisions import Decisions
from gitopsd.store import Store

MODE = Mode(log=log.make(io.StringIO(), json=True, secrets=Secrets()), secrets=Secrets())


@pytest.mark.asyncio
@pytest.mark.parametrize(("setting", "kept"), [("", 3), ("  gc: {keep: 1}\n", 1), ("  gc: {keep: 5}\n", 4)])
async def test_so_many_revisions_of_a_source_are_kept(world: World, setting: str, kept: int) -> None:
    world.settings = setting
    for number in range(4):
        world.repository.commit(maps("app", f"a{number}"))
        world.declare()
        await world.once()
    with Store.open(world.folder / "state") as store:
        assert len(store.artifacts(SOURCE)) == kept


@pytest.mark.asyncio
async def test_a_render_may_take_so_long_and_no_longer(world: World) -> None:
    world.settings = "  limits: {renderTimeout: 1ms}\n"
    world.repository.commit(maps("app", "a"))
    world.declare(kustomization("app"))
    outcome = await world.app()
    assert outcome.phase is Phase.RETRYING
    assert "longer than its limit of 0.001 s" in outcome.message


@pytest.mark.asyncio
async def test_read_only_sends_no_write(world: World) -> None:
    world.settings = "  readOnly: true\n"
    world.repository.commit(maps("app", "a"))
    world.declare(kustomization("app"))
    outcome = await world.app()
    assert "would change 1" in outcome.message
    assert not await world.exists("a")
    assert {request.method for request in world.asked() if "dryRun=All" not in request.path} <= {"GET", "PATCH"}
    assert await world.get("/api/v1/namespaces/gitopsd-system") is None


@pytest.mark.asyncio
async def test_names_in_the_cluster_are_those_of_the_settings(world: World) -> None:
    world.settings = "  instance: prod\n  fieldManager: robot\n  inventoryNamespace: records\n"
    world.repository.commit(maps("app", "a"))
    world.declare(kustomization("app"))
    await world.once()
    found = await world.get("/api/v1/namespaces/default/configmaps/a")
    assert found is not None
    assert found["metadata"]["labels"]["gitopsd.io/instance"] == "prod"
    assert [entry["manager"] for entry in found["metadata"]["managedFields"]] == ["robot"]
    assert await world.get("/api/v1/namespaces/records/configmaps/inventory.prod.kustomization.flux-system.app")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("setting", "spec", "stays", "recorded"),
    [
        ("", "prune: true", True, True),
        ("  safety: {orphanVanished: false}\n", "prune: true", False, False),
        ("  safety: {orphanVanished: false}\n", "prune: false", True, False),
    ],
)
async def test_what_an_app_applied_stays_when_its_declaration_vanishes_unless_that_rule_is_off(
    world: World, setting: str, spec: str, stays: bool, recorded: bool
) -> None:
    world.settings = setting
    world.repository.commit({**maps("app", "a"), **maps("other", "b")})
    world.declare(kustomization("other"), kustomization("app", spec))
    async with world.engine() as engine:
        await engine.once()
        world.declare(kustomization("other"))
        engine.declare(world.load().declared)
        await engine.once()
        assert (app_ref("app") in engine.board.inventories) is recorded
        assert await world.exists("b")
        assert await world.exists("a") is stays


@pytest.mark.asyncio
async def test_what_a_suspended_app_applied_stays_even_where_that_rule_is_off(world: World) -> None:
    world.settings = "  safety: {orphanVanished: false}\n"
    world.repository.commit(maps("app", "a"))
    world.declare(kustomization("app"))
    async with world.engine() as engine:
        await engine.once()
        await Decisions(engine).suspend(app_ref("app"), actor="ada")
        world.declare()
        engine.declare(world.load().declared)
        await engine.once()
        assert app_ref("app") in engine.board.inventories
        assert await world.exists("a")


@pytest.mark.asyncio
async def test_a_declaration_that_comes_back_lives_on(world: World) -> None:
    world.settings = "  safety: {orphanVanished: false}\n"
    world.repository.commit(maps("app", "a"))
    world.declare(kustomization("app"))
    async with world.engine() as engine:
        await engine.once()
        with_app = world.load().declared
        world.declare()
        engine.declare(world.load().declared)
        engine.declare(with_app)
        await engine.once()
        assert engine.board.outcomes[app_ref("app")].phase is Phase.READY
        assert await world.exists("a")


def _flipped(name: str) -> Settings:
    return Settings(safety=msgspec.structs.replace(SafetySettings(), **{name: False}))


@pytest.mark.parametrize("name", [n for n in SafetySettings.__struct_fields__ if n != "shrunken_set"])
def test_every_safety_rule_can_be_turned_off(name: str) -> None:
    assert compose._safety(_flipped(name), MODE) != compose._safety(Settings(), MODE)


@pytest.mark.parametrize("setting", [{"adopt": "never"}, {"readOnly": True}, {"holdTimeout": "1s"}])
def test_safety_is_what_the_settings_say(setting: dict[str, object]) -> None:
    settings = msgspec.convert(setting, Settings, dec_hook=quantities.decode)
    assert compose._safety(settings, MODE) != compose._safety(Settings(), MODE)


def test_the_number_of_requests_in_flight_is_the_setting_s() -> None:
    settings = msgspec.convert({"limits": {"applies": 3}}, Settings)
    assert connect.actor(settings, Path("/state"), write=True).concurrency == 3


@pytest.mark.asyncio
async def test_a_wrong_field_of_a_way_to_a_cluster_is_named_with_file_and_path(world: World) -> None:
    world.repository.commit(maps("app", "a"))
    world.declare(kustomization("app"))
    world.config.write_text(world.config.read_text().replace("context: sandbox", "contxt: sandbox"))
    message = (await world.app()).message
    assert f"{world.config}:7: Cluster/test: $.spec.kubeconfig.contxt: unknown field 'contxt'; did you mean" in message
