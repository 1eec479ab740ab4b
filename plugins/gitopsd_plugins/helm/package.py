"""A chart as files by path, put together in memory of what the store knows: no bytes but of the files that are made.

Charts inside are unpacked too (`charts/*.tgz`), so that a chart's tree never holds an archive of a chart.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, MutableMapping
from typing import BinaryIO

from gitopsd.plugin import Content, Digest, File, Folder, Intake, Rejected, tree
from gitopsd.plugin.sources import archive
from gitopsd.plugin.sources.archive import Limits, Unpacking
from gitopsd_plugins.helm import helmignore, metadata
from gitopsd_plugins.helm.chart import BUILD
from gitopsd_plugins.helm.metadata import ReadFile

LIMITS = Limits(entries=20_000, file=16 << 20, total=256 << 20, ratio=100)
MAX_NESTED = 5

Files = MutableMapping[str, File]


def unpacked(stream: BinaryIO, intake: Intake, nested: int = 0) -> Files:
    """The files of a packed chart, which lie in one leading folder. Raises `ArchiveError` for what may not come in."""
    if nested > MAX_NESTED:
        raise Rejected(f"charts packed inside one another, deeper than {MAX_NESTED}; nest them less", reason=BUILD)
    stored = archive.put(stream, intake, Unpacking(strip=True, limits=LIMITS)).stored
    return opened(dict(below(stored.tree, intake)), intake, nested)


def of_folder(root: Digest, intake: Intake) -> Files:
    """The files of a chart's folder in an artifact, but for what its `.helmignore` names. Links are left out, as in Flux."""
    files = dict(below(root, intake))
    text = reading(files, intake)(helmignore.FILE)
    rules = helmignore.read((text or b"").decode("utf-8", "replace"))
    kept = {
        path: file for path, file in files.items() if path == helmignore.FILE or not helmignore.excludes(rules, path)
    }
    return opened(kept, intake, 0)


def below(root: Digest, intake: Intake, prefix: str = "") -> Iterator[tuple[str, File]]:
    """Every regular file below a directory's node. Raises `Rejected` where there are too many, or too deep."""
    count = 0
    todo = [(prefix, root)]
    while todo:
        at, node = todo.pop()
        if at.count("/") > tree.MAX_DEPTH:
            raise Rejected(f"a chart deeper than {tree.MAX_DEPTH} folders; nest them less", reason=BUILD)
        for name, entry in intake.node(node).items():
            if isinstance(entry, Folder):
                todo.append((f"{at}{name}/", entry.digest))
            elif isinstance(entry, File):
                count += 1
                if count > LIMITS.entries:
                    raise _too_many()
                yield at + name, entry


def opened(files: Files, intake: Intake, nested: int) -> Files:
    """The same with every `charts/NAME.tgz` unpacked into `charts/NAME/`."""
    for path in [path for path in files if _is_packed(path)]:
        data = intake.blob(files.pop(path).digest)
        add(files, path.removesuffix(".tgz"), unpacked(io.BytesIO(data), intake, nested + 1))
    return files


def _is_packed(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return name.endswith(".tgz") and folder.rpartition("/")[2] == "charts"


def add(files: Files, folder: str, chart: Mapping[str, File]) -> None:
    """Put a chart into a folder of another one. Raises `Rejected` where something is there already."""
    if any(path == folder or path.startswith(f"{folder}/") for path in files):
        raise Rejected(f"{folder}: the same chart stands there twice", reason=BUILD)
    files.update({f"{folder}/{path}": file for path, file in chart.items()})
    if len(files) > LIMITS.entries:
        raise _too_many()


def reading(files: Mapping[str, File], intake: Intake, folder: str = "") -> ReadFile:
    """Reads files of a chart by their paths; of the chart in this folder of it."""

    def read(path: str) -> bytes | None:
        file = files.get(f"{folder}/{path}" if folder else path)
        return None if file is None else intake.blob(file.digest)

    return read


def write(files: Files, path: str, data: bytes, intake: Intake) -> None:
    """Put a file that was made in the place of another."""
    files[path] = intake.add([Content(data=data)])[0]


def present(files: Mapping[str, File], intake: Intake) -> frozenset[str]:
    """Names of the charts that are inside already."""
    folders = {path.split("/")[1] for path in files if path.startswith("charts/") and path.count("/") >= 2}
    inside = [f"charts/{name}" for name in sorted(folders) if f"charts/{name}/{metadata.FILE}" in files]
    return frozenset(metadata.read(reading(files, intake, folder), folder).name for folder in inside)


def _too_many() -> Rejected:
    return Rejected(
        f"a chart of more than {LIMITS.entries:,} files; leave out what it does not need, with .helmignore",
        reason=BUILD,
    )
