"""What `--persist` keeps, over clean ends, kills, full disks and damaged files."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import scenarios

from gitopsd_plugins.sandbox.cluster import Settings
from gitopsd_plugins.sandbox.keeping import persistence
from gitopsd_plugins.sandbox.server import Running, serve

pytestmark = pytest.mark.asyncio

Json = dict[str, Any]
MAPS = "/api/v1/namespaces/default/configmaps"
APPLY = {"Content-Type": "application/apply-patch+yaml"}


@asynccontextmanager
async def kept(folder: Path) -> AsyncIterator[Running]:
    """A server that keeps its state in a folder, and settles at once."""
    async with serve(persist=folder, settings=Settings(settling=0)) as running:
        yield running


async def ask(running: Running, method: str, path: str, body: Json | None = None, **headers: str) -> Json:
    async with running.client() as session, session.request(method, path, json=body, headers=headers) as response:
        assert response.status < 300, await response.text()
        found: Json = await response.json()
        return found


async def apply(running: Running, body: Json) -> Json:
    path = f"{MAPS}/{body['metadata']['name']}?fieldManager=m&force=true"
    return await ask(running, "PATCH", path, body, **APPLY)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - files tell nothing by themselves
            await asyncio.sleep(0.02)


def noted(folder: Path, name: str) -> bool:
    """Whether a change of this object is in the file of changes."""
    return any(json.loads(line)[4] == name for line in (folder / persistence.CHANGES).read_text().splitlines())


def copied(folder: Path, to: Path) -> Path:
    """What the folder holds now: what a killed process leaves behind."""
    to.mkdir()
    for name in (persistence.FILE, persistence.CHANGES):
        (to / name).write_bytes((folder / name).read_bytes())
    return to


async def test_objects_owners_versions_and_kinds_survive_a_restart(tmp_path: Path) -> None:
    async with kept(tmp_path) as first:
        before = await apply(first, scenarios.cm("a", data={"x": "1"}))
        await ask(first, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", scenarios.widgets())
        await until(lambda: first.cluster.resources.find("demo.io", "v1", "widgets") is not None)
        version = first.cluster.store.version
    assert {(tmp_path / name).stat().st_mode & 0o077 for name in (persistence.FILE, persistence.CHANGES)} == {0}
    async with kept(tmp_path) as second:
        assert second.cluster.store.version >= version
        assert await apply(second, scenarios.cm("a", data={"x": "1"})) == before
        assert second.cluster.resources.find("demo.io", "v1", "widgets") is not None


async def test_what_a_killed_sandbox_wrote_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    async with kept(folder) as first:
        await apply(first, scenarios.cm("gone", data={"x": "1"}))
        before = await apply(first, scenarios.cm("a", data={"x": "1"}))
        await ask(first, "DELETE", f"{MAPS}/gone")
        await until(lambda: noted(folder, "a") and noted(folder, "gone"))
        left = copied(folder, tmp_path / "left")
    with (left / persistence.CHANGES).open("a") as file:
        file.write('[99999,"","configmaps","default","torn",{"metad')
    async with kept(left) as second:
        names = {key[1] for key in second.cluster.store.objects["", "configmaps"]}
        assert ("a" in names, {"gone", "torn"} & names) == (True, set())
        assert await apply(second, scenarios.cm("a", data={"x": "1"})) == before


async def test_changes_that_the_whole_holds_already_count_for_nothing(tmp_path: Path) -> None:
    async with kept(tmp_path) as first:
        await apply(first, scenarios.cm("a", data={"x": "1"}))
        await until(lambda: noted(tmp_path, "a"))
        older = (tmp_path / persistence.CHANGES).read_bytes()
        await apply(first, scenarios.cm("a", data={"x": "2"}))
    (tmp_path / persistence.CHANGES).write_bytes(older)  # as if killed between the two files
    async with kept(tmp_path) as second:
        assert (await ask(second, "GET", f"{MAPS}/a"))["data"] == {"x": "2"}


async def test_a_reset_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    async with kept(folder) as first:
        await apply(first, scenarios.cm("a", data={"x": "1"}))
        first.reset()
        left = copied(folder, tmp_path / "left")
    async with kept(left) as second:
        assert not second.cluster.store.objects.get(("", "configmaps"), {}).keys() & {("default", "a")}


async def test_a_full_disk_is_said_once_and_made_good(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / persistence.CHANGES).symlink_to("/dev/full")
    async with kept(tmp_path) as first:
        with caplog.at_level(logging.WARNING):
            await apply(first, scenarios.cm("a", data={"x": "1"}))
            await until(lambda: b'"name":"a"' in (tmp_path / persistence.FILE).read_bytes())
        [told] = [each.message for each in caplog.records]
        assert told == f"{tmp_path}: changes are not kept until there is room: [Errno 28] No space left on device"
        (tmp_path / persistence.CHANGES).unlink()


async def test_a_folder_that_takes_nothing_is_named_at_the_start(tmp_path: Path) -> None:
    (tmp_path / f"{persistence.FILE}.new").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        await kept(tmp_path).__aenter__()


async def test_a_state_belongs_to_one_server(tmp_path: Path) -> None:
    async with kept(tmp_path):
        with pytest.raises(BlockingIOError, match="another sandbox"):
            await kept(tmp_path).__aenter__()


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        (persistence.FILE, "{", "cluster.json is damaged"),
        (persistence.FILE, '{"format": 1}', "is of format 1; remove it to start with an empty cluster"),
        (persistence.FILE, '{"format": 2}', "cluster.json is damaged .'objects'."),
        (persistence.CHANGES, "{}\n", "changes.jsonl is damaged in line 1"),
        (persistence.CHANGES, '[99999,"","configmaps","default","a",{},false]\n', "changes.jsonl is damaged in line 1"),
    ],
)
async def test_damaged_files_are_named(tmp_path: Path, name: str, text: str, why: str) -> None:
    async with kept(tmp_path):
        pass
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=why):
        await kept(tmp_path).__aenter__()


async def test_node_ports_are_not_handed_out_twice(tmp_path: Path) -> None:
    def service(name: str) -> Json:
        spec = {"type": "NodePort", "selector": {"a": "b"}, "ports": [{"port": 80}]}
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}

    path = "/api/v1/namespaces/default/services"
    async with kept(tmp_path) as first:
        one = await ask(first, "POST", path, service("one"))
    async with kept(tmp_path) as second:
        two = await ask(second, "POST", path, service("two"))
    assert one["spec"]["ports"][0]["nodePort"] != two["spec"]["ports"][0]["nodePort"]
    assert one["spec"]["clusterIP"] != two["spec"]["clusterIP"]
