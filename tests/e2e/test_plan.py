"""`gitopsd plan`: exactly what an apply then does, over all apps that it touches; nothing is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes import account
from fakes.world import SOURCE, World, app_ref, config_map, gone, kustomization, maps

from gitopsd.cli import output_plan
from gitopsd.model.errors import UsageError
from gitopsd.model.outcome import Phase
from gitopsd.runtime.asked import foreseen, whatif
from gitopsd.runtime.asked.decisions import Decisions
from gitopsd.runtime.asked.whatif import Question
from gitopsd.runtime.shown.view import ChangeView, PlanView

pytestmark = pytest.mark.asyncio

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
WIDGETS = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.org}
spec:
  group: example.org
  names: {kind: Widget, plural: widgets}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
"""
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: default}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: "web:{replicas}"}}]}}
"""

Planned = set[tuple[str, str, str, str]]
"""App, action, kind and name."""


def writes(found: PlanView) -> Planned:
    """All that the plan would write into the cluster."""
    return {
        (report.view.ref.name, change.action, change.kind, change.name)
        for report in found.apps
        for change in report.changes
        if change.writes and not change.declared
    }


def changes(found: PlanView, app: str) -> Sequence[ChangeView]:
    [report] = [report for report in found.apps if report.view.ref.name == app]
    return report.changes


def sent(world: World) -> set[tuple[str, str]]:
    """What gitopsd wrote by its own account: method and name of the object, its records left out."""
    return {
        (request.method, request.path.rpartition("/")[2])
        for request in world.asked()
        if request.method != "GET"
        and request.query.get("dryRun") != "All"
        and not request.path.startswith(("/api/v1/namespaces/gitopsd-system", "/api/v1/namespaces/kube-system"))
        and request.path not in {"/api/v1/namespaces"}
    }


def expected(found: PlanView) -> set[tuple[str, str]]:
    return {("DELETE" if action == "delete" else "PATCH", name) for _, action, _, name in writes(found)}


async def exactly(world: World, branch: str = "next", *, again: bool = False) -> PlanView:
    """Plan the branch, then apply it, and insist that the plan said it all; `again` asks a second time, before and after."""
    world.running.journal.clear()
    first = await world.plan(revisions=[branch])
    assert not again or await world.plan(revisions=[branch]) == first
    assert sent(world) == set()
    world.repository.branch("main", _head(world, branch))
    world.running.journal.clear()
    await world.once()
    assert sent(world) == expected(first)
    assert not again or writes(await world.plan()) == set()
    return first


def _head(world: World, branch: str) -> str:
    from dulwich.repo import Repo

    with Repo(str(world.repository.path)) as repo:
        return repo.refs[f"refs/heads/{branch}".encode()].decode()


async def begun(world: World, files: dict[str, Any], *apps: str) -> None:
    """These files applied; what is committed from now on goes to the branch `next`."""
    world.repository.branch("next", world.repository.commit(files))
    world.declare(*apps)
    outcomes = await world.once()
    assert {o.phase for o in outcomes.values()} == {Phase.READY}, [o.message for o in outcomes.values()]


async def test_creates_updates_and_deletions_are_those_that_follow(either: World) -> None:
    await begun(
        either, {**maps("app", "a", "b", "c", "d"), "app/web.yaml": DEPLOYMENT.format(replicas=1)}, kustomization("app")
    )
    either.repository.commit(
        {"app/a.yaml": config_map("a", key="new"), "app/b.yaml": None, "app/e.yaml": config_map("e"), "app/web.yaml": DEPLOYMENT.format(replicas=3)},
        branch="next",
    )  # fmt: skip
    found = await exactly(either, again=True)
    assert writes(found) == {
        ("app", "update", "ConfigMap", "a"), ("app", "delete", "ConfigMap", "b"), ("app", "create", "ConfigMap", "e"),
        ("app", "update", "Deployment", "web"),
    }  # fmt: skip
    assert found.apps[0].unchanged == 2


async def test_an_object_that_moves_is_no_deletion_whoever_comes_first(either: World) -> None:
    apps = (kustomization("left"), kustomization("right"))
    await begun(either, {**maps("left", "x", "l"), **maps("right", "y", "r")}, *apps)
    either.repository.commit(
        {**gone("left", "x"), **maps("right", "x"), **gone("right", "y"), **maps("left", "y")}, branch="next"
    )
    found = await exactly(either, again=True)
    assert writes(found) == {("right", "adopt", "ConfigMap", "x"), ("left", "adopt", "ConfigMap", "y")}
    [x] = [c for c in changes(found, "right") if c.name == "x"]
    assert x.moved_from == str(app_ref("left"))
    [away] = [c for c in changes(found, "left") if c.name == "x"]
    assert away.moved_to == str(app_ref("right"))


async def test_a_new_child_is_planned_with_its_parent(either: World) -> None:
    await begun(either, maps("top", "t"), kustomization("top"))
    either.repository.commit({"top/child.yaml": kustomization("child"), **maps("child", "c")}, branch="next")
    found = await exactly(either)
    assert writes(found) == {("child", "create", "ConfigMap", "c")}
    [child] = [change for change in changes(found, "top") if change.declared]
    assert (child.action, child.kind, child.name) == ("create", "Kustomization", "child")


async def test_a_child_is_planned_by_its_planned_spec(either: World) -> None:
    await begun(
        either, {"top/child.yaml": kustomization("child"), **maps("child", "c"), **maps("other", "o")}, kustomization("top")
    )  # fmt: skip
    either.repository.commit({"top/child.yaml": kustomization("child", path="other")}, branch="next")
    found = await exactly(either)
    assert writes(found) == {("child", "create", "ConfigMap", "o"), ("child", "delete", "ConfigMap", "c")}
    [child] = [change for change in changes(found, "top") if change.declared]
    assert [(f.path, f.before, f.after) for f in child.fields] == [("spec.path", "./child", "./other")]


@pytest.mark.parametrize(("policy", "deleted"), [("MirrorPrune", True), ("Orphan", False)])
async def test_a_child_that_vanishes_ends_by_its_own_rules(either: World, policy: str, deleted: bool) -> None:
    child = kustomization("child", f"deletionPolicy: {policy}")
    await begun(
        either, {**maps("top", "t", "u", "v"), "top/child.yaml": child, **maps("child", "c")}, kustomization("top")
    )
    either.repository.commit({"top/child.yaml": None, "child/c.yaml": None}, branch="next")
    found = await exactly(either)
    assert writes(found) == ({("child", "delete", "ConfigMap", "c")} if deleted else set())
    [end] = [change for change in changes(found, "top") if change.declared]
    assert (end.action, end.name) == ("delete", "child")


async def test_children_of_a_suspended_parent_go_on_by_their_last_declaration(either: World) -> None:
    await begun(
        either,
        {**maps("top", "t"), "top/child.yaml": kustomization("child"), **maps("child", "c")},
        kustomization("top"),
    )
    either.declare(kustomization("top", "suspend: true"))
    either.repository.commit({**maps("child", "d"), **maps("top", "u")}, branch="next")
    assert writes(await exactly(either)) == {("child", "create", "ConfigMap", "d")}


async def test_a_whole_tree_of_children_ends(either: World) -> None:
    files = {
        **maps("top", "t", "u", "v", "w", "x"), "top/mid.yaml": kustomization("mid"), "mid/leaf.yaml": kustomization("leaf"),
        **maps("leaf", "l"), **maps("mid", "m"),
    }  # fmt: skip
    await begun(either, files, kustomization("top"))
    either.repository.commit({"top/mid.yaml": None}, branch="next")
    found = await either.plan(revisions=["next"])
    assert writes(found) == {("mid", "delete", "ConfigMap", "m"), ("leaf", "delete", "ConfigMap", "l")}


async def test_what_a_vanishing_child_had_may_move_to_another_app(either: World) -> None:
    files = {
        **maps("top", "t", "u", "v"),
        "top/child.yaml": kustomization("child"),
        **maps("child", "c"),
        **maps("app", "a"),
    }
    await begun(either, files, kustomization("top"), kustomization("app"))
    either.repository.commit({"top/child.yaml": None, "child/c.yaml": None, **maps("app", "c")}, branch="next")
    found = await exactly(either)
    assert writes(found) == {("app", "adopt", "ConfigMap", "c")}


async def test_what_moves_into_the_folder_of_a_vanishing_child_is_deleted_however_late_its_parent_renders(
    either: World,
) -> None:
    """The parent has values to ask for: by then the child, which is still declared, has said that it takes the object over."""
    values = [f"value-{number}" for number in range(20)]
    for name in values:
        await either.put_value(name, some="thing")
    asked = ", ".join(f"{{kind: ConfigMap, name: {name}}}" for name in values)
    late = f"postBuild: {{substituteFrom: [{asked}]}}"
    files = {**maps("top", "t", "u", "v", "x"), "top/child.yaml": kustomization("child"), **maps("child", "c")}
    await begun(either, files, kustomization("top", late))
    either.repository.commit({**gone("top", "x", "child"), **maps("child", "x"), **gone("child", "c")}, branch="next")

    found = await either.plan(revisions=["next"])

    assert writes(found) == {("top", "delete", "ConfigMap", "x"), ("child", "delete", "ConfigMap", "c")}


async def test_children_are_known_without_the_state_of_whoever_applied_them(either: World, tmp_path: Path) -> None:
    """As in CI: an empty state folder, a cluster that a daemon elsewhere works on."""
    await begun(
        either, {**maps("top", "t", "u", "v"), "top/child.yaml": kustomization("child"), **maps("child", "c")}, kustomization("top")
    )  # fmt: skip
    either.repository.commit({"top/child.yaml": None}, branch="next")
    (tmp_path / "state").rename(tmp_path / "elsewhere")
    found = await either.plan(revisions=["next"])
    assert writes(found) == {("child", "delete", "ConfigMap", "c")}


async def test_namespaces_and_kinds_that_other_apps_bring_are_taken_as_there(either: World) -> None:
    files = {
        "infra/ns.yaml": NAMESPACE, "infra/crd.yaml": WIDGETS, "shop/a.yaml": config_map("a", namespace="shop"),
        "shop/w.yaml": "apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: w, namespace: shop}\nspec: {size: 1}\n",
    }  # fmt: skip
    either.repository.branch("next", either.repository.commit(files))
    either.declare(kustomization("infra", "wait: true"), kustomization("shop", "dependsOn: [{name: infra}]"))
    found = await exactly(either)
    assert writes(found) == {
        ("infra", "create", "Namespace", "shop"), ("infra", "create", "CustomResourceDefinition", "widgets.example.org"),
        ("shop", "create", "ConfigMap", "a"), ("shop", "create", "Widget", "w"),
    }  # fmt: skip
    assert {c.reason for c in changes(found, "shop")} == {
        f"its namespace comes with {app_ref('infra')}", "the cluster does not know its kind yet"
    }  # fmt: skip


async def test_deletions_that_need_an_approval_say_so(either: World) -> None:
    await begun(either, maps("app", "a", "b", "c", "d"), kustomization("app"))
    either.repository.commit(gone("app", "a", "b", "c"), branch="next")
    found = await exactly(either)
    assert writes(found) == set()
    assert {(c.action, c.name) for c in changes(found, "app")} == {("refuse", name) for name in "abc"}
    async with either.engine() as engine:
        outcome = (await engine.once())[app_ref("app")]
    assert outcome.plan is not None
    assert found.apps[0].digest == outcome.plan.digest


async def test_an_object_of_another_engine_is_refused_in_the_plan_too(either: World) -> None:
    await either.put_map("a", labels={"argocd.argoproj.io/instance": "other"})
    either.repository.commit(maps("app", "a", "b"))
    either.declare(kustomization("app"))
    found = await either.plan()
    assert writes(found) == {("app", "create", "ConfigMap", "b")}
    assert found.apps[0].view.ready is False
    assert "Argo CD" in found.apps[0].view.message


async def test_only_what_a_revision_touches_is_shown(world: World) -> None:
    second = GIT.format(name="second", url=world.repository.url)
    apps = (kustomization("one"), kustomization("two", "sourceRef: {kind: GitRepository, name: second}"))
    await begun(world, {**maps("one", "a"), **maps("two", "b")}, *apps, second)
    world.repository.commit({**maps("one", "c"), **maps("two", "d")}, branch="next")
    found = await world.plan(revisions=["second=next"])
    assert writes(found) == {("two", "create", "ConfigMap", "d")}
    assert [report.view.ref.name for report in found.apps] == ["two"]
    assert found.untouched == 1
    both = await world.plan(revisions=["second=next", f"{SOURCE}=next"])
    assert writes(both) == {("two", "create", "ConfigMap", "d"), ("one", "create", "ConfigMap", "c")}
    assert (await world.plan("one", revisions=["next"])).apps[0].view.ref.name == "one"
    with pytest.raises(
        UsageError, match=r"--revision next: which source .* --revision SOURCE=next \(sources: .*repo, .*second\)"
    ):
        await world.plan(revisions=["next"])


GIT = """apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {{name: {name}, namespace: flux-system}}
spec: {{interval: 1h, url: "{url}", ref: {{branch: main}}}}
"""


async def test_a_folder_stands_in_for_the_root_of_its_source(either: World, tmp_path: Path) -> None:
    await begun(either, maps("app", "a", "b", "c"), kustomization("app"))
    for path, text in {**maps("app", "a", "b"), "app/n.yaml": config_map("n"), "app/.git/x.yaml": "no"}.items():
        (tmp_path / "work" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "work" / path).write_text(text)
    found = await either.plan(folders=[str(tmp_path / "work")])
    assert writes(found) == {("app", "create", "ConfigMap", "n"), ("app", "delete", "ConfigMap", "c")}
    [source] = found.sources
    assert source.revision.startswith(f"{tmp_path}/work@sha256:")
    assert source.instead == f"folder {tmp_path}/work"


async def test_a_source_in_whose_place_nothing_can_be_had_plans_nothing_old(world: World) -> None:
    await begun(world, maps("app", "a"), kustomization("app"))
    world.repository.commit(maps("app", "z"), branch="next")
    found = await world.plan(revisions=["nowhere"])
    assert writes(found) == set()
    assert "neither branch nor tag 'nowhere'" in found.sources[0].error
    assert found.apps[0].view.ready is False


async def test_a_suspended_app_is_planned_when_it_is_named(either: World) -> None:
    await begun(either, maps("app", "a"), kustomization("app"))
    either.declare(kustomization("app", "suspend: true"))
    either.repository.commit(maps("app", "z"))
    assert writes(await either.plan()) == set()
    assert writes(await either.plan("app")) == {("app", "create", "ConfigMap", "z")}


async def test_a_plan_leaves_no_trace_beside_a_daemon(either: World) -> None:
    await begun(
        either,
        {"top/child.yaml": kustomization("child"), **maps("top", "t"), **maps("child", "c")},
        kustomization("top"),
    )
    either.repository.commit(
        {"top/child.yaml": kustomization("child", path="other"), **maps("other", "o")}, branch="next"
    )
    before, cluster = _state(either), await _cluster(either)
    await either.plan(revisions=["next"])
    assert _state(either) == before
    async with either.engine(watch=True) as engine:
        await engine.once()
        outcomes = len(either.heard.outcomes)
        await either.plan(revisions=["next"])
        assert await whatif.asked(engine, Question(revisions=("next",)), foreseen.view)
        assert len(either.heard.outcomes) == outcomes
    after = _state(either)
    its_own = {"cache/cache.db status", "cache/cache.db polled"}  # the daemon's
    assert {k: v for k, v in after.items() if k not in its_own} == {k: v for k, v in before.items() if k not in its_own}
    assert await _cluster(either) == cluster


def _state(world: World) -> dict[str, list[Any]]:
    """Every row of the state folder but content, which nobody refers to."""
    found: dict[str, list[Any]] = {}
    for file in ("cache/cache.db", "ledger.db"):
        with sqlite3.connect(world.folder / "state" / file) as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in set(tables) - {"blob", "bytes", "native", "node", "epoch"}:
                rows = connection.execute(f"SELECT * FROM {table}").fetchall()
                found[f"{file} {table}"] = sorted(rows, key=repr)
        connection.close()
    return found


async def _cluster(world: World) -> Any:
    maps_ = await world.get("/api/v1/configmaps")
    assert maps_ is not None
    return maps_["items"]


async def test_the_plan_inside_a_daemon_is_that_beside_it(either: World) -> None:
    await begun(either, {**maps("left", "x", "l"), **maps("right", "r")}, kustomization("left"), kustomization("right"))
    async with either.engine(watch=True) as engine:
        await engine.once()
        either.repository.commit({**gone("left", "x"), **maps("right", "x"), **maps("left", "n")}, branch="next")
        inside = await whatif.asked(engine, Question(revisions=("next",)), foreseen.view)
        beside = await either.plan(revisions=["next"])
    assert inside.apps == beside.apps
    assert writes(inside) == {("right", "adopt", "ConfigMap", "x"), ("left", "create", "ConfigMap", "n")}


async def test_drift_is_part_of_the_plan(either: World) -> None:
    await begun(either, {"app/web.yaml": DEPLOYMENT.format(replicas=2)}, kustomization("app"))
    await either.send(
        "PATCH", "/apis/apps/v1/namespaces/default/deployments/web?fieldManager=kubectl-scale", {"spec": {"replicas": 7}},
        "application/merge-patch+json",
    )  # fmt: skip
    found = await either.plan()
    [change] = changes(found, "app")
    assert [(f.path, f.before, f.after, f.by) for f in change.fields] == [("spec.replicas", 7, 2, "ours")]


async def test_what_the_server_fills_in_is_told_apart(either: World) -> None:
    either.repository.commit({"app/web.yaml": DEPLOYMENT.format(replicas=2)})
    either.declare(kustomization("app"))
    [change] = changes(await either.plan(), "app")
    by = {f.path: f.by for f in change.fields}
    assert by["spec"] == "ours"
    assert by["spec.progressDeadlineSeconds"] == "server"
    assert change.ours is not None
    assert "progressDeadlineSeconds" not in change.ours["spec"]
    assert change.after is not None
    assert change.after["spec"]["progressDeadlineSeconds"] == 600


async def test_the_takeover_of_an_object_shows_what_goes_with_its_old_manager(either: World) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"key": "theirs", "old": "1"}}
    await either.send("POST", "/api/v1/namespaces/default/configmaps?fieldManager=kubectl-client-side-apply", body)
    either.repository.commit({"app/a.yaml": config_map("a", key="ours")})
    either.declare(kustomization("app"))
    [change] = changes(await either.plan(), "app")
    assert change.action == "adopt"
    assert {(f.path, f.before, f.after) for f in change.fields if f.path.startswith("data")} == {
        ("data.key", "theirs", "ours"), ("data.old", "1", None)
    }  # fmt: skip
    await either.once()
    after = await either.get("/api/v1/namespaces/default/configmaps/a")
    assert after is not None
    assert change.after is not None
    assert after["data"] == change.after["data"] == {"key": "ours"}


async def test_without_the_right_to_rehearse_the_plan_is_estimated(either: World) -> None:
    await account.granted(either, "get", "list", "watch")
    await begun(either, {**maps("app", "a", "b")}, kustomization("app"))
    either.declare(kustomization("app", "serviceAccountName: deployer"))
    either.repository.commit({"app/a.yaml": config_map("a", key="new"), **maps("app", "c")})
    found = await either.plan()
    assert writes(found) == {("app", "update", "ConfigMap", "a"), ("app", "create", "ConfigMap", "c")}
    assert all(change.estimated for change in changes(found, "app"))


async def test_a_refusal_quotes_no_secret(either: World) -> None:
    bad = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: default}\nstringData: {a: hunter2-hunter2}\ntype: [hunter2-hunter2]\n"
    either.repository.commit({"app/s.yaml": bad})
    either.declare(kustomization("app"))
    found = await either.plan()
    assert found.apps[0].view.ready is False
    assert "hunter2" not in repr(found)


async def test_a_suspension_or_an_approval_in_the_cluster_counts(either: World) -> None:
    await begun(either, maps("app", "a", "b", "c", "d"), kustomization("app"))
    async with either.engine() as engine:
        await engine.once()
        await Decisions(engine).suspend(app_ref("app"), actor="ada", reason="incident")
    either.repository.commit(gone("app", "a"))
    found = await either.plan()
    assert writes(found) == set()
    assert found.apps[0].view.suspended


@pytest.mark.parametrize("case", ["away", "misnamed"])
async def test_a_cluster_that_cannot_be_had_keeps_no_other_from_being_planned(either: World, case: str) -> None:
    either.repository.commit({**maps("here", "a"), **maps("there", "b")})
    lost, context = either.folder / "lost", either.context if case == "away" else "unknown"
    lost.write_text(either.running.kubeconfig().replace(either.running.url, "http://127.0.0.1:1"))
    cluster = (
        "apiVersion: gitopsd.io/v1alpha1\nkind: Cluster\nmetadata: {name: away}\n"
        f"spec: {{kubeconfig: {{path: {lost}, context: {context}}}}}\n"
    )
    on = "{{gitopsd.io/cluster: {}}}".format
    either.declare(
        kustomization("here", annotations=on("test")), kustomization("there", annotations=on("away")), cluster
    )
    found = await either.plan()
    assert writes(found) == {("here", "create", "ConfigMap", "a")}
    assert {report.view.ref.name: report.view.ready for report in found.apps} == {"here": True, "there": False}
    told = {"away": "http://127.0.0.1:1 cannot be reached", "misnamed": "there is no context 'unknown'"}
    assert told[case] in found.apps[1].view.message


async def test_no_form_of_a_plan_shows_a_secret(either: World, capsys: pytest.CaptureFixture[str]) -> None:
    def files(value: str) -> dict[str, str]:
        secret = (
            f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s, namespace: default}}\nstringData: {{any: {value}}}\n"
        )
        return {"app/s.yaml": secret, "app/a.yaml": config_map("a", dbPassword=value), **maps("app", "b", "c", "d")}

    await begun(either, files("hunter2-before"), kustomization("app"))
    either.repository.commit(
        {**files("hunter2-after"), "app/n.yaml": config_map("n", apiToken="hunter2-new")}, branch="next"
    )
    found = await either.plan(revisions=["next"])
    assert len(writes(found)) == 3
    for shape in ("table", "unified", "side-by-side", "markdown", "json", "yaml", "name"):
        output_plan.show(found, shape)
        shown = capsys.readouterr().out
        assert "hunter2" not in shown
        assert "aHVudGVyMi" not in shown
        assert ("*** (after)" in shown) is (shape not in {"name"})
