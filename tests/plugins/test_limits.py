"""What a source may bring at most: each kind gives up in a message with the object, the place, the cause and the remedy.

The limits are lowered in the orders that go to the worker processes, so that nothing large has to be made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fakes import charts
from fakes.source_stage import MIB, Stage, source_stage
from fakes.source_world import ThreadWork

from gitopsd.plugin import Rejected, SourceIntent, Transient
from gitopsd.plugin import folder as folders
from gitopsd.plugin.sources import download, local
from gitopsd_plugins.helm import index, package, pulled, repository_source

pytestmark = pytest.mark.asyncio


class LowLimits(ThreadWork):
    """Runs jobs with other limits than those of their orders."""

    def __init__(self, work: ThreadWork, limits: Mapping[str, int]) -> None:
        super().__init__(work.intake)
        self._limits = limits

    async def run(self, job: str, payload: bytes, *, timeout: float, memory: int = 0) -> bytes:
        try:
            order = msgspec.msgpack.decode(payload, type=dict[str, Any])
        except (msgspec.ValidationError, msgspec.DecodeError):  # an order without limits
            return await super().run(job, payload, timeout=timeout)
        held = order.get("how", order)
        held["limits"] = {**held.get("limits", {}), **self._limits}
        return await super().run(job, msgspec.msgpack.encode(order), timeout=timeout)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with source_stage(tmp_path) as made:
        yield made


Scene = Callable[..., SourceIntent]
LEAVE_OUT = r"leave some out with spec\.ignore, or name the folders that are needed in spec\.sparseCheckout"
REFUSED: Mapping[str, tuple[Scene, Mapping[str, int], str]] = {
    "Git, entries": (
        Stage.git,
        {"entries": 3},
        r"http://127\.0\.0\.1:\d+/team/app\.git: more than 3 files and folders; name the folders that are needed in spec\.sparseCheckout, or .*",
    ),
    "Git, one file": (Stage.git, {"file": MIB}, r"big\.bin: more than 1 MiB; leave it out with spec\.ignore"),
    "Git, all files": (Stage.git, {"total": MIB}, rf"http://.*/app\.git: more than 1 MiB of files; {LEAVE_OUT}"),
    "Git, download": (
        Stage.git,
        {"download": MIB},
        r"http://.*/app\.git sent more than 1 MiB for one commit; keep large files in a bucket or a registry",
    ),
    "Git in a folder, entries": (
        Stage.local,
        {"entries": 3},
        r"file:///.*/app\.git: more than 3 files and folders; name the folders that are needed in spec\.sparseCheckout, or .*",
    ),
    "Git in a folder, all files": (Stage.local, {"total": MIB}, rf"file:///.*: more than 1 MiB of files; {LEAVE_OUT}"),
    "OCI, entries": (
        Stage.oci,
        {"entries": 2},
        r"the layer of oci://127\.0\.0\.1:\d+/team/app: holds more than 2 entries; pack fewer, or split it",
    ),
    "OCI, one file": (
        Stage.oci,
        {"file": MIB},
        r"the layer of oci://.*/team/app: big\.bin: more than 1 MiB; leave it out of the archive",
    ),
    "OCI, all files": (
        Stage.oci,
        {"total": MIB},
        r"the layer of oci://.*: holds more than 1 MiB; pack less, or split it",
    ),
    "external, entries": (
        Stage.external,
        {"entries": 2},
        r"http://127\.0\.0\.1:\d+/a\.tar\.gz: holds more than 2 entries; pack fewer, or split it",
    ),
    "external, one file": (
        Stage.external,
        {"file": MIB},
        r"http://.*/a\.tar\.gz: big\.bin: more than 1 MiB; leave it out of the archive",
    ),
    "external, all files": (
        Stage.external,
        {"total": MIB},
        r"http://.*/a\.tar\.gz: holds more than 1 MiB; pack less, or split it",
    ),
    "bucket, entries": (
        Stage.bucket,
        {"objects": 2},
        r'bucket "apps" at http://127\.0\.0\.1:\d+: more than 2 objects; narrow spec\.prefix',
    ),
    "bucket, one object": (Stage.bucket, {"file": MIB}, r"big\.bin: more than 1 MiB; leave it out with spec\.ignore"),
    "bucket, all objects": (
        Stage.bucket,
        {"total": MIB},
        r'bucket "apps" at http://.*: more than 1 MiB of objects; narrow spec\.prefix or spec\.ignore',
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_source_that_brings_too_much_is_refused_with_the_remedy(stage: Stage, case: str) -> None:
    scene, limits, words = REFUSED[case]
    intent, world = scene(stage), stage.world
    low = replace(world.ctx, work=LowLimits(world.work, limits))

    with pytest.raises(Rejected, match=f"^{intent.ref}: {words}$"):
        await stage.bring(intent, low)

    assert world.intake.added == [] or "entries" not in case


NAMES: Mapping[str, tuple[str, str]] = {
    "deep": (
        "d/" * 120 + "x",
        r"d/d/.*: (deeper than 100 (folders|directories); nest|a name that .* too deep; leave it)",
    ),
    "long": ("/".join(["x" * 200] * 25), r"xxx.*: a name that is too long( or too deep; leave it out|; shorten it)"),
}


@pytest.mark.parametrize("kind", [Stage.git, Stage.oci, Stage.external, Stage.bucket])
@pytest.mark.parametrize("case", NAMES)
async def test_name_that_is_too_deep_or_too_long_is_refused(stage: Stage, kind: Scene, case: str) -> None:
    name, words = NAMES[case]
    intent = kind(stage, {name: b"x"})

    with pytest.raises(Rejected, match=f"^{intent.ref}: .*{words}") as caught:
        await stage.bring(intent, stage.world.ctx)

    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("kind", [Stage.oci, Stage.external])
async def test_archive_that_grows_beyond_all_reason_is_refused(stage: Stage, kind: Scene) -> None:
    intent = kind(stage, {"zeros": bytes(40 * MIB)})

    with pytest.raises(Rejected, match=rf"^{intent.ref}: .*: grows to more than 200 times .*; compress it less$"):
        await stage.bring(intent, stage.world.ctx)


async def test_artifact_that_is_larger_than_any_is_refused_while_it_comes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", MIB)
    intent = stage.external()

    with pytest.raises(Rejected, match=r"/a\.tar\.gz has more than 1 MiB; pack less, or split it$"):
        await stage.bring(intent, stage.world.ctx)


async def test_index_that_is_too_large_is_refused_while_it_comes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository_source, "MAX_INDEX", MIB)
    intent = stage.index(b"#" * 2 * MIB)

    with pytest.raises(
        Rejected, match=rf"^{intent.ref}: http://.*/index\.yaml: more than 1 MiB; .* split the repo"
    ) as caught:
        await stage.bring(intent, stage.world.ctx)

    assert caught.value.reason == "IndexationFailed"


async def test_index_of_too_many_charts_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "MAX_CHARTS", 1)
    intent = stage.index(charts.index({"a": [charts.entry("1.0.0")], "b": [charts.entry("1.0.0")]}))

    with pytest.raises(
        Rejected, match=rf"^{intent.ref}: http://.*/index\.yaml: .*more than 1 charts; split the repository$"
    ):
        await stage.bring(intent, stage.world.ctx)


CHARTS: Mapping[str, tuple[Mapping[str, int], str]] = {
    "entries": ({"entries": 2}, r"holds more than 2 entries; pack fewer, or split it"),
    "one file": ({"file": MIB}, r"big\.bin: more than 1 MiB; leave it out of the archive"),
    "all files": ({"total": MIB}, r"holds more than 1 MiB; pack less, or split it"),
}


@pytest.mark.parametrize("case", CHARTS)
async def test_chart_that_holds_too_much_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    limits, words = CHARTS[case]
    monkeypatch.setattr(package, "LIMITS", replace(package.LIMITS, **limits))
    intent, ctx = await stage.chart()

    with pytest.raises(Rejected, match=rf"^{intent.ref}: the chart web 1\.0\.0: {words}$"):
        await stage.bring(intent, ctx)


async def test_packed_chart_that_is_too_large_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulled, "MAX_CHART", MIB)
    intent, ctx = await stage.chart()

    with pytest.raises(Rejected, match=rf"^{intent.ref}: http://.*/web\.tgz: more than 1 MiB; .* with \.helmignore$"):
        await stage.bring(intent, ctx)


@pytest.mark.parametrize("kind", [Stage.git, Stage.bucket, Stage.external])
async def test_local_folder_of_too_many_entries_is_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, kind: Scene
) -> None:
    monkeypatch.setattr(local, "MAX_ENTRIES", 3)
    work = stage.written()
    intent, world = kind(stage), stage.world
    low = replace(world.ctx, work=LowLimits(world.work, {"entries": 2}))

    with pytest.raises(Rejected, match=rf"^{intent.ref}: {work}: more than [23] files.*; .*name a smaller folder$"):
        await stage.source(intent).folder(intent, work, low)


async def test_local_folder_as_an_artifact_is_limited_as_any_archive(stage: Stage) -> None:
    work = stage.written()
    intent, world = stage.oci(), stage.world
    low = replace(world.ctx, work=LowLimits(world.work, {"entries": 2}))

    with pytest.raises(Rejected, match=rf"^{intent.ref}: .*: holds more than 2 entries; pack fewer, or split it$"):
        await stage.source(intent).folder(intent, work, low)


async def test_directory_of_too_many_entries_is_not_listed_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MAX_ENTRIES", 2)
    for name in "abc":
        (tmp_path / name).touch()

    with pytest.raises(Transient, match=r"^\.: more than 2 entries; name a smaller folder$"):
        folders.LocalFolder(tmp_path).node(folders.LocalFolder(tmp_path).root)
