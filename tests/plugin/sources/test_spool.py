"""A body on its way to the disk: counted, digested, given up in time; a disk that takes nothing is named."""

from __future__ import annotations

import hashlib
from pathlib import Path

import aiohttp
import pytest
from fakes.web_server import Site, web_server

from gitopsd.plugin import Rejected, Transient
from gitopsd.plugin.sources import spool
from gitopsd.plugin.sources.spool import Saved

pytestmark = pytest.mark.asyncio
DATA = bytes(range(256)) * 4096
TOO_LARGE = Rejected("too large")


async def saved(path: Path, *, limit: int = len(DATA), algorithm: str = "sha256") -> Saved:
    with web_server(Site(files={"/a": DATA})) as site:
        async with aiohttp.ClientSession() as session, session.get(f"{site.url}/a") as response:
            return await spool.save(response, path, limit=limit, too_large=TOO_LARGE, algorithm=algorithm)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_bytes_are_written_counted_and_digested(tmp_path: Path, algorithm: str) -> None:
    found = await saved(tmp_path / "a", algorithm=algorithm)

    assert (tmp_path / "a").read_bytes() == DATA
    assert found == Saved(digest=f"{algorithm}:{hashlib.new(algorithm, DATA).hexdigest()}", size=len(DATA))


async def test_more_than_the_limit_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="too large"):
        await saved(tmp_path / "a", limit=len(DATA) - 1)


async def test_full_disk_is_said() -> None:
    with pytest.raises(Transient, match=r"^/dev/full: cannot be written: No space left on device$"):
        await saved(Path("/dev/full"))


async def test_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(Transient, match="cannot be written: No such file or directory"):
        await saved(tmp_path / "gone" / "a")
