"""The daemon's ways: drift is put back, what did not change costs no request, and children follow their parents."""

from __future__ import annotations

import logging

import pytest
from fakes.kubelet import kubelet
from fakes.world import MERGE, SOURCE, World, app_ref, config_map, gone, kustomization, maps

from gitopsd.model.outcome import Phase
from gitopsd.plugin.conformance.scene import eventually
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.live.flips import TIMES
from gitopsd.runtime.live.watches import Watches
from gitopsd.runtime.schedule.wake import Reason

pytestmark = pytest.mark.asyncio

STRATEGIC = "application/strategic-merge-patch+json"
A = "/api/v1/namespaces/default/configmaps/a"
B = "/api/v1/namespaces/default/configmaps/b"


async def begun(world: World, **files: str) -> None:
    world.repository.commit({**maps("app", "a", "b"), **files})
    world.declare(kustomization("app"))


async def watched(world: World, engine: Engine) -> None:
    """Everything is applied, and watches show all of it."""
    await world.until("app")
    await engine.once()
    mirror = engine.world.mirror
    assert isinstance(mirror, Watches)
    await mirror.caught_up("test", 10)
    world.running.journal.clear()


async def test_an_edit_behind_our_back_is_put_back(either: World) -> None:
    await begun(either)
    async with either.engine(watch=True):
        await either.until("app")
        seen = len(either.heard.outcomes)
        await either.send("PATCH", f"{A}?fieldManager=kubectl-edit", {"data": {"key": "edited"}}, MERGE)
        repaired = await either.until("app", since=seen)
        assert {str(action): number for action, number in repaired.changed.items()} == {"update": 1}
    found = await either.get(A)
    assert found is not None
    assert found["data"] == {"key": "value"}


async def test_a_deletion_behind_our_back_is_put_back(either: World) -> None:
    await begun(either)
    async with either.engine(watch=True):
        await either.until("app")
        seen = len(either.heard.outcomes)
        await either.send("DELETE", A)
        repaired = await either.until("app", since=seen)
        assert {str(action): number for action, number in repaired.changed.items()} == {"create": 1}
    assert await either.exists("a", "b")


async def test_a_job_that_was_removed_when_it_was_done_is_not_run_again(either: World) -> None:
    pod = "{restartPolicy: Never, containers: [{name: a, image: a}]}"
    spec = f"{{ttlSecondsAfterFinished: 0, template: {{spec: {pod}}}}}"
    job = f"apiVersion: batch/v1\nkind: Job\nmetadata: {{name: a, namespace: default}}\nspec: {spec}\n"
    either.repository.commit({"app/a.yaml": job})
    either.declare(kustomization("app", "wait: true"))
    async with kubelet(either, "default"), either.engine(watch=True) as engine:
        await either.until("app")

        async def removed() -> bool:
            return await either.get("/apis/batch/v1/namespaces/default/jobs/a") is None

        await eventually(removed)
        seen = len(either.heard.outcomes)
        await engine.reconcile(app_ref("app"), "again")
        again = await either.until("app", since=seen)
    assert (again.phase, again.changed) == (Phase.READY, {})
    created = [r for r in either.asked("PATCH") if r.path.endswith("/jobs/a") and "dryRun" not in r.query]
    assert len(created) == 1


WEBHOOK = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: NAME}
webhooks:
- name: policy.example.org
  failurePolicy: Ignore
  sideEffects: None
  admissionReviewVersions: [v1]
  clientConfig: {url: "https://127.0.0.1:1/"}
  rules: [{apiGroups: [no.such.group], apiVersions: [v1], operations: [CREATE], resources: [things]}]
  namespaceSelector: {matchLabels: {checked: "true"}}
"""


async def test_who_rewrites_an_object_each_time_that_it_is_put_back_is_named_and_left_alone(
    either: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Azure's admissions enforcer does so with the namespaceSelector of every webhook."""
    name, either.level, told = f"enforced-{either.instance}", logging.WARNING, [""]
    path = f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{name}"
    system = {"matchExpressions": [{"key": "control-plane", "operator": "DoesNotExist"}]}
    enforced = {"webhooks": [{"name": "policy.example.org", "namespaceSelector": {**system, "matchLabels": None}}]}

    async def enforce() -> None:
        await either.send("PATCH", f"{path}?fieldManager=admissionsenforcer", enforced, STRATEGIC)

    async def selector() -> object:
        found = await either.get(path)
        return found["webhooks"][0]["namespaceSelector"] if found else None

    async def is_ours() -> bool:
        return await selector() == {"matchLabels": {"checked": "true"}}

    async def is_told() -> bool:
        told[0] += capsys.readouterr().err
        return "it is left alone for a while" in told[0] and "by=admissionsenforcer" in told[0]

    either.repository.commit({"app/webhook.yaml": WEBHOOK.replace("NAME", name)})
    either.declare(kustomization("app"))
    async with either.engine(watch=True):
        await either.until("app")
        for _ in range(TIMES - 1):
            await eventually(is_ours)
            await enforce()
        await eventually(is_ours)
        await enforce()
        await eventually(is_told)
        assert await selector() == system
    await either.send("DELETE", path)


async def test_a_field_that_others_add_is_no_drift(either: World) -> None:
    await begun(either)
    async with either.engine(watch=True) as engine:
        await either.until("app")
        await either.send("PATCH", f"{A}?fieldManager=somebody", {"data": {"more": "theirs"}}, MERGE)
        seen = len(either.heard.outcomes)
        await either.send("PATCH", f"{B}?fieldManager=somebody", {"data": {"key": "edited"}}, MERGE)
        await either.until("app", since=seen)
        await engine.once()
    found = await either.get(A)
    assert found is not None
    assert found["data"] == {"key": "value", "more": "theirs"}


async def test_a_field_that_is_no_longer_left_to_others_is_put_right_at_once(either: World) -> None:
    either.repository.commit(maps("app", "a"))
    either.declare(kustomization("app", "ignore: [{paths: [/data/key]}]"))
    async with either.engine(watch=True) as engine:
        await watched(either, engine)
        seen = len(either.heard.outcomes)
        await either.send("PATCH", f"{A}?fieldManager=somebody", {"data": {"key": "edited"}}, MERGE)
        assert (await either.until("app", since=seen)).changed == {}
        either.declare(kustomization("app"))
        engine.declare(either.load().declared)
        await engine.once()
    found = await either.get(A)
    assert found is not None
    assert found["data"] == {"key": "value"}


async def test_drift_is_put_back_after_the_watches_were_cut(world: World) -> None:
    await begun(world)
    async with world.engine(watch=True):
        await world.until("app")
        seen = len(world.heard.outcomes)
        world.running.cut_watches()
        await world.send("PATCH", f"{A}?fieldManager=somebody", {"data": {"key": "edited"}}, MERGE)
        await world.until("app", since=seen)
    found = await world.get(A)
    assert found is not None
    assert found["data"] == {"key": "value"}


async def test_looking_again_at_what_did_not_change_asks_nothing_while_watches_hold(either: World) -> None:
    await begun(either)
    async with either.engine(watch=True) as engine:
        await watched(either, engine)
        seen = len(either.heard.outcomes)
        assert engine.scheduler.wake(app_ref("app"), Reason.RELEASED)
        await either.until("app", since=seen)
        assert either.asked() == []


async def test_a_commit_that_touches_nothing_that_was_read_concludes_without_render_or_request(either: World) -> None:
    await begun(either)
    async with either.engine(watch=True) as engine:
        await watched(either, engine)
        before = engine.board.renders[app_ref("app")]
        head = either.repository.commit({"elsewhere/readme.md": "hello"})
        seen = len(either.heard.outcomes)
        await engine.reconcile(SOURCE, "now")
        outcome = await either.until("app", since=seen, at=head)
        after = engine.board.renders[app_ref("app")]
        assert str(outcome.applied).endswith(head)
        assert after.outline == before.outline
        assert either.asked() == []


async def test_a_full_check_asks_the_cluster_whatever_watches_say(either: World) -> None:
    await begun(either)
    async with either.engine(watch=True) as engine:
        await watched(either, engine)
        seen = len(either.heard.outcomes)
        engine.scheduler.wake(app_ref("app"), Reason.CHECK)
        await either.until("app", since=seen)
        assert {request.path for request in either.asked("GET") if "watch" not in request.query} >= {A, B}
        assert [request for request in either.asked() if request.method != "GET"] == []


async def test_after_a_restart_what_is_stored_serves_while_the_source_is_away(either: World) -> None:
    await begun(either)
    await either.once()
    either.repository.path.rename(either.repository.path.with_suffix(".away"))
    await either.send("DELETE", A)
    outcomes = await either.once()
    assert outcomes[SOURCE].phase is not Phase.READY
    assert outcomes[app_ref("app")].phase is Phase.READY
    assert await either.exists("a", "b")


def parent(*children: str) -> dict[str, str]:
    return {f"parent/{name}.yaml": kustomization(name) for name in children}


async def test_a_child_that_leaves_its_parents_render_ends_by_its_own_rules(either: World) -> None:
    either.repository.commit({**parent("one", "two"), **maps("one", "a"), **maps("two", "b", "c")})
    either.declare(kustomization("parent"))
    async with either.engine() as engine:
        await engine.once()
        assert await either.exists("a", "b", "c")
        either.repository.commit({"parent/one.yaml": None})
        await engine.reconcile(SOURCE, "now")
        await engine.once()
        assert engine.board.outcomes[app_ref("parent")].phase is Phase.READY
        assert app_ref("one") not in engine.board.intents
    assert not await either.exists("a")
    assert await either.exists("b", "c")
    assert either.deleted == [A]


async def test_a_child_source_and_a_child_of_a_kind_not_served_leave_with_their_files(either: World) -> None:
    release = (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: flux-system}\n"
        "spec: {interval: 1h}\n"
    )
    source = (
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: child, namespace: flux-system}\n"
        "spec: {interval: 1h, url: https://localhost:1/x.git}\n"
    )
    either.repository.commit({"parent/r.yaml": release, "parent/s.yaml": source, **maps("parent", "a", "b", "c")})
    either.declare(kustomization("parent"))
    async with either.engine() as engine:
        await engine.once()
        assert engine.board.outcomes[app_ref("parent")].phase is Phase.READY
        either.repository.commit({"parent/r.yaml": None, "parent/s.yaml": None})
        await engine.reconcile(SOURCE, "now")
        await engine.once()
        assert engine.board.outcomes[app_ref("parent")].phase is Phase.READY
        assert {ref.name for ref in engine.board.intents} == {"repo", "parent"}


async def test_a_child_with_most_of_the_objects_counts_with_all_of_them(either: World) -> None:
    either.repository.commit(
        {**parent("big", "s1", "s2", "s3"), **maps("big", "a", "b", "c", "d", "e", "f", "g")}
        | {**maps("s1", "x"), **maps("s2", "y"), **maps("s3", "z")}
    )
    either.declare(kustomization("parent"))
    async with either.engine() as engine:
        await engine.once()
        either.repository.commit({"parent/big.yaml": None})
        await engine.reconcile(SOURCE, "now")
        await engine.once()
        refused = engine.board.outcomes[app_ref("parent")]
        assert refused.reason == "DeletionNotApproved"
        assert "deleting 7 of 10 objects" in refused.message
        assert app_ref("big") in engine.board.intents
    assert either.deleted == []


async def test_a_child_that_a_file_declares_too_is_left_to_the_file(either: World) -> None:
    either.repository.commit({**parent("one", "two"), **maps("one", "a"), **maps("two", "b")})
    either.declare(kustomization("parent"), kustomization("one"))
    async with either.engine() as engine:
        await engine.once()
        either.repository.commit({"parent/one.yaml": None})
        await engine.reconcile(SOURCE, "now")
        await engine.once()
        assert engine.board.outcomes[app_ref("parent")].phase is Phase.READY
        assert engine.board.outcomes[app_ref("one")].phase is Phase.READY
    assert either.deleted == []


@pytest.mark.parametrize(("old", "new"), [("left", "right"), ("right", "left")])
async def test_a_child_that_moves_between_parents_goes_on(either: World, old: str, new: str) -> None:
    child = {f"{old}/child.yaml": kustomization("child")}
    either.repository.commit({**child, **maps("left", "l1"), **maps("right", "r1"), **maps("child", "a", "b", "c")})
    either.declare(kustomization("left"), kustomization("right"))
    async with either.engine() as engine:
        await engine.once()
        assert await either.exists("a", "b", "c")
        either.repository.commit({f"{old}/child.yaml": None, f"{new}/child.yaml": kustomization("child")})
        await engine.reconcile(SOURCE, "now")
        await engine.once()
        assert engine.board.declared[app_ref("child")].parent == app_ref(new)
        assert {o.phase for o in engine.board.outcomes.values()} == {Phase.READY}
    assert either.deleted == []


async def test_gate_follows_until_healthy_and_a_newer_revision_ends_it(either: World) -> None:
    never = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: default}\n"
        "spec:\n  selector: {matchLabels: {app: web}}\n"
        "  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: c, image: 'nginx:fail'}]}\n"
    )
    either.repository.commit({"app/a.yaml": config_map("a"), "app/web.yaml": never})
    either.declare(kustomization("app", "wait: true"))
    async with either.engine(watch=True) as engine:
        await either.until("app", Phase.PROGRESSING)
        head = either.repository.commit({"app/web.yaml": None, **maps("app", "b", "c")})
        await engine.reconcile(SOURCE, "now")
        outcome = await either.until("app", at=head)
        assert outcome.healthy is True


async def test_gone_files_of_one_app_touch_no_other(either: World) -> None:
    either.repository.commit({**maps("one", "a", "x", "y"), **maps("two", "b")})
    either.declare(kustomization("one"), kustomization("two"))
    await either.once()
    either.repository.commit(gone("one", "a"))
    await either.once()
    assert either.deleted == [A]
    assert await either.exists("b", "x", "y")
