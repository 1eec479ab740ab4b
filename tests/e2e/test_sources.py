"""What sources are made of, from the repository to the cluster: includes that wake, signatures that hold back."""

from __future__ import annotations

import anyio
import pytest
from fakes.git_repository import GitRepository
from fakes.git_server import http_server
from fakes.signing import SshSigner
from fakes.world import SOURCE, World, app_ref, config_map, kustomization, maps, repository

from gitopsd.config.problems import ConfigError
from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Phase
from gitopsd.plugin import hosts

pytestmark = pytest.mark.asyncio

LIB = ObjectRef(kind="GitRepository", namespace="flux-system", name="lib")


async def test_change_of_an_included_repository_reaches_the_cluster_at_once(world: World) -> None:
    lib = GitRepository(world.folder / "lib.git")
    lib.commit({"part/x.yaml": config_map("x", key="old")})
    world.repository.commit(maps("app", "y"))
    world.declare(
        repository(lib.url, "ref: {branch: main}", name="lib"),
        kustomization("app"),
        source=repository(
            world.repository.url,
            "ref: {branch: main}",
            "include: [{repository: {name: lib}, fromPath: part, toPath: app/lib}]",
        ),
    )
    async with world.engine() as engine:
        await world.until("app")
        assert await world.exists("x", "y")
        lib.commit({"part/x.yaml": config_map("x", key="new")})
        seen = len(world.heard.outcomes)
        await engine.reconcile(engine.find("lib")[0], "now")
        await world.until("app", since=seen)
        found = await world.get("/api/v1/namespaces/default/configmaps/x")
        status = engine.world.statuses[SOURCE]
    assert found is not None
    assert found["data"] == {"key": "new"}
    assert status["observedInclude"] == [{"repository": {"name": "lib"}, "fromPath": "part", "toPath": "app/lib"}]
    assert [part["path"].split("/")[2] for part in status["includedArtifacts"]] == ["lib"]


async def test_missing_include_is_waited_for_and_said(world: World) -> None:
    world.repository.commit(maps("app", "y"))
    world.declare(
        repository("file:///nowhere", name="lib"),
        source=repository(world.repository.url, "ref: {branch: main}", "include: [{repository: {name: lib}}]"),
    )
    async with world.engine() as engine:
        await engine.once()
        assert engine.board.outcomes[SOURCE].phase is Phase.WAITING
        conditions = {c["type"]: c["reason"] for c in engine.world.statuses[SOURCE]["conditions"]}
    assert conditions["IncludeUnavailable"] == "NoArtifact"
    assert conditions["Ready"] == "NoArtifact"


async def test_repositories_that_include_each_other_are_named_as_a_circle(world: World) -> None:
    world.declare(
        repository(world.repository.url, "include: [{repository: {name: repo}}]", name="lib"),
        source=repository(world.repository.url, "include: [{repository: {name: lib}}]"),
    )

    with pytest.raises(ConfigError, match=f"depends on itself: {LIB} -> {SOURCE} -> {LIB}"):
        world.load()


async def test_nothing_of_an_unsigned_commit_reaches_the_cluster(world: World) -> None:
    signer = SshSigner(world.folder / "ssh")
    good = world.repository.commit(maps("app", "signed"), sign=signer.sign)
    secret = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData: {{ada.sshpub: '{signer.public.strip()}'}}\n"
    verify = "verify: {mode: HEAD, secretRef: {name: keys}}"
    world.declare(secret, kustomization("app"), source=repository(world.repository.url, "ref: {branch: main}", verify))
    async with world.engine() as engine:
        await world.until("app", at=good)
        world.repository.commit(maps("app", "unsigned"))
        outcome = await engine.reconcile(engine.find("repo")[0], "now")
        await engine.once()
        conditions = {c["type"]: (c["status"], c["reason"]) for c in engine.world.statuses[SOURCE]["conditions"]}
        applied = str(engine.board.outcomes[app_ref("app")].applied)
        assert await world.exists("signed")
        assert not await world.exists("unsigned")
        fixed = world.repository.commit({}, sign=signer.sign)
        await engine.reconcile(engine.find("repo")[0], "again")
        await world.until("app", at=fixed)
    assert outcome.phase is Phase.STALLED
    assert conditions["SourceVerified"] == ("False", "InvalidCommitSignature")
    assert "stays in service" in outcome.message
    assert applied.endswith(good)


@pytest.mark.parametrize("status", [429, 503])
async def test_host_that_fails_is_asked_a_few_times_and_what_was_stored_stays_in_service(
    world: World, status: int
) -> None:
    commit = world.repository.commit(maps("app", "x"))
    with http_server(world.folder / "repo.git") as server:
        for number in range(40):
            world.repository.branch(f"b{number}", commit)
        each = (repository(server.url, f"ref: {{branch: b{number}}}", name=f"r{number}") for number in range(40))
        world.declare(*each, source="")
        async with world.engine() as engine:
            first = await engine.once()
            server.behaviour.status, server.behaviour.headers = status, {"Retry-After": "600"}
            server.behaviour.requests.clear()
            async with anyio.create_task_group() as tasks:
                for ref in first:
                    tasks.start_soon(engine.reconcile, ref, "now")
            failed = dict(engine.board.outcomes)
            due = sorted(engine.view(ref).due or 0 for ref in first)

    assert {outcome.phase for outcome in first.values()} == {Phase.READY}
    assert len(server.behaviour.requests) <= hosts.AT_ONCE
    assert {outcome.phase for outcome in failed.values()} == {Phase.RETRYING}
    assert all(
        f"{commit}, stored " in o.message and "stays in service, stale since" in o.message for o in failed.values()
    )
    assert due[0] > 590
    assert due[-1] - due[0] > 25 * hosts.SPACING  # one after the other when it is back
