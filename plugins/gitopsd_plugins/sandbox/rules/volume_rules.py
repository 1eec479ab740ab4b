"""What is wrong with the volumes of a pod spec and with what mounts them: names, that each has one source, what it names, paths.

Mounts find only volumes with nothing wrong, as in the API server. Sources that few use are counted and not looked into.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gitopsd_plugins.sandbox.facts import names
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import causes
from gitopsd_plugins.sandbox.requests.status import Cause

SOURCES = (
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi", "glusterfs", "flocker",
    "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc", "flexVolume", "configMap", "azureFile",
    "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk", "storageos", "projected", "scaleIO", "csi", "ephemeral",
    "image",
)  # fmt: skip
"""In the order in which the API server looks for them: the first counts, the others are too many."""
_MISNAMED = {"cephfs": "cephFS", "downwardAPI": "downwarAPI"}
"""Paths that the API server spells otherwise where it says that one is too many."""
_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_HOST_TYPES = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")


def checked(volumes: list[Json], path: str) -> tuple[set[str], list[Cause]]:
    """The names of the volumes that can be mounted, and what is wrong with the others."""
    good, found = set[str](), list[Cause]()
    for index, volume in enumerate(volumes):
        wrong = [*_source(volume, f"{path}[{index}]"), *_name(volume.get("name", ""), f"{path}[{index}].name", good)]
        if not wrong:
            good.add(volume["name"])
        found.extend(wrong)
    return good, found


def of_mounts(mounts: list[Json], path: str, volumes: set[str]) -> Iterator[Cause]:
    """What is wrong with the mounts of a container; the API server leaves the index of a path inside a volume out."""
    seen: set[Any] = set()
    for index, mount in enumerate(mounts):
        name, where = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            yield causes.required(f"{path}[{index}].name")
        if name not in volumes:
            yield Cause(f"{path}[{index}].name", "FieldValueNotFound", f'Not found: "{name}"')
        if not where:
            yield causes.required(f"{path}[{index}].mountPath")
        if where in seen:
            yield causes.wrong(f"{path}[{index}].mountPath", where, "must be unique")
        seen.add(where)
        if mount.get("subPath") and mount.get("subPathExpr"):
            why = "subPathExpr and subPath are mutually exclusive"
            yield causes.wrong(f"{path}[{index}].subPathExpr", mount["subPathExpr"], why)
        for inside in ("subPath", "subPathExpr"):
            yield from _below(mount.get(inside, ""), f"{path}.{inside}")


def _name(name: str, path: str, good: set[str]) -> Iterator[Cause]:
    if not name:
        yield causes.required(path)
    elif why := names.label(name):
        yield causes.wrong(path, name, why)
    if name in good:
        yield Cause(path, "FieldValueDuplicate", f'Duplicate value: "{name}"')


def _source(volume: Json, path: str) -> Iterator[Cause]:
    found = [each for each in SOURCES if volume.get(each) is not None]
    if not found:
        yield causes.required(path, "must specify a volume type")
        return
    if check := _OF_SOURCE.get(found[0]):
        yield from check(volume[found[0]], f"{path}.{found[0]}")
    for each in found[1:]:
        where = f"{path}.{_MISNAMED.get(each, each)}"
        yield Cause(where, "FieldValueForbidden", "Forbidden: may not specify more than 1 volume type")


def _named(*fields: str) -> Callable[[Json, str], Iterator[Cause]]:
    """A source that names something."""

    def check(source: Json, path: str) -> Iterator[Cause]:
        for field in fields:
            if not source.get(field):
                yield causes.required(f"{path}.{field}")

    return check


def _keys(name: str) -> Callable[[Json, str], Iterator[Cause]]:
    """A source whose keys become files; `name` is the field that names the object."""

    def check(source: Json, path: str) -> Iterator[Cause]:
        yield from _named(name)(source, path)
        yield from _mode(source, "defaultMode", path)
        yield from _items(source, path)

    return check


def _items(source: Json, path: str) -> Iterator[Cause]:
    for index, item in enumerate(source.get("items") or ()):
        yield from _named("key", "path")(item, f"{path}.items[{index}]")
        yield from _local(item.get("path", ""), f"{path}.items[{index}].path")
        yield from _mode(item, "mode", f"{path}.items[{index}]")


def _mode(source: Json, field: str, path: str) -> Iterator[Cause]:
    mode = source.get(field)
    if mode is not None and not 0 <= mode <= 0o777:
        yield causes.wrong(f"{path}.{field}", mode, _MODE)


def _local(target: str, path: str) -> Iterator[Cause]:
    """The name of a file that is made in a volume."""
    yield from _below(target, path)
    if target.startswith("..") and not target.startswith("../"):
        yield causes.wrong(path, target, "must not start with '..'")


def _below(target: str, path: str) -> Iterator[Cause]:
    """A path inside a volume."""
    if target.startswith("/"):
        yield causes.wrong(path, target, "must be a relative path")
    yield from _no_step_back(target, path)


def _no_step_back(target: str, path: str) -> Iterator[Cause]:
    if ".." in target.split("/"):
        yield causes.wrong(path, target, "must not contain '..'")


def _host_path(source: Json, path: str) -> Iterator[Cause]:
    target, kind = source.get("path", ""), source.get("type", "")
    if not target:
        yield causes.required(f"{path}.path")
        return
    yield from _no_step_back(target, f"{path}.path")
    if kind not in _HOST_TYPES:
        yield causes.unsupported(f"{path}.type", kind, _HOST_TYPES)


def _nfs(source: Json, path: str) -> Iterator[Cause]:
    yield from _named("server", "path")(source, path)
    if not source.get("path", "").startswith("/"):
        yield causes.wrong(f"{path}.path", source.get("path", ""), "must be an absolute path")


def _downward(source: Json, path: str) -> Iterator[Cause]:
    yield from _mode(source, "defaultMode", path)
    for file in source.get("items") or ():
        yield from _file(file, path)


def _file(file: Json, path: str) -> Iterator[Cause]:
    """A file that tells of the pod; the API server names no index."""
    yield from _named("path")(file, path)
    yield from _local(file.get("path", ""), f"{path}.path")
    found = [each for each in ("fieldRef", "resourceFieldRef") if file.get(each) is not None]
    if not found:
        yield causes.required(path, "one of fieldRef and resourceFieldRef is required")
    elif len(found) > 1:
        yield causes.wrong(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
    yield from _mode(file, "mode", path)


def _projected(source: Json, path: str) -> Iterator[Cause]:
    yield from _mode(source, "defaultMode", path)
    paths = set[str]()
    for index, each in enumerate(source.get("sources") or ()):
        where = f"{path}.sources[{index}]"
        for kind in ("secret", "configMap"):
            if each.get(kind) is not None:
                yield from _named("name")(each[kind], f"{where}.{kind}")
                yield from _items(each[kind], f"{where}.{kind}")
                yield from _once(each[kind], each[kind].get("name", ""), path, paths)
        if each.get("downwardAPI") is not None:
            for file in each["downwardAPI"].get("items") or ():
                yield from _file(file, f"{where}.downwardAPI")
                yield from _once({"items": [file]}, file.get("path", ""), path, paths)
        if each.get("serviceAccountToken") is not None:
            yield from _token(each["serviceAccountToken"], where, path)
        if sum(value is not None for value in each.values()) > 1:
            yield Cause(where, "FieldValueForbidden", "Forbidden: may not specify more than 1 volume type per source")


def _once(source: Json, shown: Any, path: str, paths: set[str]) -> Iterator[Cause]:
    """Files that another source of the same volume brings already."""
    for item in source.get("items") or ():
        target = item.get("path", "")
        if target and target in paths:
            yield causes.wrong(path, shown, "conflicting duplicate paths")
        paths.add(target)


def _token(token: Json, where: str, path: str) -> Iterator[Cause]:
    seconds = token.get("expirationSeconds", 0)
    for broken, bound in ((seconds < 600, "less than 10 minutes"), (seconds > 1 << 32, "larger than 2^32 seconds")):
        if broken:
            why = f"may not specify a duration {bound}"
            yield causes.wrong(f"{where}.serviceAccountToken.expirationSeconds", seconds, why)
    if not token.get("path"):
        yield causes.required(f"{path}.path")
    else:
        yield from _local(token["path"], f"{path}.path")


_OF_SOURCE: dict[str, Callable[[Any, str], Iterator[Cause]]] = {
    "hostPath": _host_path,
    "secret": _keys("secretName"),
    "configMap": _keys("name"),
    "persistentVolumeClaim": _named("claimName"),
    "nfs": _nfs,
    "downwardAPI": _downward,
    "projected": _projected,
}
