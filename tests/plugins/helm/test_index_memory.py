"""Nothing of an index is whole in memory: 100 MB of JSON, or 40 MB of YAML, are read within 70 MiB."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

MEMORY = 70 << 20
PROGRAM = """
import re, sys
from pathlib import Path
from gitopsd.store.store import Store
from gitopsd_plugins.helm import index_job
with Store.open(Path(sys.argv[1])) as store:
    index_job.store(sys.stdin.buffer.read(), store)
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) << 10)
"""


def version(chart: str, number: int) -> dict[str, object]:
    """As large as entries of public repositories are."""
    return {
        "apiVersion": "v2",
        "created": "2026-01-02T03:04:05.678901234Z",
        "description": "A chart that installs something of which nobody knows what it is good for, with many options",
        "digest": "a" * 64,
        "home": "https://example.org/home",
        "keywords": ["one", "two", "three"],
        "maintainers": [{"email": f"{name}@example.org", "name": name} for name in ("ada", "bob", "eve")],
        "name": chart,
        "sources": ["https://example.org/source"],
        "urls": [f"https://example.org/charts/{chart}-{number}.0.0.tgz"],
        "version": f"{number}.0.0",
    }


def write(file: Path, begin: bytes, size: int, end: bytes) -> None:
    with file.open("wb") as out:
        out.write(begin)
        for number in range(10_000):
            text = msgspec.json.encode([version(f"chart-{number}", n) for n in range(100)])
            out.write(b",\n" * (number > 0) + f'"chart-{number}": '.encode() + text)
            if out.tell() > size:
                break
        out.write(end)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("begin", "size", "end"),
    [
        (b'{"apiVersion": "v1", "entries": {', 100 << 20, b"}}"),
        (b"apiVersion: v1\nentries: {", 40 << 20, b"}\n"),  # JSON is YAML; what begins with no brace is taken for that
    ],
    ids=["json", "yaml"],
)
def test_index_is_never_whole_in_memory(tmp_path: Path, begin: bytes, size: int, end: bytes) -> None:
    file = tmp_path / "index"
    write(file, begin, size, end)
    with file.open("rb") as opened:
        revision = f"sha256:{hashlib.file_digest(opened, 'sha256').hexdigest()}"
    order = msgspec.msgpack.encode({"file": str(file), "revision": revision})
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "state")]

    done = subprocess.run(command, input=order, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert int(done.stdout) < MEMORY
