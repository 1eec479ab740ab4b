"""What goes wrong from outside: one message that names object, cause and remedy, the right class, nothing lost, and the next
attempt converges.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio
import pytest
from fakes.git_server import ssh_server
from fakes.world import RECORDS, SOURCE, World, app_ref, config_map, gone, kustomization, maps, repository

from gitopsd.model.outcome import Phase
from gitopsd.runtime.asked.decisions import Decisions
from gitopsd.runtime.engine import Engine
from gitopsd.runtime.live.watches import Watches
from gitopsd_plugins.sandbox.access.access import Deny
from gitopsd_plugins.sandbox.faults import Fault

pytestmark = pytest.mark.asyncio

SERVICE = (
    "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: default}\n"
    "spec: {ports: [{port: 99999}], selector: {app: web}}\n"
)
ELSEWHERE = "example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


@contextmanager
def repositorys_own(world: World) -> Iterator[tuple[str, str]]:
    """The repository where it is, and no Secret."""
    yield world.repository.url, ""


@contextmanager
def by_ssh(world: World, *, known: str = "") -> Iterator[tuple[str, str]]:
    """The repository behind ssh, and a Secret that knows another host."""
    with ssh_server(world.repository.path) as server:
        data = {"identity": server.identity, "known_hosts": known or server.known_hosts}
        values = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in data.items())
        yield (
            server.url,
            (f"apiVersion: v1\nkind: Secret\nmetadata: {{name: key, namespace: flux-system}}\nstringData:\n{values}"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source that is wrong, and what is said about it."""

    served: Callable[[World], AbstractContextManager[tuple[str, str]]] = repositorys_own
    spec: tuple[str, ...] = ("ref: {branch: main}",)
    url: str = ""
    phase: Phase
    words: tuple[str, ...]


SOURCES = {
    "unreachable host": Source(
        url="http://127.0.0.1:9/x.git", phase=Phase.RETRYING, words=("127.0.0.1:9", "cannot be reached")
    ),
    "missing branch": Source(
        spec=("ref: {branch: mian}",), phase=Phase.RETRYING, words=('branch "mian" not found', "check spec.ref.branch")
    ),
    "missing repository": Source(url="file:///nowhere/at/all", phase=Phase.STALLED, words=("/nowhere/at/all",)),
    "unknown ssh host key": Source(
        served=partial(by_ssh, known=ELSEWHERE),
        spec=("ref: {branch: main}", "secretRef: {name: key}"),
        phase=Phase.RETRYING,
        words=("known_hosts does not hold for [127.0.0.1]", "add it to known_hosts in spec.secretRef"),
    ),
    "missing secret": Source(
        url="http://127.0.0.1:9/x.git",
        spec=("secretRef: {name: token}",),
        phase=Phase.WAITING,
        words=("token", "secrets.d"),
    ),
}


@pytest.mark.parametrize("case", SOURCES)
async def test_a_source_that_cannot_be_had_says_why_and_keeps_what_was_applied(world: World, case: str) -> None:
    wrong = SOURCES[case]
    world.repository.commit(maps("app", "a", "b"))
    world.declare(kustomization("app"))
    await world.once()
    with wrong.served(world) as (url, secret):
        source = repository(wrong.url or url, *wrong.spec)
        world.declare(kustomization("app"), secret, source=source)
        outcome = (await world.once())[SOURCE]
    assert outcome.phase is wrong.phase, outcome.message
    assert outcome.message.startswith("GitRepository/")
    assert [word for word in wrong.words if word not in outcome.message] == [], outcome.message
    assert await world.exists("a", "b")
    assert world.deleted == []
    world.declare(kustomization("app"))
    world.repository.commit(maps("app", "c"))
    assert {o.phase for o in (await world.once()).values()} == {Phase.READY}
    assert await world.exists("a", "b", "c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What the cluster is made to do on the way to a second commit, and what is said about it."""

    before: Callable[[World], object] = lambda _: None
    files: dict[str, str] = field(default_factory=dict)
    after: Callable[[World], object] = lambda world: world.running.faults.clear()
    repaired: dict[str, str | None] = field(default_factory=dict)
    phase: Phase = Phase.RETRYING
    words: tuple[str, ...]
    written: bool = False
    """The other objects of the commit are there all the same."""


def fault(**how: object) -> Callable[[World], object]:
    return lambda world: world.running.faults.add(Fault(times=-1, **how))  # type: ignore[arg-type]


def deny(world: World) -> None:
    world.running.cluster.access.denied.append(Deny(verb="patch", resource="configmaps"))


def allow(world: World) -> None:
    world.running.cluster.access.denied.clear()


CLUSTERS = {
    "invalid object": Cluster(
        files={"app/web.yaml": SERVICE},
        repaired={"app/web.yaml": None},
        words=("Service/default/web dry-run failed (Invalid)", "spec.ports[0].port"),
    ),
    "forbidden": Cluster(
        before=deny, after=allow, words=("ConfigMap/default/", "(Forbidden)", 'cannot patch resource "configmaps"')
    ),
    "server down in the middle": Cluster(
        before=fault(effect="drop", method="PATCH", path=f"{CONFIG_MAPS}/new"), words=("cannot be reached",)
    ),
    "busy, and says for how long": Cluster(
        before=fault(status=429, retry_after=77, method="PATCH", path=f"{CONFIG_MAPS}/new"),
        words=("ConfigMap/default/new", "TooManyRequests"),
    ),
    "server error": Cluster(
        before=fault(status=500, method="PATCH", path=f"{CONFIG_MAPS}/new"), words=("ConfigMap/default/new",)
    ),
    "inventory cannot be written": Cluster(
        before=fault(status=500, method="PUT", path=f"{RECORDS}configmaps"),
        words=("the inventory of Kustomization/flux-system/app", "could not be written"),
    ),
    "unknown kind": Cluster(
        files={"app/t.yaml": "apiVersion: x.example.com/v1\nkind: Thing\nmetadata: {name: t, namespace: default}\n"},
        repaired={"app/t.yaml": None},
        phase=Phase.WAITING,
        words=("Thing/default/t", 'no matches for kind "Thing"', "CustomResourceDefinition"),
        written=True,
    ),
    "missing namespace": Cluster(
        files={"app/t.yaml": config_map("t", namespace="nowhere")},
        repaired={"app/t.yaml": None},
        words=("ConfigMap/nowhere/t", 'namespaces "nowhere" not found'),
    ),
}


@pytest.mark.parametrize("case", CLUSTERS)
async def test_a_cluster_that_refuses_is_quoted_nothing_is_pruned_and_the_next_attempt_converges(
    world: World, case: str
) -> None:
    wrong = CLUSTERS[case]
    world.repository.commit(maps("app", "a", "b", "old"))
    world.declare(kustomization("app"))
    await world.once()
    world.repository.commit({**gone("app", "old"), **maps("app", "new"), **wrong.files})
    wrong.before(world)
    outcome = await world.app()
    assert outcome.phase is wrong.phase, outcome.message
    assert "Kustomization/flux-system/app" in outcome.message
    assert [word for word in wrong.words if word not in outcome.message] == [], outcome.message
    if "77" in case or "how long" in case:
        assert outcome.retry_after == 77
    assert world.deleted == []
    assert await world.exists("a", "b", "old")
    assert await world.exists("new") is wrong.written
    wrong.after(world)
    if wrong.repaired:
        world.repository.commit(wrong.repaired)
    assert (await world.app()).phase is Phase.READY
    assert await world.exists("a", "b", "new")
    assert not await world.exists("old")


async def test_a_record_that_somebody_else_wrote_meanwhile_is_merged(world: World) -> None:
    world.repository.commit(maps("app", "a"))
    world.declare(kustomization("app"))
    await world.once()
    world.repository.commit(maps("app", "b"))
    world.running.faults.add(Fault(status=409, method="PUT", path=f"{RECORDS}configmaps"))
    assert (await world.app()).phase is Phase.READY
    assert await world.exists("a", "b")


async def test_a_suspension_during_an_attempt_is_not_lost(either: World) -> None:
    either.repository.commit(maps("app", "a"))
    either.declare(kustomization("app"))
    async with either.engine(watch=True) as engine:
        await either.until("app")
        await either.send("PATCH", f"{CONFIG_MAPS}/a", {"data": {"key": "edited"}}, "application/merge-patch+json")
        await Decisions(engine).suspend(app_ref("app"), actor="ada")
        await engine.once()
        seen = len(either.heard.outcomes)
        await engine.reconcile(app_ref("app"), "look")
        assert (await either.until("app", Phase.SUSPENDED, since=seen)).message == "suspended by ada"


async def test_watches_that_are_cut_come_back_and_nothing_is_asked_twice(world: World) -> None:
    world.repository.commit(maps("app", "a"))
    world.declare(kustomization("app"))
    async with world.engine(watch=True) as engine:
        await world.until("app")
        await held(engine)
        world.running.faults.add(Fault(effect="drop", method="GET", path="/api/v1/configmaps", times=2))
        world.running.cut_watches()
        seen = len(world.heard.outcomes)
        await world.send("DELETE", f"{CONFIG_MAPS}/a")
        await world.until("app", since=seen)
    assert await world.exists("a")


async def held(engine: Engine) -> None:
    await engine.once()
    mirror = engine.world.mirror
    assert isinstance(mirror, Watches)
    await mirror.caught_up("test", 10)


async def test_a_wrong_token_is_named_with_the_cluster_and_a_corrected_one_is_used(world: World) -> None:
    world.repository.commit(maps("app", "a"))
    token, world.running.token = world.running.token, "wrong"
    world.declare(kustomization("app"))
    world.running.token = token
    async with world.engine() as engine:
        outcome = (await engine.once())[app_ref("app")]
        assert outcome.phase is Phase.RETRYING
        assert "cluster test" in outcome.message
        assert "does not accept the credentials" in outcome.message
        world.declare(kustomization("app"), cluster="right")
        engine.declare(world.load().declared)
        with anyio.fail_after(10):
            assert (await engine.reconcile(app_ref("app"), "again")).phase is Phase.READY
    assert await world.exists("a")


async def test_a_cluster_that_is_declared_in_another_way_is_reached_in_that_way(world: World) -> None:
    world.repository.commit(maps("app", "a"))
    world.declare(kustomization("app"))
    async with world.engine() as engine:
        await engine.once()
        (world.folder / "kubeconfig").rename(world.folder / "moved")
        text = world.config.read_text().replace("/kubeconfig,", "/moved,")
        world.config.write_text(text)
        before = engine.clusters.connected
        engine.declare(world.load().declared)
        assert (await engine.reconcile(app_ref("app"), "again")).phase is Phase.READY
        assert engine.clusters.connected != before


async def test_a_cluster_that_is_away_at_the_start_is_tried_again(world: World) -> None:
    world.repository.commit(maps("app", "a"))
    world.declare(kustomization("app"))
    world.running.faults.add(Fault(status=503, retry_after=60, times=-1))
    outcome = await world.app()
    assert outcome.phase is Phase.RETRYING
    assert "cluster test" in outcome.message
    world.running.faults.clear()
    assert (await world.app()).phase is Phase.READY


@contextmanager
def tiny_disk(folder: Path) -> Iterator[Callable[[], None]]:
    """A file system of 1 MiB at `folder`; nothing more is to be done for it to be full soon."""
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False, capture_output=True)
    if mount.returncode:
        pytest.skip("only root may mount a small file system")
    try:
        yield lambda: None
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def small_files(_: Path) -> Iterator[Callable[[], None]]:
    """From the call on no file of this process and its workers may grow beyond 1 MiB; a quota refuses in the same way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize(
    ("full", "words"), [(tiny_disk, "the disk is full; free some space"), (small_files, "check the disk")]
)
async def test_a_full_disk_is_named_with_its_place_and_nothing_is_pruned(
    world: World, full: Callable[[Path], AbstractContextManager[Callable[[], None]]], words: str
) -> None:
    world.repository.commit(maps("app", "a", "b"))
    world.declare(kustomization("app"))
    with full(world.folder / "state") as fill:
        assert {outcome.phase for outcome in (await world.once()).values()} == {Phase.READY}
        world.repository.commit({**gone("app", "b"), "big": os.urandom(2_000_000)})
        fill()
        outcomes = await world.once()
        assert outcomes[SOURCE].phase is Phase.RETRYING
        assert outcomes[SOURCE].message.startswith(f"{SOURCE}: ")
        assert str(world.folder / "state") in outcomes[SOURCE].message
        assert words in outcomes[SOURCE].message
        assert await world.exists("a", "b")
        assert world.deleted == []
        world.repository.commit({"big": None})
        assert {outcome.phase for outcome in (await world.once()).values()} == {Phase.READY}
    assert not await world.exists("b")
