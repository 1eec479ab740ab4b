"""Killed at any moment, started again: no untracked object, no corrupt store, nothing recreated, and it converges.

`GITOPSD_KILLS` says how often (default 12). The process under test is the real one, in its own process group, with worker
processes; the API server is the sandbox in this process, so that everything it was asked for is known.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import Process
from dulwich import porcelain

from gitopsd.store import Store
from gitopsd_plugins.kubernetes import codec
from gitopsd_plugins.kubernetes.codec import Encoded
from gitopsd_plugins.sandbox.server import Running, serve

KILLS = int(os.environ.get("GITOPSD_KILLS", "12"))
NAMES = [f"object-{number:02}" for number in range(40)]
CONFIG = """
apiVersion: gitopsd.io/v1alpha1
kind: Settings
metadata: {{name: kill}}
spec:
  stateDir: {state}
  safety: {{massDeletion: false}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {{name: app}}
spec: {{interval: 1m, url: "{url}", ref: {{branch: master}}}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: app}}
spec: {{interval: 1m, path: ./, prune: true, timeout: 1m, sourceRef: {{kind: GitRepository, name: app}}}}
"""


class World:
    """A repository, a state folder, and the command that makes the sandbox equal to the repository."""

    def __init__(self, folder: Path, running: Running) -> None:
        self.folder = folder
        self.running = running
        self.repository = folder / "repository"
        self.state = folder / "state"
        self.repository.mkdir()
        porcelain.init(self.repository)
        (folder / "kubeconfig").write_text(running.kubeconfig())
        text = CONFIG.format(state=self.state, url=self.repository.as_uri())
        (folder / "config.yaml").write_text(text)

    def commit(self, wanted: Mapping[str, str]) -> None:
        """Make the repository hold exactly these ConfigMaps, name -> value."""
        for file in self.repository.glob("*.yaml"):
            file.unlink()
        for name, value in wanted.items():
            body = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: default}}\ndata: {{v: '{value}'}}\n"
            (self.repository / f"{name}.yaml").write_text(body)
        porcelain.add(self.repository)
        porcelain.commit(self.repository, message=b"next", author=b"a <a@b>", committer=b"a <a@b>")

    def live(self) -> Mapping[str, tuple[str, str]]:
        """Our ConfigMaps in the cluster: name -> (uid, value)."""
        found = {}
        for body in self._config_maps("default"):
            if "gitopsd.io/name" in (body["metadata"].get("labels") or {}):
                found[body["metadata"]["name"]] = (body["metadata"]["uid"], body["data"]["v"])
        return found

    def tracked(self) -> set[str]:
        """What the record in the cluster names."""
        maps = {body["metadata"]["name"]: body for body in self._config_maps("gitopsd-system")}
        names: set[str] = set()
        for name, head in maps.items():
            if name.startswith("inventory.") and "format" in head.get("data", {}):
                stored = Encoded(name=name, data=head["data"], binary=head.get("binaryData", {}))
                names |= {id.name for id in codec.decode(stored).owned}
        return names

    def _config_maps(self, namespace: str) -> list[dict[str, Any]]:
        found = self.running.cluster.store.within(namespace)
        return [stored.body for stored in found if stored.body["kind"] == "ConfigMap"]

    async def start(self) -> Process:
        """The command, in a process group of its own so that its workers die with it."""
        command = [sys.executable, "-m", "gitopsd", "reconcile", "--once", "-c", str(self.folder / "config.yaml")]
        command += ["--kubeconfig", str(self.folder / "kubeconfig"), "--context", "sandbox"]
        with self.folder.joinpath("log").open("wb") as log:
            return await anyio.open_process(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    async def finish(self) -> None:
        """Run it undisturbed; it must end well."""
        process = await self.start()
        with anyio.fail_after(60):
            code = await process.wait()
        assert code == 0, self.folder.joinpath("log").read_text()


async def _killed(process: Process, running: Running, chance: random.Random) -> None:
    """Let it do some requests, or some time of fetching and rendering, and kill all of it."""
    before, requests = running.journal.total, chance.choice([0, 0, chance.randrange(1, 130)])
    with anyio.move_on_after(chance.uniform(0.2, 2.5)):
        while process.returncode is None and not (requests and running.journal.total - before >= requests):
            with anyio.move_on_after(0.005):
                await process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.asyncio
async def test_a_kill_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    chance = random.Random(20261121)
    async with serve() as running:
        world = World(tmp_path, running)
        world.commit(dict.fromkeys(NAMES[:20], "0"))
        await world.finish()
        for number in range(KILLS):
            before = world.live()
            wanted = {name: str(chance.randrange(3)) for name in chance.sample(NAMES, chance.randrange(8, 32))}
            world.commit(wanted)
            if number % 10 == 9:
                shutil.rmtree(world.state)

            await _killed(await world.start(), running, chance)

            assert world.live().keys() <= world.tracked(), "an object that nobody tracks"
            await world.finish()
            after = world.live()
            assert {name: value for name, (_, value) in after.items()} == wanted
            kept = before.keys() & after.keys()
            assert {n: before[n][0] for n in kept} == {n: after[n][0] for n in kept}, "an object was recreated"
            with Store.open(world.state) as store:
                assert store.verify().sound
