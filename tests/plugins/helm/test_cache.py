"""What nobody uses any more goes by itself."""

from __future__ import annotations

import os

import pytest

from gitopsd_plugins.helm import cache
from gitopsd_plugins.helm.repository_source import RepositorySource


def age(file, seconds=cache.UNUSED + 60):
    long_ago = file.stat().st_mtime - seconds
    os.utime(file, (long_ago, long_ago))


def test_old_files_are_removed_and_used_ones_kept(tmp_path):
    files = {name: tmp_path / name for name in ("old.tgz", "crashed.part", "used.tgz", "new.tgz")}
    for file in files.values():
        file.write_bytes(b"x")
    for name in ("old.tgz", "crashed.part", "used.tgz"):
        age(files[name])
    (tmp_path / "folder").mkdir()
    age(tmp_path / "folder")

    cache.used(files["used.tgz"], tmp_path / "gone")
    cache.sweep(tmp_path)

    assert {file.name for file in tmp_path.iterdir()} == {"used.tgz", "new.tgz", "folder"}


@pytest.mark.asyncio
async def test_index_of_a_repository_that_is_still_polled_is_kept(world, site, repository):
    site.files = {
        "/index.yaml": b"apiVersion: v1\nentries: {}\n",
        "/other/index.yaml": b"apiVersion: v1\nentries: {}\n",
    }
    source = RepositorySource()
    polled, gone, new = (repository(name, url=site.url) for name in ("polled", "gone", "new"))
    for intent in (polled, gone):
        await source.resolve(intent, world.ctx)
    for file in world.ctx.cache("helm").iterdir():
        age(file)

    await source.resolve(polled, world.ctx)
    await source.resolve(new, world.ctx)
    asked = len(site.asked)
    for intent in (polled, gone):
        await source.resolve(intent, world.ctx)

    assert [request.status for request in site.asked[asked:]] == [304, 200]
