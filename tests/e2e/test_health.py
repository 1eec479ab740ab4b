"""Health whole-way: why an app waits or fails, expressions in CEL, and what is ready when a dependency says so itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import anyio
import pytest
import pytest_asyncio
from fakes.kubelet import kubelet
from fakes.world import APPLY, MERGE, SOURCE, World, app_ref, config_map, kustomization, maps

from gitopsd.model.health import Verdict
from gitopsd.model.outcome import Phase
from gitopsd.plugin import yaml
from gitopsd.plugin.conformance.scene import eventually
from gitopsd.runtime.asked import forest

pytestmark = pytest.mark.asyncio

MAP = "/api/v1/namespaces/default/configmaps/a"

JOB = (
    "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, namespace: NS}\n"
    "spec: {backoffLimit: 0, template: {spec: {restartPolicy: Never, containers: [{name: main, image: broken}]}}}\n"
)
WIDGETS = (
    "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.org}\n"
    "spec:\n  group: example.org\n  scope: Namespaced\n  names: {kind: Widget, plural: widgets}\n  versions:\n"
    "  - {name: v1, served: true, storage: true, subresources: {status: {}}, schema: {openAPIV3Schema: {type: object, "
    "x-kubernetes-preserve-unknown-fields: true}}}\n"
)
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.org"
CHECK = "healthChecks: [{apiVersion: example.org/v1, kind: Widget, name: a, namespace: default}]"
WIDGET = "apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: a, namespace: default}\nspec: {size: 1}\n"
STATUS = "/apis/example.org/v1/namespaces/default/widgets/a/status"
BY_PHASE = (
    "healthCheckExprs: [{apiVersion: example.org/v1, kind: Widget, current: \"status.phase == 'Up'\", "
    "failed: \"has(status.phase) && status.phase == 'Down'\"}]"
)


POD = "template: {metadata: {labels: {app: web}}, spec: {containers: [{name: main, image: web}]}}"
WORKLOADS = "---\n".join(
    f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}, namespace: NS}}\nspec: {{{spec}}}\n"
    for version, kind, name, spec in (
        ("apps/v1", "Deployment", "web", f"replicas: 2, selector: {{matchLabels: {{app: web}}}}, {POD}"),
        ("apps/v1", "StatefulSet", "db", f"serviceName: web, selector: {{matchLabels: {{app: web}}}}, {POD}"),
        ("apps/v1", "DaemonSet", "logs", f"selector: {{matchLabels: {{app: web}}}}, {POD}"),
        ("batch/v1", "Job", "once", POD.replace("containers", "restartPolicy: Never, containers")),
        ("v1", "Service", "web", "ports: [{port: 80}], selector: {app: web}"),
        ("v1", "PersistentVolumeClaim", "data", "accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}"),
    )
)


@pytest_asyncio.fixture
async def namespace(either: World) -> AsyncIterator[str]:
    """A namespace of the test's own."""
    name = f"test-{uuid4().hex[:8]}"
    await either.send("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    await either.send("DELETE", f"/api/v1/namespaces/{name}")


@pytest_asyncio.fixture
async def widgets(either: World) -> AsyncIterator[None]:
    """Takes the definition away that the test's app brings along."""
    yield
    await either.send("DELETE", DEFINITION)

    async def is_gone() -> bool:
        return await either.get(DEFINITION) is None

    await eventually(is_gone)


async def test_what_fails_ends_the_wait_and_the_message_has_the_containers_last_state(
    either: World, namespace: str
) -> None:
    either.repository.commit({"app/job.yaml": JOB.replace("NS", namespace)})
    either.declare(kustomization("app", "wait: true"))
    async with kubelet(either, namespace):
        outcome = await either.app()
    assert (outcome.phase, outcome.reason) == (Phase.RETRYING, "HealthCheckFailed")
    assert f"failed early due to stalled resources: [Job/{namespace}/migrate status: 'Failed' (" in outcome.message
    assert "container main: Error with exit code 1" in outcome.message


async def first(world: World, collection: str) -> dict[str, Any]:
    """The first object of a collection, as soon as there is one."""
    found: list[dict[str, Any]] = []

    async def is_there() -> bool:
        found.extend(((await world.get(collection)) or {"items": []})["items"])
        return bool(found)

    await eventually(is_there)
    return found[0]


async def test_a_pod_that_no_node_takes_is_told_in_the_schedulers_words(either: World, namespace: str) -> None:
    [stateful] = [text for text in WORKLOADS.split("---\n") if "StatefulSet" in text]
    either.repository.commit({"app/db.yaml": stateful.replace("NS", namespace).replace("image: web", "image: broken")})
    either.declare(kustomization("app", "wait: true"))
    unschedulable = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are free",
    }
    async with either.engine(watch=True):
        pod = (await first(either, f"/api/v1/namespaces/{namespace}/pods"))["metadata"]["name"]
        status = {"phase": "Pending", "conditions": [unschedulable], "containerStatuses": None}
        await either.send("PATCH", f"/api/v1/namespaces/{namespace}/pods/{pod}/status", {"status": status}, MERGE)
        waiting = await either.heard.until(lambda outcome: "Unschedulable" in outcome.message)
    assert waiting.phase is Phase.PROGRESSING
    assert f"[StatefulSet/{namespace}/db status: 'InProgress' (" in waiting.message
    assert f"Pod/{namespace}/{pod}: Unschedulable: 0/3 nodes are free" in waiting.message


@pytest.mark.parametrize("either", ["control-plane"], indirect=True)  # the sandbox knows no quotas
async def test_what_a_quota_refuses_is_told_in_its_words(either: World, namespace: str) -> None:
    quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"
    await either.send("POST", quotas, {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    counted = {"status": {"hard": {"pods": "0"}, "used": {"pods": "0"}}}  # as the quota's controller would
    await either.send("PATCH", f"{quotas}/none/status", counted, MERGE)
    [deployment] = [text for text in WORKLOADS.split("---\n") if "kind: Deployment" in text]
    either.repository.commit({"app/web.yaml": deployment.replace("NS", namespace)})
    either.declare(kustomization("app", "wait: true"))
    async with either.engine(watch=True):
        waiting = await either.heard.until(lambda outcome: "quota" in outcome.message)
    assert waiting.phase is Phase.PROGRESSING
    assert f"[Deployment/{namespace}/web status: 'InProgress' (" in waiting.message
    assert "exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0" in waiting.message


async def test_built_in_kinds_are_waited_for_until_their_controllers_say_that_they_are_there(
    either: World, namespace: str
) -> None:
    either.repository.commit({"app/all.yaml": WORKLOADS.replace("NS", namespace)})
    either.declare(kustomization("app", "wait: true"))
    async with kubelet(either, namespace), either.engine(watch=True):
        await either.until("app", Phase.PROGRESSING)
        claim = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/data/status"
        await either.send("PATCH", claim, {"status": {"phase": "Bound"}}, MERGE)
        outcome = await either.until("app")
    assert outcome.healthy is True
    assert {str(verdict.health) for verdict in outcome.health.values()} == {"Current"}
    assert sorted(id.kind for id in outcome.health) == [
        "DaemonSet", "Deployment", "Job", "PersistentVolumeClaim", "Service", "StatefulSet",
    ]  # fmt: skip


@pytest.mark.usefixtures("widgets")
async def test_an_object_of_somebody_else_that_is_checked_and_stalled_ends_the_wait_in_its_own_words(
    either: World,
) -> None:
    collection = STATUS.removesuffix("/a/status")
    await either.send("PATCH", f"{DEFINITION}?fieldManager=somebody", yaml.read(WIDGETS.encode()), APPLY)

    async def is_served() -> bool:
        return await either.get(collection) is not None

    await eventually(is_served)
    body = {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "a"}}
    await either.send("POST", collection, body)
    stalled = {"type": "Stalled", "status": "True", "reason": "NoDisk", "message": "no disk is left"}
    await either.send("PATCH", STATUS, {"status": {"conditions": [stalled]}}, MERGE)
    either.repository.commit(maps("app", "a"))
    either.declare(kustomization("app", CHECK))
    async with either.engine(watch=True) as engine:
        failed = await either.until("app", Phase.RETRYING)
        assert failed.reason == "HealthCheckFailed"
        assert "Widget/default/a status: 'Failed' (" in failed.message
        assert "no disk is left" in failed.message
        await either.send("PATCH", STATUS, {"status": {"conditions": [{**stalled, "status": "False"}]}}, MERGE)
        await engine.reconcile(app_ref("app"), "again")
        assert (await either.until("app")).healthy is True


@pytest.mark.usefixtures("widgets")
async def test_a_kind_and_its_objects_in_one_app_are_there_after_the_first_try(either: World) -> None:
    either.repository.commit({"app/a-widget.yaml": WIDGET, "app/z-crd.yaml": WIDGETS})
    either.declare(kustomization("app"))
    outcome = await either.app()
    assert outcome.phase is Phase.READY, outcome.message
    assert [o.phase for o in either.heard.outcomes if o.ref == app_ref("app") and o.phase is not Phase.PROGRESSING] == [
        Phase.READY
    ]
    assert await either.get(STATUS.removesuffix("/status")) is not None


@pytest.mark.usefixtures("widgets")
@pytest.mark.parametrize(("phase", "wanted"), [("Up", Phase.READY), ("Down", Phase.RETRYING)])
async def test_the_health_of_a_custom_resource_is_what_the_expressions_say(
    either: World, phase: str, wanted: Phase
) -> None:
    pytest.importorskip("cel_expr_python", reason="the extra [cel] is not installed")
    either.repository.commit({"app/crd.yaml": WIDGETS, "app/widget.yaml": WIDGET})
    either.declare(kustomization("app", "wait: true", BY_PHASE))
    async with either.engine(watch=True):
        waiting = await either.until("app", Phase.PROGRESSING)
        assert "Widget/default/a status: 'Unknown' (" in waiting.message
        await either.send("PATCH", STATUS, {"status": {"phase": phase}}, MERGE)
        outcome = await either.until("app", wanted)
    assert outcome.healthy == (wanted is Phase.READY)


async def test_an_expression_that_cannot_be_read_stalls_before_anything_is_written(world: World) -> None:
    pytest.importorskip("cel_expr_python", reason="the extra [cel] is not installed")
    world.repository.commit(maps("app", "a"))
    wrong = 'healthCheckExprs: [{apiVersion: v1, kind: ConfigMap, current: "data."}]'
    world.declare(kustomization("app", "wait: true", wrong))
    outcome = await world.app()
    assert (outcome.phase, outcome.reason) == (Phase.STALLED, "InvalidCELExpression")
    assert "Kustomization/flux-system/app: failed to parse the CEL expression 'data.'" in outcome.message
    assert not await world.exists("a")


async def test_a_dependency_is_ready_when_its_expression_says_so_and_wakes_who_waits(either: World) -> None:
    pytest.importorskip("cel_expr_python", reason="the extra [cel] is not installed")
    either.repository.commit({**maps("base", "a"), **maps("app", "b")})
    failing = (
        "dep.status.conditions.exists(c, c.type == 'Ready' && c.status == 'False') && self.metadata.generation == 1"
    )
    either.declare(
        kustomization("base", path="nowhere"),
        kustomization("app", f'dependsOn: [{{name: base, readyExpr: "{failing}"}}]'),
    )
    outcomes = await either.once()
    assert outcomes[app_ref("base")].phase is not Phase.READY
    assert outcomes[app_ref("app")].phase is Phase.READY
    assert await either.exists("b")


async def test_a_dependency_whose_expression_is_false_is_waited_for_although_it_is_ready(either: World) -> None:
    pytest.importorskip("cel_expr_python", reason="the extra [cel] is not installed")
    either.repository.commit({**maps("base", "a"), **maps("app", "b")})
    either.declare(
        kustomization("base"), kustomization("app", "dependsOn: [{name: base, readyExpr: 'dep.spec.force == true'}]")
    )
    outcome = await either.app()
    assert outcome.phase is Phase.WAITING
    assert "dependency Kustomization/flux-system/base is not ready: failed to evaluate the CEL" in outcome.message


@pytest.mark.usefixtures("widgets")
async def test_a_newer_revision_ends_an_open_gate_at_once(either: World) -> None:
    either.repository.commit({"app/crd.yaml": WIDGETS, "app/a.yaml": config_map("a")})
    either.declare(kustomization("app", CHECK, "timeout: 1h"))
    async with either.engine(watch=True) as engine:
        await either.until("app", Phase.PROGRESSING)
        oid = either.repository.commit({"app/widget.yaml": WIDGET})
        with anyio.fail_after(20):
            await engine.reconcile(SOURCE, "now")
            outcome = await either.until("app", Phase.READY, at=oid)
    assert outcome.healthy is True


class Broken:
    """A stranger's rule that fails on whatever it sees."""

    group, kind = "", "ConfigMap"

    def assess(self, body: object) -> Verdict:
        raise KeyError("status")


async def test_a_health_rule_that_fails_is_named_and_keeps_nothing_else_from_working(world: World) -> None:
    world.repository.commit(maps("app", "a"))
    world.declare(kustomization("app"))
    plain = world.load()
    registry = replace(plain.registry, health={**plain.registry.health, ("", "ConfigMap"): Broken()})
    async with world.engine(watch=True, loaded=replace(plain, registry=registry)) as engine:
        await world.until("app")
        [branch] = await forest.grown(engine, [app_ref("app")])
        said = "the health rule of the plugin kubernetes failed: KeyError: 'status'"
        assert [(leaf.name, leaf.health, leaf.message) for leaf in branch.leaves] == [("a", "Unknown", said)]
        seen = len(world.heard.outcomes)
        await world.send("PATCH", MAP, {"data": {"key": "edited"}}, MERGE)
        await world.until("app", since=seen)
        assert ((await world.get(MAP)) or {})["data"] == {"key": "value"}
