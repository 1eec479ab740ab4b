"""`postBuild.substituteFrom` the whole way: where values are looked for, what wakes an app, and that secrets stay secret."""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec
import pytest
from fakes.world import World, app_ref, config_map, kustomization

from gitopsd.model.outcome import Phase
from gitopsd.runtime import views
from gitopsd.store import Store

pytestmark = pytest.mark.asyncio
MAP = "/api/v1/namespaces/default/configmaps/a"
PASSWORD = "correct-horse-battery"
SUBSTITUTE = "postBuild: {substituteFrom: [{kind: ConfigMap, name: vars}, {kind: Secret, name: login, optional: true}]}"


def variables(**data: str) -> str:
    return config_map("vars", namespace="flux-system", **data)


def login(password: str = PASSWORD) -> str:
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: login, namespace: flux-system}}\nstringData: {{password: {password}}}\n"


async def data(world: World) -> dict[str, str]:
    found = await world.get(MAP)
    assert found is not None
    return dict(found["data"])


def files(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.name != "config.yaml")


async def test_values_come_from_the_declared_files(world: World) -> None:
    world.repository.commit({"app/a.yaml": config_map("a", region="x-${region}", none="${other:=nothing}")})
    world.declare(kustomization("app", SUBSTITUTE), variables(region="north"))
    assert (await world.app()).phase is Phase.READY
    assert await data(world) == {"region": "x-north", "none": "nothing"}


async def test_what_is_not_declared_is_looked_for_in_the_cluster(world: World) -> None:
    await world.send("POST", "/api/v1/namespaces", {"metadata": {"name": "flux-system"}})
    there = {"metadata": {"name": "vars"}, "data": {"region": "south"}}
    await world.send("POST", "/api/v1/namespaces/flux-system/configmaps", there)
    secret = {"metadata": {"name": "login"}, "data": {"password": base64.b64encode(PASSWORD.encode()).decode()}}
    await world.send("POST", "/api/v1/namespaces/flux-system/secrets", secret)
    world.repository.commit({"app/a.yaml": config_map("a", region="x-${region}", url="https://me:${password}@x")})
    world.declare(kustomization("app", SUBSTITUTE))
    assert (await world.app()).phase is Phase.READY
    assert await data(world) == {"region": "x-south", "url": f"https://me:{PASSWORD}@x"}


async def test_a_missing_one_is_named_with_its_field_and_every_place(world: World) -> None:
    world.repository.commit({"app/a.yaml": config_map("a", region="${region}")})
    world.declare(kustomization("app", SUBSTITUTE))
    outcome = await world.app()
    assert outcome.phase is Phase.WAITING
    assert "spec.postBuild.substituteFrom[0]: ConfigMap/flux-system/vars not found" in outcome.message
    assert "there is none in test either" in outcome.message
    assert await world.get(MAP) is None


async def test_a_change_of_what_is_declared_wakes_the_app(world: World) -> None:
    world.repository.commit({"app/a.yaml": config_map("a", region="x-${region}")})
    world.declare(kustomization("app", SUBSTITUTE), variables(region="north"))
    async with world.engine() as engine:
        await world.until("app")
        since = len(world.heard.outcomes)
        world.declare(kustomization("app", SUBSTITUTE), variables(region="east"))
        engine.declare(world.load().declared)
        outcome = await world.until("app", since=since)
    assert outcome.changed
    assert await data(world) == {"region": "x-east"}


async def test_an_unchanged_value_renders_nothing_again(world: World) -> None:
    world.repository.commit({"app/a.yaml": config_map("a", region="x-${region}")})
    world.declare(kustomization("app", SUBSTITUTE), variables(region="north"))
    async with world.engine() as engine:
        await world.until("app")
        before = engine.board.renders[app_ref("app")].outline
        since = len(world.heard.outcomes)
        engine.declare(world.load().declared)
        await world.until("app", since=since)
        assert engine.board.renders[app_ref("app")].outline is before


async def test_what_holds_a_secret_value_is_on_no_disk_and_in_no_message(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    texts = config_map("a", region="${region}", url="https://me:${password}@x")
    world.repository.commit({"app/a.yaml": texts, "app/b.yaml": config_map("b", broken="${q}${password}")})
    world.declare(kustomization("app", SUBSTITUTE), variables(region="north", q='"'), login())
    broken = await world.app()
    assert broken.phase is Phase.RETRYING
    world.repository.commit({"app/b.yaml": None})
    async with world.engine() as engine:
        await world.until("app", since=len(world.heard.outcomes))
        made = engine.board.renders[app_ref("app")]
        assert made.kept is not None
        assert [m.hidden for m in made.kept] == [{PASSWORD}]
        assert engine.world.store.outline(app_ref("app"), made.intent) is None
        assert engine.world.store.rendered(made.outline.key) is None
    assert (await data(world))["url"] == f"https://me:{PASSWORD}@x"
    assert PASSWORD.encode() not in files(world.folder / "state")
    assert PASSWORD not in "".join(o.message for o in world.heard.outcomes) + "".join(capfd.readouterr())


async def test_a_child_that_holds_a_secret_value_is_on_no_disk_either(world: World) -> None:
    child = kustomization("child", 'postBuild: {substitute: {where: "${password}"}}', path="child")
    plain = kustomization("plain", path="plain")
    world.repository.commit(
        {
            "app/child.yaml": child,
            "app/plain.yaml": plain,
            "child/a.yaml": config_map("a", where="${where}"),
            "plain/b.yaml": config_map("b"),
        }
    )
    world.declare(kustomization("app", SUBSTITUTE), variables(region="north"), login())
    async with world.engine() as engine:
        await engine.once()
        assert engine.children(app_ref("app")) == (app_ref("child"), app_ref("plain"))
        made = engine.board.renders[app_ref("child")]
        assert made.kept is not None
        assert [m.hidden for m in made.kept] == [{PASSWORD}]
        assert engine.world.store.outline(app_ref("child"), made.intent) is None
        shown = views.of(app_ref("child"), engine.board, None, {}).document
        assert shown["spec"]["path"] == "./child"
        assert PASSWORD not in str(shown)
    assert (await data(world)) == {"where": PASSWORD}
    assert PASSWORD.encode() not in files(world.folder / "state")
    with Store.open(world.folder / "state") as store:
        assert [body["metadata"]["name"] for body in store.children()[app_ref("app")]] == ["plain"]
    assert (await world.app("child")).phase is Phase.READY
    world.repository.commit(
        {
            "app/child.yaml": child.replace("${password}", "x${password}"),
            "child/a.yaml": config_map("a", where="${where}"),
        },
        branch="next",
    )
    planned = await world.plan(revisions=["next"])
    assert [change.name for app in planned.apps for change in app.changes] == ["child", "a"]
    assert PASSWORD not in repr(planned) + repr(msgspec.to_builtins(planned))


async def test_what_is_wrong_with_a_child_is_said_without_the_value_that_is_wrong(world: World) -> None:
    child = kustomization("child", "interval: '${password}'", path="child")
    world.repository.commit({"app/child.yaml": child})
    world.declare(kustomization("app", SUBSTITUTE), variables(region="north"), login())
    async with world.engine() as engine:
        outcome = await world.heard.until(lambda o: o.ref == app_ref("app"))
        broken = engine.board.intents[app_ref("child")]
        assert "'***' is not a duration" in outcome.message
        assert "'***' is not a duration" in getattr(broken, "message", "")
        assert PASSWORD not in str(broken)
