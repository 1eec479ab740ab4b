"""Helm charts, packed by our own writer, or by the real helm where it is found; and indexes of them."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from gitopsd.plugin.sources import tar
from gitopsd.plugin.sources.tar import Member, Sort

HELM = os.environ.get("HELM", "") or shutil.which("helm") or ""
"""The real program; '' where there is none."""

TEMPLATE = (
    b'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {size: "{{ .Values.size }}"}\n'
)


def files(name: str = "web", version: str = "1.0.0", **more: bytes) -> dict[str, bytes]:
    """A small chart; further files by path, `__` standing for a slash and `_DOT_` for a dot."""
    chart = f"apiVersion: v2\nname: {name}\nversion: {version}\n".encode()
    given = {path.replace("__", "/").replace("_DOT_", "."): data for path, data in more.items()}
    return {"Chart.yaml": chart, "values.yaml": b"size: 1\n", "templates/map.yaml": TEMPLATE, **given}


def packed(found: Mapping[str, bytes], folder: str = "web") -> bytes:
    """A chart's archive; names are taken as they are."""
    members = [
        (Member(name=f"{folder}/{path}".encode() if folder else path.encode(), sort=Sort.FILE, size=len(data)), data)
        for path, data in found.items()
    ]
    return gzip.compress(b"".join(tar.written(members)), mtime=0)


def packed_by_helm(found: Mapping[str, bytes], folder: Path, name: str = "web") -> bytes:
    """The same by the real helm."""
    for path, data in found.items():
        file = folder / name / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    out = folder / "out"
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    subprocess.run(
        [HELM, "package", str(folder / name), "-d", str(out)], check=True, capture_output=True, env=environment
    )
    return next(out.glob("*.tgz")).read_bytes()


def index(charts: Mapping[str, Sequence[Mapping[str, object]]]) -> bytes:
    """An index of these charts."""
    return msgspec.json.encode({"apiVersion": "v1", "entries": charts})


def entry(version: str, data: bytes = b"", url: str = "", **more: object) -> dict[str, object]:
    """A chart's version in an index, with the digest of its archive where that is given."""
    digest = {"digest": hashlib.sha256(data).hexdigest()} if data else {}
    return {"name": "web", "version": version, "urls": [url or f"web-{version}.tgz"], **digest, **more}
