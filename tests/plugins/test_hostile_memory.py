"""Content made to exhaust whoever reads it: each is given up in its own words, below a ceiling of memory.

The ceiling of what worker processes do is held by the kernel, and a job that reached it would say that instead; of what the
daemon's own loop does the peak of a fresh process is read.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from dulwich.objects import Blob, Tree
from dulwich.repo import Repo
from fakes.git_packs import BLOB, REF, delta, name, pack, thing
from fakes.git_repository import GitRepository
from fakes.git_server import http_server
from fakes.source_world import SourceWorld, source_world
from fakes.workers import working

from gitopsd.plugin import Declared, Digest, ObjectRef, Place, Rejected
from gitopsd.plugin.sources import archive
from gitopsd.plugin.sources.archive import ArchiveError, Unpacking
from gitopsd_plugins.bucket.kind import Bucket
from gitopsd_plugins.bucket.source import BucketSource
from gitopsd_plugins.git import address, order
from gitopsd_plugins.git.access import Access
from gitopsd_plugins.git.order import FetchOrder, Remote
from gitopsd_plugins.helm import index_job

pytestmark = [pytest.mark.asyncio, pytest.mark.slow, pytest.mark.timeout(180)]
CHARTS = 100_001


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SourceWorld]:
    with source_world(tmp_path) as made:
        yield made


async def unpacked(file: Path, folder: Path, memory: int) -> str:
    """Why the archive is refused."""
    async with working(folder, memory=memory) as pool:
        with pytest.raises(ArchiveError) as caught:
            await archive.unpack(file, SimpleNamespace(work=pool), Unpacking(), timeout=100)  # type: ignore[arg-type]  # all of a context that it asks for
    return str(caught.value)


def zeros(size: int) -> Iterator[bytes]:
    """An archive of one file of zeros, so many MiB."""
    info = tarfile.TarInfo("zeros")
    info.size = size << 20
    yield info.tobuf(tarfile.GNU_FORMAT)
    for _ in range(size):
        yield bytes(1 << 20)


async def test_zeros_in_zstd(world: SourceWorld, tmp_path: Path) -> None:
    zstd = pytest.importorskip("backports.zstd")
    squeeze, file = zstd.ZstdCompressor(), tmp_path / "bomb.tar.zst"
    with file.open("wb") as out:
        for piece in zeros(250):
            out.write(squeeze.compress(piece))
        out.write(squeeze.flush())
    assert file.stat().st_size < 1 << 20

    assert (
        await unpacked(file, world.store.path, 120)
        == "grows to more than 200 times its size when it is expanded; compress it less"
    )


async def test_zstd_that_asks_for_a_window_of_two_gibibytes(world: SourceWorld, tmp_path: Path) -> None:
    file = tmp_path / "window.tar.zst"
    pytest.importorskip("backports.zstd")
    file.write_bytes(bytes.fromhex("28b52ffd") + bytes([0x00, (31 - 10) << 3]) + bytes([0x02, 0x00, 0x10, 0x00]) * 1000)

    assert "is damaged" in await unpacked(file, world.store.path, 80)


async def test_index_of_more_charts_than_anybody_has(world: SourceWorld, tmp_path: Path) -> None:
    file = tmp_path / "index"
    with file.open("wb") as out:
        out.write(b'{"apiVersion": "v1", "entries": {')
        for number in range(CHARTS):
            out.write(b",\n" * (number > 0) + b'"c%d": [{"name": "c%d", "version": "1.0.0"}]' % (number, number))
        out.write(b"}}")
    order = msgspec.msgpack.encode(index_job.Order(file=str(file), revision=""))

    async with working(world.store.path, memory=120) as pool:
        with pytest.raises(Rejected, match=r"more than 100,?000 charts"):
            await pool.run("gitopsd_plugins.helm.index_job:store", order, timeout=100)


ENDLESS = """
import anyio, re, sys
from pathlib import Path
from fakes.source_world import source_world
from fakes.web_server import Site, web_server
from gitopsd.plugin import Declared, Digest, GitopsdError, ObjectRef, Place
from gitopsd_plugins.helm import repository
from gitopsd_plugins.helm.repository_source import RepositorySource

async def main():
    with web_server(Site(endless=frozenset({"/index.yaml"}))) as site, source_world(Path(sys.argv[1])) as world:
        ref = ObjectRef(kind="HelmRepository", namespace="a", name="b")
        kind = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmRepository"}
        document = {**kind, "metadata": {"name": "b"}, "spec": {"url": site.url, "interval": "1m"}}
        intent = repository.read(Declared(ref=ref, document=document, place=Place(file="a", line=1), spec=Digest("a")))
        try:
            await RepositorySource().resolve(intent, world.ctx)
        except GitopsdError as error:
            print(error)

anyio.run(main)
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) >> 10)
"""


async def test_index_of_a_gigabyte_is_given_up_while_it_comes(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: ASYNC221 - a process of its own, of which the peak is read
        [sys.executable, "-c", ENDLESS, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert done.returncode == 0, done.stderr[-2000:]
    message, peak = done.stdout.splitlines()
    assert re.search(r"/index\.yaml: more than 256 MiB; it was given up", message)
    assert int(peak) < 120


class _Listing(BaseHTTPRequestHandler):
    """A bucket whose list has always another page."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        """Keep the test's output clean."""

    def do_GET(self) -> None:
        page = int(parse_qs(urlsplit(self.path).query).get("continuation-token", ["0"])[0])
        objects = "".join(
            f"<Contents><Key>{page}/{number}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f'<ETag>"{number}"</ETag><Size>1</Size></Contents>'
            for number in range(1000)
        )
        body = (
            f"<ListBucketResult><Name>endless</Name><IsTruncated>true</IsTruncated><NextContinuationToken>{page + 1}"
            f"</NextContinuationToken>{objects}</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def endless_bucket() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Listing)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def test_bucket_whose_list_never_ends(world: SourceWorld) -> None:
    pytest.importorskip("obstore")
    with endless_bucket() as endpoint:
        spec = {"endpoint": endpoint, "bucketName": "endless", "insecure": True, "interval": "1m", "timeout": "100s"}
        document = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "Bucket", "metadata": {}, "spec": spec}
        ref = ObjectRef(kind="Bucket", namespace="flux-system", name="app")
        intent = Bucket().read(Declared(ref=ref, document=document, place=Place(file="a", line=1), spec=Digest("a")))
        async with working(world.store.path, memory=400) as pool:
            with pytest.raises(Rejected, match=r"more than 250,?000 objects; narrow spec.prefix"):
                await BucketSource().resolve(intent, replace(world.ctx, work=pool))  # type: ignore[arg-type]  # a source


async def test_repository_whose_folders_multiply(world: SourceWorld, tmp_path: Path) -> None:
    """Forty folders of forty folders of ...: a few KiB that name 40^12 files."""
    repository = GitRepository(tmp_path / "app.git")
    with Repo(str(repository.path)) as opened:
        blob = Blob.from_string(b"x")
        tree = Tree()
        tree.add(b"x", 0o100644, blob.id)
        opened.object_store.add_object(blob)
        opened.object_store.add_object(tree)
        for _ in range(12):
            above = Tree()
            for number in range(40):
                above.add(b"%02d" % number, 0o40000, tree.id)
            tree = above
            opened.object_store.add_object(tree)
    commit = repository.commit_tree(tree.id)

    assert "more than 250,000 files and folders" in await fetched(world, repository, commit, memory=200)


async def test_pack_whose_differences_multiply(world: SourceWorld, tmp_path: Path) -> None:
    """Each makes five hundred times the one before, and says so; the third would have sixteen gigabytes."""
    repository = GitRepository(tmp_path / "app.git")
    commit = repository.commit({"a": "1"})
    base, copy = bytes(1 << 16), bytes([0x80 | 0x10 | 0x20, 0xFF, 0xFF])
    first = delta(len(base), 65535 * 500, *([copy] * 500))
    middle = hashlib.sha1(b"blob %d\0" % (65535 * 500) + bytes(65535 * 500)).digest()
    last = delta(65535 * 500, 65535 * 250_000, *([copy] * 500))
    bomb = pack(thing(BLOB, base), thing(REF, first, base=name(base)), thing(REF, last, base=middle))
    assert len(bomb) < 10_000

    said = await fetched(world, repository, commit, memory=250, packed=bomb)

    assert "more than 256 MiB" in said


async def test_pack_whose_object_is_larger_than_it_says(world: SourceWorld, tmp_path: Path) -> None:
    repository = GitRepository(tmp_path / "app.git")
    commit = repository.commit({"a": "1"})
    bomb = pack(thing(BLOB, bytes(200 << 20), says=10))

    assert "larger than it says" in await fetched(world, repository, commit, memory=150, packed=bomb)


async def fetched(
    world: SourceWorld, repository: GitRepository, commit: str, *, memory: int, packed: bytes | None = None
) -> str:
    """Why a worker process that may hold so many MiB refuses the commit; `packed` is what the server sends instead."""
    with http_server(repository.path) as server:
        if packed is not None:
            pieces = [packed[at : at + 60_000] for at in range(0, len(packed), 60_000)]
            bands = b"".join(b"%04x\x01" % (len(piece) + 5) + piece for piece in pieces)
            server.behaviour.packed = b"000dpackfile\n" + bands + b"0000"
        given = FetchOrder(
            remote=Remote(address=address.read(server.url, beside=None), access=Access(), timeout=60.0),
            cache=str(world.ctx.cache("git")),
            commit=commit,
            ref="refs/heads/main",
        )
        async with working(world.store.path, memory=memory) as pool:
            with pytest.raises(Rejected) as caught:
                await pool.run("gitopsd_plugins.git.job:fetch", order.encode(given), timeout=100)
    return str(caught.value)
