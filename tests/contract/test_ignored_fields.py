"""Fields that an app leaves to others (`spec.ignore`), through all that others may do with them."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.scene import Scene

from gitopsd.model.change import Action
from gitopsd.plugin import SpecError

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

CREATED, UPDATED, UNCHANGED = [Action.CREATE], [Action.UPDATE], [Action.UNCHANGED]
IMAGE = "/spec/template/spec/containers/0/image"
NOTE = "/metadata/annotations/example.com~1note"


def ignore(*paths: str, **target: str) -> dict[str, Any]:
    return {"ignore": [{"paths": list(paths), **({"target": target} if target else {})}]}


def image(body: Any) -> str:
    found: str = body["spec"]["template"]["spec"]["containers"][0]["image"]
    return found


def container(**parts: Any) -> dict[str, Any]:
    return {"template": {"spec": {"containers": [{"name": "web", **parts}]}}}


async def test_one_goes_from_owner_to_owner_and_is_never_taken_back(scene: Scene) -> None:
    app, rules = scene.app, ignore("/spec/replicas")
    web = scene.deployment(replicas=2)
    assert await app.make(web, **rules) == CREATED
    assert (await app.body(web))["spec"]["replicas"] == 2

    await scene.as_manager("scaler", web, spec={"replicas": 7})
    assert await app.make(web, **rules) == UNCHANGED
    assert await app.make(scene.deployment(replicas=3, image="web:2"), **rules) == UPDATED
    assert (await app.body(web))["spec"]["replicas"] == 7

    await scene.as_manager("scaler", web)
    left = (await app.body(web))["spec"]["replicas"]
    assert left == 1  # the server's default
    assert await app.make(scene.deployment(replicas=3, image="web:3"), **rules) == UPDATED
    assert (await app.body(web))["spec"]["replicas"] == left
    assert await app.make(scene.deployment(replicas=3, image="web:3"), **rules) == UNCHANGED


async def test_one_that_another_holds_too_is_let_go_with_the_next_write(scene: Scene) -> None:
    """And only then: sharing it is no drift."""
    app, rules = scene.app, ignore("/spec/replicas")
    web = scene.deployment(replicas=2)
    await app.make(web, **rules)
    await scene.as_manager("scaler", web, spec={"replicas": 2})
    assert await app.make(web, **rules) == UNCHANGED
    assert await scene.managers(web) == {("gitopsd", "Apply"), ("scaler", "Apply")}

    await app.make(scene.deployment(replicas=2, image="web:2"), **rules)
    await scene.as_manager("scaler", web, spec={"replicas": 9})
    assert await app.make(scene.deployment(replicas=2, image="web:2"), **rules) == UNCHANGED
    assert (await app.body(web))["spec"]["replicas"] == 9


async def test_a_required_one_is_kept_from_going(scene: Scene) -> None:
    app, rules = scene.app, ignore(IMAGE)
    web = scene.deployment(image="web:1")
    await app.make(web, **rules)
    await scene.as_manager("image-policy", web, spec=container(image="web:9"))
    assert await app.make(web, **rules) == UNCHANGED

    assert await app.make(scene.deployment(image="web:2", replicas=2), **rules) == UPDATED
    assert image(await app.body(web)) == "web:9"
    with pytest.raises(Exception, match="image: Required value"):
        await scene.as_manager("image-policy", web)
    assert await app.make(scene.deployment(image="web:2", replicas=2), **rules) == UNCHANGED
    assert image(await app.body(web)) == "web:9"


async def test_an_immutable_one_stays_sound_whoever_holds_it(scene: Scene) -> None:
    app, rules = scene.app, ignore("/spec/selector")
    web = scene.deployment()
    assert await app.make(web, **rules) == CREATED
    assert await app.make(scene.deployment(image="web:2"), **rules) == UPDATED

    await scene.as_manager("other", web, spec={"selector": {"matchLabels": {"app": "web"}}})
    assert await app.make(scene.deployment(image="web:3"), **rules) == UPDATED
    with pytest.raises(Exception, match="selector"):
        await scene.as_manager("other", web)
    assert await app.make(scene.deployment(image="web:3"), **rules) == UNCHANGED


async def test_a_new_object_has_them_as_git_says(scene: Scene) -> None:
    app, rules = scene.app, ignore("/spec/replicas", NOTE)
    web = scene.deployment(replicas=3, metadata={"annotations": {"example.com/note": "git"}})
    await app.make(web, **rules)
    made = await app.body(web)
    assert (made["spec"]["replicas"], made["metadata"]["annotations"]["example.com/note"]) == (3, "git")


@pytest.mark.parametrize("who", ["claimed", "edited", "nobody"])
async def test_beside_them_everything_is_put_right(scene: Scene, who: str) -> None:
    """What others do to an ignored field hides nothing that is done to another."""
    app, rules = scene.app, ignore("/spec/replicas")
    web = scene.deployment(replicas=2, minReadySeconds=5)
    await app.make(web, **rules)
    if who == "claimed":
        await scene.as_manager("vpa", web, spec={"replicas": 6})
    if who == "edited":
        await scene.edit("kubectl-edit", web, {"spec": {"replicas": 6}})
    expected = 2 if who == "nobody" else 6
    assert await app.make(web, **rules) == UNCHANGED

    await scene.edit("kubectl-edit", web, {"spec": {"minReadySeconds": 99}})
    assert await app.make(web, **rules) == UPDATED
    await scene.edit("kubectl-edit", web, {"spec": {"minReadySeconds": None}})
    assert await app.make(web, **rules) == UPDATED
    more = scene.deployment(replicas=2, minReadySeconds=5, revisionHistoryLimit=3)
    assert await app.make(more, **rules) == UPDATED
    less = scene.deployment(replicas=2)
    assert await app.make(less, **rules) == UPDATED

    spec = (await app.body(web))["spec"]
    assert (spec["replicas"], spec.get("minReadySeconds", 0), spec["revisionHistoryLimit"]) == (expected, 0, 10)
    assert await app.make(less, **rules) == UNCHANGED


@pytest.mark.parametrize("path", ["/spec/replicas", IMAGE])
async def test_an_edit_of_one_that_is_ours_alone_stays_and_stays_ours(scene: Scene, path: str) -> None:
    app, rules = scene.app, ignore(path)
    web = scene.deployment(replicas=2)
    await app.make(web, **rules)
    await scene.edit("somebody", web, {"spec": {"replicas": 8, **container(image="web:9")}})
    edited = await app.body(web)
    await app.make(scene.deployment(replicas=2, minReadySeconds=1), **rules)
    now = await app.body(web)
    kept = (now["spec"]["replicas"] == 8, image(now) == image(edited))
    assert kept == (path == "/spec/replicas", path == IMAGE)


async def test_what_kubectl_set_before_the_takeover_stays_too(scene: Scene) -> None:
    """And becomes ours with the rest: else it would go when kubectl's entry goes."""
    app, rules = scene.app, ignore("/spec/replicas")
    await scene.create("kubectl-client-side-apply", scene.deployment(replicas=8, minReadySeconds=9))
    web = scene.deployment(replicas=2)
    assert await app.make(web, **rules) == [Action.ADOPT]
    spec = (await app.body(web))["spec"]
    assert (spec["replicas"], spec.get("minReadySeconds", 0)) == (8, 0)
    assert await scene.managers(web) == {("gitopsd", "Apply")}
    assert await app.make(web, **rules) == UNCHANGED


async def test_only_what_a_rule_is_for_is_left_alone(scene: Scene) -> None:
    app = scene.app
    one, other = (
        scene.object("ConfigMap", name, metadata={"labels": {"app": name}}, data={"a": "1", "b": "1"})
        for name in ("one", "other")
    )
    rules = ignore("/data/a", "/data/nothing/there", "/data/0/x", kind="ConfigMap", name="one")
    await app.make(one, other, **rules)
    for body in (one, other):
        await scene.edit("somebody", body, {"data": {"a": "x", "b": "x"}})
    assert await app.make(one, other, **rules) == [Action.UPDATE, Action.UPDATE]
    assert [(await app.body(body))["data"] for body in (one, other)] == [{"a": "x", "b": "1"}, {"a": "1", "b": "1"}]

    for body in (one, other):
        await scene.edit("somebody", body, {"data": {"a": "y"}})
    labelled = ignore("/data/a", labelSelector="app=other")
    assert await app.make(one, other, **labelled) == [Action.UPDATE, Action.UNCHANGED]
    assert [(await app.body(body))["data"]["a"] for body in (one, other)] == ["1", "y"]


async def test_a_map_of_which_nothing_else_is_stated_is_left_alone_too(scene: Scene) -> None:
    app, rules = scene.app, ignore("/data/a", NOTE)
    stated = scene.config_map({"a": "1"}, annotations={"example.com/note": "git"})
    await app.make(stated, **rules)
    await scene.edit("somebody", stated, {"data": {"a": "x"}, "metadata": {"annotations": {"example.com/note": "x"}}})
    assert await app.make(stated, **rules) == UNCHANGED
    await scene.edit("somebody", stated, {"data": None, "metadata": {"annotations": None}})
    assert await app.make(stated, **rules) == UNCHANGED


async def test_a_pointer_that_is_none_is_refused_where_it_is_read(scene: Scene) -> None:
    with pytest.raises(SpecError, match="no JSON pointer"):
        await scene.app.plan(scene.config_map({}), **ignore("data/a"))


async def test_resources_that_an_autoscaler_sets_are_left_to_it(scene: Scene) -> None:
    app = scene.app
    rules = ignore("/spec/template/spec/containers/0/resources")
    stated = {"resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}
    web = scene.deployment(container=stated)
    await app.make(web, **rules)
    grown = {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"cpu": "4"}}
    await scene.as_manager("vpa", web, spec=container(resources=grown))
    assert await app.make(web, **rules) == UNCHANGED
    assert await app.make(scene.deployment(container=stated, image="web:2"), **rules) == UPDATED
    found = (await app.body(web))["spec"]["template"]["spec"]["containers"][0]
    assert (found["resources"], found["image"]) == (grown, "web:2")
    assert await app.make(scene.deployment(container=stated, image="web:2"), **rules) == UNCHANGED


async def test_a_plan_tells_nothing_of_them(scene: Scene) -> None:
    app, rules = scene.app, ignore("/spec/replicas")
    web = scene.deployment(replicas=2)
    await app.make(web, **rules)
    await scene.edit("somebody", web, {"spec": {"replicas": 8, "minReadySeconds": 9}})
    [change] = await app.plan(scene.deployment(replicas=2, minReadySeconds=1), **rules)
    assert [(f.path, f.before, f.after) for f in change.fields] == [("spec.minReadySeconds", 9, 1)]
    [change] = await app.plan(scene.deployment(replicas=2, minReadySeconds=1), **ignore("/spec/replicas", kind="Job"))
    assert [f.path for f in change.fields] == ["spec.minReadySeconds", "spec.replicas"]
