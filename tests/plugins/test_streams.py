"""What a source brings is never whole in memory: the peak of a process that does all of it is below what comes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes.registry import Registry, digest, serving
from fakes.web_server import Site, web_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
MIB = 1 << 20
FILES, FILE = 40, 6 * MIB
PEAK = 130
"""MiB; Python and all that the sources import take about the half of it."""

CHILD = """
import anyio, importlib, json, re, sys
from dataclasses import replace
from pathlib import Path
from fakes.source_world import source_world
from gitopsd.plugin import Declared, Digest, ObjectRef, Place

async def main(folder, plugin, document):
    module = importlib.import_module("gitopsd_plugins." + plugin)
    kind = next(one for one in module.gitopsd_kinds() if one.kind == document["kind"])
    source = next(one for one in module.gitopsd_sources() if one.kind == document["kind"])
    ref = ObjectRef(kind=document["kind"], namespace="a", name="b")
    intent = kind.read(Declared(ref=ref, document=document, place=Place(file="a", line=1), spec=Digest("a")))
    with source_world(Path(folder)) as world:
        world.work.intake = world.store  # the one in front of it keeps what it counts
        ctx = replace(world.ctx, intake=world.store)
        revision = await source.resolve(intent, ctx)
        stored = await source.fetch(intent, revision, None, ctx)
    print(stored.size)

anyio.run(main, sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) >> 10)
"""


def content(number: int, size: int = FILE) -> bytes:
    """Bytes that no other file has, and that are quick to make and to pack."""
    return b"%08d" % number * (size // 8)


def archive() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as opened:
        for number in range(FILES):
            member = tarfile.TarInfo(f"{number}.bin")
            member.size = FILE
            opened.addfile(member, io.BytesIO(content(number)))
    return packed.getvalue()


def brought(folder: Path, plugin: str, kind: str, **parts: Any) -> tuple[int, int]:
    """Bytes that were stored, and the peak in MiB."""
    document = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": kind, "metadata": {"name": "b"}, **parts}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), plugin, json.dumps(document)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    stored, peak = done.stdout.split()
    return int(stored), int(peak)


def test_layer_of_a_registry(tmp_path: Path) -> None:
    with serving(Registry()) as registry:
        registry.artifact(archive(), tag="latest")

        stored, peak = brought(tmp_path, "oci", "OCIRepository", spec={"url": registry.url, "interval": "1m"})

    assert stored == FILES * FILE
    assert peak < PEAK


def test_external_artifact(tmp_path: Path) -> None:
    data = archive()
    with web_server(Site(files={"/a.tar": data})) as site:
        made = {"url": f"{site.url}/a.tar", "digest": digest(data), "revision": f"a@{digest(data)}"}

        stored, peak = brought(tmp_path, "external", "ExternalArtifact", spec={}, status={"artifact": made})

    assert stored == FILES * FILE
    assert peak < PEAK


def listing(objects: Mapping[str, bytes]) -> bytes:
    found: Sequence[str] = [
        f"<Contents><Key>{name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        f'<ETag>"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"</ETag><Size>{len(data)}</Size></Contents>'
        for name, data in objects.items()
    ]
    return (
        f"<ListBucketResult><Name>a</Name><IsTruncated>false</IsTruncated>{''.join(found)}</ListBucketResult>".encode()
    )


@pytest.mark.parametrize(("count", "size"), [(FILES, FILE), (2000, MIB // 16), (8, 30 * MIB)])
def test_objects_of_a_bucket(tmp_path: Path, count: int, size: int) -> None:
    pytest.importorskip("obstore")
    objects = {f"{number}.bin": content(number, size) for number in range(count)}
    with web_server(Site(files={f"/a/{name}": data for name, data in objects.items()})) as site:
        site.files["/a"] = listing(objects)
        spec = {"endpoint": site.url, "bucketName": "a", "insecure": True, "interval": "1m", "timeout": "100s"}

        stored, peak = brought(tmp_path, "bucket", "Bucket", spec=spec)

    assert stored == count * size
    assert peak < PEAK
