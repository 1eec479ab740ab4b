"""The kustomization that Flux makes up for a folder that has none: everything in it that ends in .yaml or .yml.

Folders below are entered; one with a kustomization file of its own is taken as a whole. A file that holds no Kubernetes
objects fails the build, as in Flux; an empty folder builds to nothing.
"""

from __future__ import annotations

from gitopsd.plugin import Entry, File, Folder, Tree
from gitopsd_plugins.kustomize.files.kustomization import NAMES, Kustomization

MAX_FOLDERS = 20_000
HINT = (
    "this path has no kustomization.yaml, so every .yaml file in it must hold Kubernetes objects; "
    "leave others out with .sourceignore, or add a kustomization.yaml that lists what is wanted"
)


def for_folder(tree: Tree, path: str) -> Kustomization:
    """The made-up kustomization for `path`, with paths relative to it."""
    return Kustomization(resources=tuple(_scanned(tree, path, "", [MAX_FOLDERS])))


def has_kustomization(tree: Tree, path: str) -> bool:
    """True when the folder has a kustomization file."""
    return any(hasattr(tree.find(_joined(path, name)), "size") for name in NAMES)


def _scanned(tree: Tree, base: str, below: str, budget: list[int]) -> list[str]:
    found: list[str] = []
    for name, entry in sorted(tree.list(_joined(base, below)).items()):
        path = _joined(below, name)
        if isinstance(entry, Folder):
            budget[0] -= 1
            if has_kustomization(tree, _joined(base, path)) or budget[0] < 0:
                found.append(path)
            else:
                found.extend(_scanned(tree, base, path, budget))
        elif name.endswith((".yaml", ".yml")) and _is_file(entry, tree, _joined(base, path)):
            found.append(path)
    return found


def _is_file(entry: Entry, tree: Tree, path: str) -> bool:
    """What is listed as a file is one (the build reads it, and so records it); a link may lead to one."""
    return isinstance(entry, File) or isinstance(tree.find(path), File)


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder and name else folder or name
