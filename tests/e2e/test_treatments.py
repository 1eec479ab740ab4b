"""What annotations, `force`, `ignore` and drift policies do to objects, on the sandbox and on a real control plane alike."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from fakes.world import APPLY, MERGE, World, app_ref, kustomization

from gitopsd.model.change import Action
from gitopsd.model.outcome import Outcome, Phase
from gitopsd.runtime.schedule.wake import Reason

pytestmark = pytest.mark.asyncio
STRATEGIC = "application/strategic-merge-patch+json"
FLUX = "kustomize.toolkit.fluxcd.io"


@pytest_asyncio.fixture
async def namespace(either: World) -> str:
    """A namespace of the test's own."""
    name = f"test-{uuid4().hex[:8]}"
    await either.send("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    return name


def config_map(namespace: str, value: str, *, immutable: bool = False, annotations: str = "{}") -> str:
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, namespace: {namespace}, annotations: {annotations}}}\n"
        f"data: {{key: {value}}}\n" + ("immutable: true\n" if immutable else "")
    )


def deployment(namespace: str, replicas: int, image: str = "web:1") -> str:
    return f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: {namespace}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: "{image}"}}]}}
"""


AUTOSCALER = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: web, namespace: {namespace}}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}
  minReplicas: 1
  maxReplicas: 20
  metrics: [{{type: Resource, resource: {{name: cpu, target: {{type: Utilization, averageUtilization: 80}}}}}}]
"""


def a(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps/a"


def web(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/web"


async def put(world: World, text: str, *spec: str, annotations: str = "{}") -> Outcome:
    """Commit this as the app's one file, and reconcile."""
    world.declare(kustomization("app", *spec, annotations=annotations))
    world.repository.commit({"app/a.yaml": text})
    return await world.app()


async def found(world: World, path: str) -> dict[str, Any]:
    it = await world.get(path)
    assert it is not None, path
    return it


def actions(outcome: Outcome) -> list[Action]:
    assert outcome.plan is not None, outcome.message
    return [change.action for change in outcome.plan.changes]


@pytest.mark.parametrize("atomic", ["stage", "object"])
async def test_force_re_creates_what_cannot_be_changed_in_place(either: World, namespace: str, atomic: str) -> None:
    annotations = f'{{"gitopsd.io/atomic": {atomic}}}'
    await put(either, config_map(namespace, "one", immutable=True), annotations=annotations)
    uid = (await found(either, a(namespace)))["metadata"]["uid"]

    refused = await put(either, config_map(namespace, "two", immutable=True), annotations=annotations)
    assert refused.phase is Phase.RETRYING
    assert "immutable" in refused.message
    assert (await found(either, a(namespace)))["metadata"]["uid"] == uid

    forced = await put(either, config_map(namespace, "two", immutable=True), "force: true", annotations=annotations)
    assert forced.phase is Phase.READY, forced.message
    assert forced.changed == {Action.RECREATE: 1}
    again = await found(either, a(namespace))
    assert (again["data"], again["metadata"]["uid"] != uid) == ({"key": "two"}, True)


async def test_an_object_can_ask_to_be_re_created_itself(either: World, namespace: str) -> None:
    asks = f"{{{FLUX}/force: enabled}}"
    await put(either, config_map(namespace, "one", immutable=True, annotations=asks))
    forced = await put(either, config_map(namespace, "two", immutable=True, annotations=asks))
    assert (forced.phase, actions(forced)) == (Phase.READY, [Action.RECREATE])


async def test_force_deletes_nothing_that_is_only_invalid(either: World, namespace: str) -> None:
    await put(either, deployment(namespace, 1), "force: true")
    uid = (await found(either, web(namespace)))["metadata"]["uid"]

    broken = deployment(namespace, 1).replace("name: web, image", "name: WEB_, image")
    outcome = await put(either, broken, "force: true")
    assert outcome.phase is Phase.RETRYING
    both = broken.replace("matchLabels: {app: web}", "matchLabels: {app: other}").replace(
        "labels: {app: web}", "labels: {app: other}"
    )
    outcome = await put(either, both, "force: true")
    assert outcome.phase is Phase.RETRYING, outcome.message
    assert (await found(either, web(namespace)))["metadata"]["uid"] == uid


async def test_an_ignored_field_is_never_taken_from_who_sets_it(either: World, namespace: str) -> None:
    ignore = "ignore: [{paths: [/spec/replicas], target: {kind: Deployment}}]"
    await put(either, deployment(namespace, 1), ignore)
    assert (await found(either, web(namespace)))["spec"]["replicas"] == 1

    await either.send("PATCH", f"{web(namespace)}?fieldManager=somebody", {"spec": {"replicas": 5}}, STRATEGIC)
    assert actions(await either.app()) == [Action.UNCHANGED]
    changed = await put(either, deployment(namespace, 2, "web:2"), ignore)
    assert changed.changed == {Action.UPDATE: 1}
    now = await found(either, web(namespace))
    assert now["spec"]["replicas"] == 5
    assert now["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"
    assert actions(await either.app()) == [Action.UNCHANGED]


async def test_replicas_belong_to_an_autoscaler_as_long_as_there_is_one(either: World, namespace: str) -> None:
    both = deployment(namespace, 1) + "---" + AUTOSCALER.format(namespace=namespace)
    await put(either, both)
    scale = f"{web(namespace)}/scale?fieldManager=kube-controller-manager"
    await either.send("PATCH", scale, {"spec": {"replicas": 7}}, MERGE)
    assert set(actions(await either.app())) == {Action.UNCHANGED}
    await put(either, both.replace("web:1", "web:2").replace("replicas: 1\n", "replicas: 2\n"))
    assert (await found(either, web(namespace)))["spec"]["replicas"] == 7

    gone = await put(either, deployment(namespace, 2, "web:2"))
    assert gone.changed == {Action.DELETE: 1}, gone.message
    outcome = await either.app()
    assert outcome.changed == {Action.UPDATE: 1}, outcome.message
    assert (await found(either, web(namespace)))["spec"]["replicas"] == 2


async def test_a_restart_by_kubectl_is_no_drift(either: World, namespace: str) -> None:
    await put(either, deployment(namespace, 1))
    restarted = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}}
    await either.send("PATCH", f"{web(namespace)}?fieldManager=kubectl-rollout", restarted, STRATEGIC)
    assert actions(await either.app()) == [Action.UNCHANGED]
    await put(either, deployment(namespace, 1, "web:2"))
    template = (await found(either, web(namespace)))["spec"]["template"]
    assert template["metadata"]["annotations"] == {"kubectl.kubernetes.io/restartedAt": "now"}


async def test_what_is_merged_keeps_what_others_added(either: World, namespace: str) -> None:
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": namespace}}
    await either.send(
        "PATCH", f"{a(namespace)}?fieldManager=kubectl&force=true", {**theirs, "data": {"theirs": "x"}}, APPLY
    )
    merged = await put(either, config_map(namespace, "ours", annotations=f"{{{FLUX}/ssa: Merge}}"))
    assert merged.changed == {Action.ADOPT: 1}
    assert (await found(either, a(namespace)))["data"] == {"theirs": "x", "key": "ours"}


async def test_what_is_overridden_loses_what_kubectl_added(either: World, namespace: str) -> None:
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": namespace}}
    await either.send(
        "PATCH", f"{a(namespace)}?fieldManager=kubectl&force=true", {**theirs, "data": {"theirs": "x"}}, APPLY
    )
    adopted = await put(either, config_map(namespace, "ours"))
    assert adopted.changed == {Action.ADOPT: 1}
    assert (await found(either, a(namespace)))["data"] == {"key": "ours"}


@pytest.mark.parametrize(
    ("policy", "value", "warned"), [("enabled", "one", False), ("warn", "evil", True), ("disabled", "evil", False)]
)
async def test_drift_is_put_back_or_left_as_the_app_says(
    either: World, namespace: str, policy: str, value: str, warned: bool
) -> None:
    annotations = f'{{"gitopsd.io/drift": {policy}}}'
    await put(either, config_map(namespace, "one"), annotations=annotations)
    await either.send("PATCH", f"{a(namespace)}?fieldManager=somebody", {"data": {"key": "evil"}}, MERGE)

    for _ in range(2):
        outcome = await either.app()
        assert outcome.phase is Phase.READY, outcome.message
        assert (await found(either, a(namespace)))["data"]["key"] == value
        assert any("data.key" in warning for warning in outcome.warnings) is warned

    await put(either, config_map(namespace, "two"), annotations=annotations)
    assert (await found(either, a(namespace)))["data"]["key"] == "two"


async def test_what_is_deleted_stays_deleted_where_drift_is_left_alone(either: World, namespace: str) -> None:
    annotations = '{"gitopsd.io/drift": warn}'
    await put(either, config_map(namespace, "one"), annotations=annotations)
    await either.send("DELETE", a(namespace))
    outcome = await either.app()
    assert outcome.phase is Phase.READY
    assert [w for w in outcome.warnings if "it is gone" in w]
    assert await either.get(a(namespace)) is None


async def test_drift_that_is_left_alone_is_seen_by_the_watch_and_left(either: World, namespace: str) -> None:
    await put(either, config_map(namespace, "one"), annotations='{"gitopsd.io/drift": warn}')
    async with either.engine(watch=True) as engine:
        await engine.once()
        seen = len(either.heard.outcomes)
        await either.send("PATCH", f"{a(namespace)}?fieldManager=somebody", {"data": {"key": "evil"}}, MERGE)
        outcome = await either.heard.until(lambda o: o.ref == app_ref("app") and bool(o.warnings), seen)
        assert (outcome.phase, outcome.changed) == (Phase.READY, {})
        seen = len(either.heard.outcomes)
        engine.scheduler.wake(app_ref("app"), Reason.RELEASED)
        assert (await either.until("app", since=seen)).warnings
    assert (await found(either, a(namespace)))["data"]["key"] == "evil"


@pytest.mark.parametrize(("atomic", "alone"), [("stage", False), ("object", True)])
async def test_a_stage_is_written_whole_or_not_at_all_unless_its_objects_stand_alone(
    either: World, namespace: str, atomic: str, alone: bool
) -> None:
    annotations = f"{{gitopsd.io/atomic: {atomic}}}"
    broken = deployment(namespace, 1).replace("name: web, image", "name: WEB_, image")
    outcome = await put(either, config_map(namespace, "one") + "---" + broken, annotations=annotations)
    assert outcome.phase is Phase.RETRYING
    assert f"Deployment/{namespace}/web" in outcome.message
    assert (await either.get(a(namespace)) is not None) is alone

    both = config_map(namespace, "one") + "---" + deployment(namespace, 1)
    assert (await put(either, both, annotations=annotations)).phase is Phase.READY
    assert (await found(either, a(namespace)))["data"] == {"key": "one"}


async def test_a_common_namespace_and_common_metadata_reach_every_object(either: World, namespace: str) -> None:
    metadata = "commonMetadata: {labels: {team: web}, annotations: {example.org/by: ada}}"
    both = config_map("elsewhere", "one") + "---" + deployment("elsewhere", 1)
    outcome = await put(either, both, f"targetNamespace: {namespace}", metadata)
    assert outcome.phase is Phase.READY, outcome.message
    for path in (a(namespace), web(namespace)):
        it = (await found(either, path))["metadata"]
        assert (it["labels"]["team"], it["annotations"]["example.org/by"]) == ("web", "ada")


async def test_kinds_with_a_stage_of_their_own_come_before_the_rest(either: World, namespace: str) -> None:
    """A refused object of the later stage keeps none of the earlier one from being written."""
    broken = deployment(namespace, 1).replace("name: web, image", "name: WEB_, image")
    both = config_map(namespace, "one") + "---" + broken
    assert (await put(either, both)).phase is Phase.RETRYING
    assert await either.get(a(namespace)) is None

    outcome = await put(either, both, annotations='{"gitopsd.io/stage-kinds": ConfigMap}')
    assert outcome.phase is Phase.RETRYING
    assert await either.get(a(namespace)) is not None

    await either.send("DELETE", a(namespace))
    either.settings += "  stageKinds: [ConfigMap]\n"
    assert (await put(either, both)).phase is Phase.RETRYING
    assert await either.get(a(namespace)) is not None


async def test_what_is_kept_or_left_alone_is_never_pruned(either: World, namespace: str) -> None:
    await put(either, config_map(namespace, "one", annotations=f"{{{FLUX}/prune: disabled}}"))
    outcome = await put(either, deployment(namespace, 1))
    assert outcome.phase is Phase.READY
    assert await either.get(a(namespace)) is not None
    assert await either.get(web(namespace)) is not None
