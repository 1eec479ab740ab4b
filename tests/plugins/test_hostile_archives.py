"""Archives that attack whoever unpacks them, for each kind that unpacks any: refused in words, and nothing of them gets anywhere."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import pytest
from fakes import charts
from fakes.source_stage import Stage, source_stage

from gitopsd.plugin import Context, Rejected, SourceIntent

pytestmark = pytest.mark.asyncio

Given = tuple[SourceIntent, Context]
Members = Callable[[Path], list[tuple[tarfile.TarInfo, bytes]]]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with source_stage(tmp_path) as made:
        yield made


def member(
    name: str, data: bytes = b"", *, kind: bytes = tarfile.REGTYPE, to: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, len(data), to
    return info, data


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A chart, and these beside its files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as opened:
        for info, data in (*(member(f"web/{name}", data) for name, data in charts.files().items()), *members):
            opened.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0)


HOSTILE: Mapping[str, tuple[Members, str]] = {
    "a path that climbs": (
        lambda at: [member("web/../../../../escaped", b"x")],
        "web/../../../../escaped: a path that leaves the archive",
    ),
    "an absolute path": (lambda at: [member(f"{at}/escaped", b"x")], "/escaped: an absolute path"),
    "a symbolic link that climbs, and a file through it": (
        lambda at: [member("web/l", kind=tarfile.SYMTYPE, to="../.."), member("web/l/escaped", b"x")],
        "web/l: a symbolic link that leads out of the archive, to ../..|l: a symbolic link that leads out",
    ),
    "an absolute symbolic link": (
        lambda at: [member("web/l", kind=tarfile.SYMTYPE, to=f"{at}/secret")],
        "l: a symbolic link that leads out of the archive, to /",
    ),
    "a hard link out": (
        lambda at: [member("web/h", kind=tarfile.LNKTYPE, to=f"{at}/secret")],
        "h: a hard link to /.*: an absolute path",
    ),
    "a device": (
        lambda at: [member("web/d", kind=tarfile.BLKTYPE)],
        "d: is a device; only files and folders may be in it",
    ),
    "a pipe": (lambda at: [member("web/p", kind=tarfile.FIFOTYPE)], "p: is a named pipe; only files and folders"),
    "a path twice": (
        lambda at: [member("web/twin", b"x")] * 2,
        "twin: stands in the archive twice",
    ),
}


async def _oci(stage: Stage, data: bytes) -> Given:
    return stage.oci(packed=data), stage.world.ctx


async def _external(stage: Stage, data: bytes) -> Given:
    return stage.external(packed=data), stage.world.ctx


KINDS: Mapping[str, tuple[Callable[[Stage, bytes], Awaitable[Given]], str]] = {
    "OCIRepository": (_oci, r"the layer of oci://127\.0\.0\.1:\d+/team/app"),
    "ExternalArtifact": (_external, r"http://127\.0\.0\.1:\d+/a\.tar\.gz"),
    "HelmChart over http": (Stage.chart, r"the chart web 1\.0\.0"),
    "HelmChart in a registry": (Stage.chart_in_registry, r"the chart web 1\.0\.0"),
    "HelmChart in an artifact": (Stage.chart_in_artifact, r"web\.tgz"),
}
"""How each kind brings an archive, and the place that its messages name."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", HOSTILE)
async def test_hostile_archive_is_refused_and_gets_nowhere(stage: Stage, tmp_path: Path, kind: str, case: str) -> None:
    members, words = HOSTILE[case]
    (tmp_path / "secret").write_bytes(b"of this machine")
    bring, place = KINDS[kind]
    intent, ctx = await bring(stage, packed(*members(tmp_path)))

    with pytest.raises(Rejected, match=rf"^{intent.ref}: {place}: .*(?:{words})") as caught:
        await stage.bring(intent, ctx)

    assert str(caught.value).isprintable()
    assert b"of this machine" not in stage.world.intake.added
    assert list(tmp_path.rglob("escaped")) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", ["cut off", "a wrong sum", "no archive"])
async def test_damaged_archive_is_told_as_that(stage: Stage, kind: str, damage: str) -> None:
    whole = packed()
    broken = {"cut off": whole[:-20], "a wrong sum": whole[:-8] + bytes(8), "no archive": b"<html></html>" * 100}
    bring, place = KINDS[kind]
    intent, ctx = await bring(stage, broken[damage])

    with pytest.raises(Rejected, match=rf"^{intent.ref}: {place}: (.* it was cut off|is damaged|is no tar archive)"):
        await stage.bring(intent, ctx)
