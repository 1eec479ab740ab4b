"""`gitopsd check` asks for exactly the rights that the plan needs, as whoever acts for the app; and it writes nothing."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result
from fakes.world import World, kustomization, maps

from gitopsd.cli.main import gitopsd

pytestmark = pytest.mark.asyncio

RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"


def tenant(world: World) -> str:
    """Of this test alone: a real control plane is shared."""
    return f"deployer-{world.instance}"


async def granted(world: World, *verbs: str) -> None:
    name: dict[str, Any] = {"name": tenant(world), "namespace": "default"}
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs}
    await world.send("POST", f"{RBAC}/roles", {"metadata": name, "rules": [rule]})
    subjects = [{"kind": "ServiceAccount", "name": tenant(world), "namespace": "flux-system"}]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": tenant(world)}
    await world.send("POST", f"{RBAC}/rolebindings", {"metadata": name, "roleRef": role, "subjects": subjects})


async def checked(world: World) -> Result:
    world.repository.commit(maps("app", "a"))
    world.declare(kustomization("app", f"serviceAccountName: {tenant(world)}", "wait: true"))
    words = ["check", "-c", str(world.config)]
    return await anyio.to_thread.run_sync(lambda: CliRunner().invoke(gitopsd, words, prog_name="gitopsd"))


async def test_a_right_that_the_plan_needs_and_is_missing_is_named(either: World) -> None:
    await granted(either, "get", "list", "watch", "patch")
    ended = await checked(either)
    assert ended.exit_code == 1, ended.output
    user = f"system:serviceaccount:flux-system:{tenant(either)}"
    assert f"✗ Kustomization/flux-system/app: {user} may not create configmaps in namespace default" in ended.output


async def test_a_plan_that_has_all_rights_passes(either: World) -> None:
    await granted(either, "get", "list", "watch", "create", "patch")
    ended = await checked(either)
    assert ended.exit_code == 0, ended.output


async def test_rights_that_the_plan_does_not_need_are_not_asked_for(world: World) -> None:
    await granted(world, "get", "list", "watch", "create", "patch")
    ended = await checked(world)
    assert ended.exit_code == 0, ended.output
    reviews = [r for r in world.asked("POST") if r.path.endswith("/selfsubjectaccessreviews")]
    assert reviews
    writes = [r for r in world.asked() if r.method not in {"GET", "HEAD"} and "dryRun" not in r.query]
    assert writes == []
