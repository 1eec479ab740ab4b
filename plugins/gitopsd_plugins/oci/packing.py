"""A folder, or a file, as the layer of a Flux artifact: a tar.gz that is the same for the same content, and its manifest.

Pure but for reading the folder and writing the archive: nothing is sent from here.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gitopsd.plugin import Intake, UsageError
from gitopsd.plugin.oci import Descriptor, manifest
from gitopsd.plugin.sources import ignore, tar
from gitopsd.plugin.sources.ignore import Rules
from gitopsd.plugin.sources.tar import Member, Sort
from gitopsd.plugin.tree import MAX_DEPTH

CONFIG = "application/vnd.cncf.flux.config.v1+json"
CONTENT = "application/vnd.cncf.flux.content.v1.tar+gzip"
IGNORED = (*ignore.VCS, *ignore.EXTENSIONS)
"""What `flux push artifact` leaves out by default."""
MAX_FILE = 256 << 20

_GZIP = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""The header of a gzip stream that names no time and no system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A packed folder: what the manifest says of the file, and the digest of what is inside it. `links` were left out."""

    descriptor: Descriptor
    inside: str
    links: tuple[str, ...] = ()


def pack(source: Path, ignored: Sequence[str], target: Path) -> Layer:
    """Write the archive of a folder, or of one file, to `target`. Raises `UsageError` for what cannot be packed."""
    rules = ignore.of_patterns(ignore.read("\n".join(ignored)))
    found = (
        [(source.name, source)] if source.is_file() else [(".", source), *sorted(_entries(source, rules), key=_place)]
    )
    links = tuple(name for name, path in found if path.is_symlink())
    kept = [(name, path) for name, path in found if not path.is_symlink()]
    inside, outside, size = hashlib.sha256(), hashlib.sha256(), 0
    with target.open("wb") as file:
        for piece in _compressed(tar.written(_members(kept)), inside):
            outside.update(piece)
            size += len(piece)
            file.write(piece)
    descriptor = Descriptor(media_type=CONTENT, digest=f"sha256:{outside.hexdigest()}", size=size)
    return Layer(descriptor=descriptor, inside=f"sha256:{inside.hexdigest()}", links=links)


def job(payload: bytes, intake: Intake) -> bytes:
    """What a worker process does for a plan of a local folder: packs it as `gitopsd push artifact` would."""
    source, target = msgspec.msgpack.decode(payload, type=tuple[str, str])
    if not Path(source).is_dir():
        raise UsageError(f"{source}: no such folder")
    return msgspec.msgpack.encode(pack(Path(source), IGNORED, Path(target)).links)


def config(layer: Layer) -> bytes:
    """The config of an image of this one layer."""
    found = {
        "architecture": "",
        "os": "",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer.inside]},
    }
    return msgspec.json.encode(found)


def document(layer: Layer, config: Descriptor, annotations: Mapping[str, str]) -> bytes:
    """The manifest."""
    found = {
        "schemaVersion": 2,
        "mediaType": manifest.IMAGE,
        "config": _described(config),
        "layers": [_described(layer.descriptor)],
        "annotations": dict(annotations),
    }
    return msgspec.json.encode(found)


def _described(found: Descriptor) -> Mapping[str, object]:
    return {"mediaType": found.media_type, "digest": found.digest, "size": found.size}


def _compressed(pieces: Iterator[bytes], inside: hashlib._Hash) -> Iterator[bytes]:
    """gzip without a time in it, so that equal folders give equal bytes."""
    squeeze, total, size = zlib.compressobj(6, zlib.DEFLATED, -15), 0, 0
    yield _GZIP
    for piece in pieces:
        inside.update(piece)
        total, size = zlib.crc32(piece, total), size + len(piece)
        yield squeeze.compress(piece)
    yield squeeze.flush()
    yield total.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")


def _members(entries: Sequence[tuple[str, Path]]) -> Iterator[tuple[Member, bytes]]:
    for name, path in entries:
        if path.is_dir():
            yield Member(name=_encoded(name), sort=Sort.FOLDER), b""
            continue
        data = _read(path)
        executable = bool(path.stat().st_mode & stat.S_IXUSR)
        yield Member(name=_encoded(name), sort=Sort.FILE, size=len(data), executable=executable), data


def _encoded(name: str) -> bytes:
    try:
        return name.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{name!r}: a name that is not UTF-8; rename it, or leave it out with --ignore-paths"
        ) from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE:
        raise UsageError(f"{path}: more than {MAX_FILE >> 20} MiB; leave it out with --ignore-paths")
    return data


def _place(entry: tuple[str, Path]) -> list[str]:
    """What is in a folder comes right after it."""
    return entry[0].split("/")


def _entries(root: Path, rules: Rules) -> Iterator[tuple[str, Path]]:
    """Folders, files and links by their names, what is ignored left out."""
    todo: list[str] = [""]
    while todo:
        at = todo.pop()
        if at.count("/") > MAX_DEPTH:
            raise UsageError(f"{root / at}: deeper than {MAX_DEPTH} folders")
        try:
            entries = list(os.scandir(root / at))
        except OSError as error:
            raise UsageError(f"{root / at}: cannot be listed: {error.strerror}") from error
        for entry in entries:
            name = f"{at}{entry.name}"
            mode = entry.stat(follow_symlinks=False).st_mode
            if rules.excludes(name.split("/"), directory=stat.S_ISDIR(mode)):
                continue
            if stat.S_ISDIR(mode):
                todo.append(f"{name}/")
            if stat.S_ISDIR(mode) or stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                yield name, root / name
