"""`postBuild.substituteFrom` the whole way: where values are looked for, what wakes an app, and that secrets stay secret."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import anyio
import msgspec
import pytest
from fakes.world import MERGE, PATIENCE, World, app_ref, config_map, kustomization, maps

from gitopsd.model.outcome import Phase
from gitopsd.runtime.asked import foreseen, whatif
from gitopsd.runtime.asked.local_control import LocalControl
from gitopsd.runtime.asked.whatif import Question
from gitopsd.runtime.shown import views
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


async def put(world: World, kind: str, name: str, data: Mapping[str, str], *, method: str = "POST") -> None:
    """A ConfigMap or Secret of the namespace flux-system, as somebody else makes or replaces it."""
    path = f"/api/v1/namespaces/flux-system/{kind}s" + (f"/{name}" if method == "PUT" else "")
    await world.send(method, path, {"metadata": {"name": name}, "data": data})


def encoded(password: str) -> dict[str, str]:
    return {"password": base64.b64encode(password.encode()).decode()}


async def flux_system(world: World) -> None:
    """The namespace, which tests on one control plane share, without what they look for in it."""
    where = "/api/v1/namespaces/flux-system"
    if await world.get(where) is None:
        await world.send("POST", "/api/v1/namespaces", {"metadata": {"name": "flux-system"}})
    for path in (f"{where}/configmaps/vars", f"{where}/secrets/login", MAP):
        if await world.get(path) is not None:
            await world.send("DELETE", path)


async def until_data(world: World, expected: Mapping[str, str]) -> None:
    """Wait, outcome by outcome, until the app's ConfigMap holds this."""
    with anyio.fail_after(PATIENCE):
        while (await world.get(MAP) or {}).get("data") != expected:
            world.heard.news = anyio.Event()
            with anyio.move_on_after(1):
                await world.heard.news.wait()


async def test_a_change_in_the_cluster_wakes_the_app_that_reads_it(either: World) -> None:
    world = either
    await flux_system(world)
    await put(world, "configmap", "vars", {"region": "south"})
    world.repository.commit({"app/a.yaml": config_map("a", region="x-${region}", login="${password:=none}")})
    world.declare(kustomization("app", SUBSTITUTE))
    async with world.engine(watch=True):
        await world.until("app")
        assert await data(world) == {"region": "x-south", "login": "none"}
        await put(world, "configmap", "vars", {"region": "west"}, method="PUT")
        await until_data(world, {"region": "x-west", "login": "none"})
        await put(world, "secret", "login", encoded("first-one"))
        await until_data(world, {"region": "x-west", "login": "first-one"})
        await put(world, "secret", "login", encoded("second-one"), method="PUT")
        await until_data(world, {"region": "x-west", "login": "second-one"})
        await world.send("DELETE", "/api/v1/namespaces/flux-system/secrets/login")
        await until_data(world, {"region": "x-west", "login": "none"})


async def test_what_is_missing_wakes_the_app_when_it_comes(either: World) -> None:
    world = either
    await flux_system(world)
    world.repository.commit({"app/a.yaml": config_map("a", region="x-${region}")})
    world.declare(kustomization("app", SUBSTITUTE))
    async with world.engine(watch=True):
        await world.until("app", Phase.WAITING)
        await put(world, "configmap", "vars", {"region": "south"})
        await world.until("app")
        assert await data(world) == {"region": "x-south"}


async def test_nothing_is_asked_again_while_nothing_changes(world: World) -> None:
    await flux_system(world)
    await put(world, "configmap", "vars", {"region": "south"})
    world.repository.commit({"app/a.yaml": config_map("a", region="x-${region}")})
    world.declare(kustomization("app", SUBSTITUTE))
    async with world.engine(watch=True) as engine:
        await world.until("app")
        await put(world, "secret", "login", encoded("unused"))
        await world.until("app", since=len(world.heard.outcomes))
        looked = len(world.heard.outcomes)
        await put(world, "configmap", "others", {"region": "nowhere"})
        metadata = {"metadata": {"labels": {"touched": "yes"}}}
        await world.send("PATCH", "/api/v1/namespaces/flux-system/configmaps/vars", metadata, MERGE)
        await engine.reconcile(app_ref("app"), "once more")
        assert len(world.heard.outcomes) == looked + 1


async def test_a_change_in_the_secrets_folder_wakes_the_app(world: World) -> None:
    password = world.folder / "secrets.d" / "login" / "password"
    password.parent.mkdir(parents=True)
    password.write_text("first-one")
    world.repository.commit({"app/a.yaml": config_map("a", login="${password}")})
    world.declare(kustomization("app", SUBSTITUTE), variables(region="north"))
    async with world.engine() as engine:
        await world.until("app")
        assert await data(world) == {"login": "first-one"}
        since = len(world.heard.outcomes)
        password.write_text("second-one")
        engine.declare(world.load().declared)
        await world.until("app", since=since)
    assert await data(world) == {"login": "second-one"}


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


async def test_a_plan_that_deletes_an_object_does_not_show_the_secret_values_in_it(world: World) -> None:
    world.repository.commit(
        {"app/a.yaml": config_map("a"), "app/b.yaml": config_map("b", note="x-${password}", region="${region}")}
    )
    world.declare(kustomization("app", SUBSTITUTE), variables(region="north"), login())
    assert (await world.app()).phase is Phase.READY
    world.repository.commit({"app/b.yaml": None}, branch="next")
    planned = await world.plan(revisions=["next"])
    (change,) = [change for app in planned.apps for change in app.changes]
    assert (change.name, change.deletion) == ("b", True)
    assert change.before is not None
    assert change.before["data"] == {"note": "***", "region": "north"}
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


SHORT = (
    "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: default}\n"
    "spec: {ports: [{name: a, port: 80, protocol: '${password}'}]}\n"
)


async def test_a_short_secret_value_is_masked_in_what_a_server_says_of_its_app(world: World) -> None:
    """Five characters or less are a word like others, which no log can do without; but not in quotes, and not of this app."""
    world.repository.commit(
        {"app/s.yaml": SHORT, "other/s.yaml": SHORT.replace("${password}", "zq7").replace("s,", "t,")}
    )
    world.declare(kustomization("app", SUBSTITUTE), kustomization("other"), variables(), login("zq7"))
    outcomes = await world.once()
    said = outcomes[app_ref("app")].message
    assert "Unsupported value" in said
    assert "zq7" not in said
    assert "zq7" in outcomes[app_ref("other")].message


async def test_what_came_of_a_request_quotes_no_secret_value(world: World) -> None:
    world.repository.commit({"app/s.yaml": SHORT})
    world.declare(kustomization("app", SUBSTITUTE, "wait: true"), variables(), login())
    async with world.engine() as engine:
        for password in (PASSWORD, "zq7"):
            world.declare(kustomization("app", SUBSTITUTE), variables(), login(password))
            engine.declare(world.load().declared)
            (report,) = await LocalControl(engine).reconcile("ks/app", "a-request")
            assert "Unsupported value" in repr(report)
            assert password not in repr(report) + repr(msgspec.to_builtins(report))


async def test_a_plan_masks_a_short_secret_value_where_it_is_all_of_a_field(world: World) -> None:
    world.repository.commit({"app/a.yaml": config_map("a", whole="${password}", part="x-${password}")})
    world.declare(kustomization("app", SUBSTITUTE), variables(), login("zq7"))
    found = await world.plan()
    (change,) = found.apps[0].changes
    assert change.after is not None
    assert change.after["data"] == {"whole": "***", "part": "x-zq7"}


async def test_a_deletion_masks_values_that_were_secret_before_they_were_rotated(world: World) -> None:
    where = config_map("a", where="https://y/${password}")
    world.repository.commit({"app/a.yaml": where, **maps("app", "b")})
    world.declare(kustomization("app", SUBSTITUTE), variables(), login())
    async with world.engine() as engine:
        await world.until("app", Phase.READY)
        suspended = kustomization("app", SUBSTITUTE, "suspend: true")
        world.declare(suspended, variables(), login("another-and-newer"))
        engine.declare(world.load().declared)
        world.repository.commit({"app/a.yaml": None}, branch="next")
        planned = await whatif.asked(engine, Question(names=("app",), revisions=("next",)), foreseen.view)
    (change,) = [change for app in planned.apps for change in app.changes]
    assert (change.deletion, change.before is not None) == (True, True)
    assert change.before is None or change.before["data"] == {"where": "***"}
    assert PASSWORD not in repr(planned)
