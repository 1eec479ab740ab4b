"""Health whole-way: why an app waits or fails, expressions in CEL, and what is ready when a dependency says so itself."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest
from fakes.world import MERGE, SOURCE, World, app_ref, config_map, kustomization, maps

from gitopsd.model.health import Verdict
from gitopsd.model.outcome import Phase
from gitopsd.runtime import forest

pytestmark = pytest.mark.asyncio

MAP = "/api/v1/namespaces/default/configmaps/a"

JOB = (
    "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, namespace: default}\n"
    "spec: {backoffLimit: 0, template: {spec: {restartPolicy: Never, containers: [{name: main, image: broken}]}}}\n"
)
WIDGETS = (
    "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.org}\n"
    "spec:\n  group: example.org\n  scope: Namespaced\n  names: {kind: Widget, plural: widgets}\n  versions:\n"
    "  - {name: v1, served: true, storage: true, subresources: {status: {}}, schema: {openAPIV3Schema: {type: object, "
    "x-kubernetes-preserve-unknown-fields: true}}}\n"
)
WIDGET = "apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: a, namespace: default}\nspec: {size: 1}\n"
STATUS = "/apis/example.org/v1/namespaces/default/widgets/a/status"
BY_PHASE = (
    "healthCheckExprs: [{apiVersion: example.org/v1, kind: Widget, current: \"status.phase == 'Up'\", "
    "failed: \"has(status.phase) && status.phase == 'Down'\"}]"
)


async def test_what_fails_ends_the_wait_and_the_message_has_the_containers_last_state(world: World) -> None:
    world.repository.commit({"app/job.yaml": JOB})
    world.declare(kustomization("app", "wait: true"))
    outcome = await world.app()
    assert (outcome.phase, outcome.reason) == (Phase.RETRYING, "HealthCheckFailed")
    assert "failed early due to stalled resources: [Job/default/migrate status: 'Failed' (" in outcome.message
    assert "container main: Error with exit code 1" in outcome.message


@pytest.mark.parametrize(("phase", "wanted"), [("Up", Phase.READY), ("Down", Phase.RETRYING)])
async def test_the_health_of_a_custom_resource_is_what_the_expressions_say(
    world: World, phase: str, wanted: Phase
) -> None:
    pytest.importorskip("cel_expr_python", reason="the extra [cel] is not installed")
    world.repository.commit({"app/crd.yaml": WIDGETS, "app/widget.yaml": WIDGET})
    world.declare(kustomization("app", "wait: true", BY_PHASE))
    async with world.engine(watch=True):
        waiting = await world.until("app", Phase.PROGRESSING)
        assert "Widget/default/a status: 'Unknown' (" in waiting.message
        await world.send("PATCH", STATUS, {"status": {"phase": phase}}, MERGE)
        outcome = await world.until("app", wanted)
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


async def test_a_dependency_is_ready_when_its_expression_says_so_and_wakes_who_waits(world: World) -> None:
    pytest.importorskip("cel_expr_python", reason="the extra [cel] is not installed")
    world.repository.commit({**maps("base", "a"), **maps("app", "b")})
    failing = (
        "dep.status.conditions.exists(c, c.type == 'Ready' && c.status == 'False') && self.metadata.generation == 1"
    )
    world.declare(
        kustomization("base", path="nowhere"),
        kustomization("app", f'dependsOn: [{{name: base, readyExpr: "{failing}"}}]'),
    )
    outcomes = await world.once()
    assert outcomes[app_ref("base")].phase is not Phase.READY
    assert outcomes[app_ref("app")].phase is Phase.READY
    assert await world.exists("b")


async def test_a_dependency_whose_expression_is_false_is_waited_for_although_it_is_ready(world: World) -> None:
    pytest.importorskip("cel_expr_python", reason="the extra [cel] is not installed")
    world.repository.commit({**maps("base", "a"), **maps("app", "b")})
    world.declare(
        kustomization("base"), kustomization("app", "dependsOn: [{name: base, readyExpr: 'dep.spec.force == true'}]")
    )
    outcome = await world.app()
    assert outcome.phase is Phase.WAITING
    assert "dependency Kustomization/flux-system/base is not ready: failed to evaluate the CEL" in outcome.message


async def test_a_newer_revision_ends_an_open_gate_at_once(world: World) -> None:
    world.repository.commit({"app/crd.yaml": WIDGETS, "app/a.yaml": config_map("a")})
    check = "healthChecks: [{apiVersion: example.org/v1, kind: Widget, name: a, namespace: default}]"
    world.declare(kustomization("app", check, "timeout: 1h"))
    async with world.engine(watch=True) as engine:
        await world.until("app", Phase.PROGRESSING)
        oid = world.repository.commit({"app/widget.yaml": WIDGET})
        with anyio.fail_after(20):
            await engine.reconcile(SOURCE, "now")
            outcome = await world.until("app", Phase.READY, at=oid)
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
