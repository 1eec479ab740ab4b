"""What runs in a worker process: looking at a chart in an artifact, and building a chart's tree."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import msgspec

from gitopsd.plugin import Changes, Digest, Entry, File, Folder, Intake, PathError, Rejected, Tree, tree, yaml
from gitopsd.plugin.sources import semver
from gitopsd.plugin.sources.archive import ArchiveError
from gitopsd_plugins.helm import chart, metadata, package, values, versions
from gitopsd_plugins.helm.chart import BUILD, DEPENDENCY, REFERENCE
from gitopsd_plugins.helm.metadata import Dependency, Metadata
from gitopsd_plugins.helm.package import Files


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A chart in an artifact: its tree, and the path in it."""

    tree: Digest
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the chart says of itself, and the charts that it needs from elsewhere."""

    name: str
    version: str
    missing: Sequence[Dependency] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A packed chart in a file. `called` is the folder's name below `charts`."""

    called: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """Make a chart's tree of a packed chart in `file`, or of what `look` names.

    It must be the chart `name` ('' for whatever it is) at the version `base`; `version` is written into it.
    """

    name: str
    base: str
    version: str
    file: str = ""
    look: Look | None = None
    values_files: tuple[str, ...] = ()
    ignore_missing: bool = False
    dependencies: tuple[Fetched, ...] = ()


def see(payload: bytes, intake: Intake) -> bytes:
    """Run a `Look`."""
    look = msgspec.msgpack.decode(payload, type=Look)
    files, folder = _opened(look, intake)
    found = _described(files, look.path, intake)
    missing = _missing(files, found, intake) if folder else ()
    for dependency in missing:
        if not dependency.repository:
            raise Rejected(
                f"{look.path}: the chart {dependency.name!r}, which it needs, is not in charts/ and has no repository",
                reason=DEPENDENCY,
            )
    remote = tuple(d for d in missing if not d.repository.startswith("file://"))
    return msgspec.msgpack.encode(Seen(name=found.name, version=found.version, missing=remote))


def build(payload: bytes, intake: Intake) -> bytes:
    """Run a `Build`: the chart, unpacked, in the store."""
    order = msgspec.msgpack.decode(payload, type=Build)
    if order.look is None:
        files, folder = _unpacked(order.file, f"the chart {order.name} {order.base}", intake), False
    else:
        files, folder = _opened(order.look, intake)
    found = _checked(order, _described(files, order.look.path if order.look else order.name, intake))
    read = package.reading(files, intake)
    if order.look is not None:
        read = _artifact(order.look, intake)
        if folder:
            _complete(files, order.look, found, intake)
    for dependency in order.dependencies:
        needed = _unpacked(dependency.file, f"the dependency {dependency.called}", intake)
        package.add(files, f"charts/{dependency.called}", needed)
    merged, of = values.merged(order.values_files, read, ignore_missing=order.ignore_missing)
    if of:
        package.write(files, values.FILE, merged, intake)
    if order.version != found.version:
        text = yaml.write({**found.document, "version": order.version})
        package.write(files, metadata.FILE, text.encode(), intake)
    entries: dict[str, Entry | None] = dict(files)
    stored = intake.put(Changes(entries=entries))
    return msgspec.msgpack.encode(replace(stored, facts={chart.NAME: found.name, chart.VALUES_FILES: of}))


def _unpacked(file: str, name: str, intake: Intake) -> Files:
    with open(file, "rb") as stream, _about(name):
        return package.unpacked(stream, intake)


@contextmanager
def _about(name: str) -> Iterator[None]:
    """Say which archive it is that cannot be unpacked."""
    try:
        yield
    except ArchiveError as error:
        error.args = (f"{name}: {error}",)
        raise


def _opened(look: Look, intake: Intake) -> tuple[Files, bool]:
    """The chart's files, and whether it lies there as a folder."""
    try:
        found = Tree(intake, look.tree).find(look.path)
    except PathError as error:
        raise Rejected(f"{error}; check spec.chart", reason=REFERENCE) from error
    match found:
        case Folder(digest=digest):
            return package.of_folder(digest, intake), True
        case File(digest=digest):
            with _about(look.path):
                return package.unpacked(io.BytesIO(intake.blob(digest)), intake), False
    raise Rejected(
        f"no chart at {look.path or '.'}: there is no such file or folder; check spec.chart", reason=REFERENCE
    )


def _described(files: Files, place: str, intake: Intake) -> Metadata:
    return metadata.read(package.reading(files, intake), place or ".")


def _checked(order: Build, found: Metadata) -> Metadata:
    """What came must be what was chosen; text that differs in a leading v alone is the same version."""
    if order.name and found.name != order.name:
        raise Rejected(f"the chart {order.name!r} calls itself {found.name!r}; nothing of it is used", reason=BUILD)
    if order.base and not versions.same(found.version, order.base):
        raise Rejected(
            f"the chart {found.name!r} of version {order.base} says that it is {found.version}; nothing of it is used",
            reason=BUILD,
        )
    return found


def _missing(files: Files, found: Metadata, intake: Intake) -> Sequence[Dependency]:
    there = package.present(files, intake)
    if len(there) == len(found.dependencies):
        return ()
    return tuple(needed for needed in found.dependencies if not {needed.name, needed.called} & there)


def _complete(files: Files, look: Look, found: Metadata, intake: Intake) -> None:
    """Add the charts that lie elsewhere in the same artifact."""
    for dependency in _missing(files, found, intake):
        if not dependency.repository.startswith("file://"):
            continue
        path = _beside(look.path, dependency)
        beside, _ = _opened(Look(tree=look.tree, path=path), intake)
        version = _described(beside, path, intake).version
        if not versions.constraint(dependency.name, dependency.version).allows(semver.version(version)):
            raise Rejected(
                f"the chart {dependency.name!r} at {path} is {version}, and {dependency.version!r} is needed",
                reason=DEPENDENCY,
            )
        package.add(files, f"charts/{dependency.called}", beside)


def _beside(path: str, dependency: Dependency) -> str:
    try:
        return tree.normal(f"{path}/{dependency.repository.removeprefix('file://')}")
    except PathError as error:
        raise Rejected(f"dependency {dependency.name!r}: {error}", reason=DEPENDENCY) from error


def _artifact(look: Look, intake: Intake) -> metadata.ReadFile:
    """Reads files of the whole artifact: values files are named from its root."""
    whole = Tree(intake, look.tree)

    def read(path: str) -> bytes | None:
        return intake.blob(found.digest) if isinstance(found := whole.find(path), File) else None

    return read
