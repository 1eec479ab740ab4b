"""Reads files for one kustomization folder out of a tree, and opens the folders that it refers to.

It knows paths and what may be read, nothing of what files say. Paths cannot leave the tree. A *restricted* loader reads
files only at or below its own folder, symbolic links resolved, as the kustomize binary does by default; folders may be
anywhere in the tree. A folder that is above one being built would be a cycle and is refused with the chain.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gitopsd.plugin import Entry, Link, PathError, Rejected, Tree
from gitopsd.plugin.tree import normal
from gitopsd_plugins.kustomize import kustomization, origins

_REMOTE = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:|^git@|\?(?:.*&)?(?:ref|version)=|^[\w-]+(?:\.[\w-]+)+/[^/]+/")
_LIMIT_LINKS = 40
MAX_CHAIN = 100


class Loader:
    """One folder of a tree; `above` is the loader of the kustomization that refers to it, by the path `origin` from the top."""

    def __init__(
        self, tree: Tree, root: str, *, restricted: bool = False, above: Loader | None = None, origin: str = ""
    ) -> None:
        self.tree = tree
        self.root = normal(root)
        self.origin = origin
        self.restricted = restricted
        self.above = above
        self._listed: dict[str, Mapping[str, Entry]] = above._listed if above else {}

    def path(self, relative: str) -> str:
        """The path in the tree of something named in this folder. Raises `Rejected` for remote and absolute names."""
        if relative.startswith("/"):
            raise Rejected(f"{self.root or '.'}: {relative!r} is absolute; write it relative to this folder")
        try:
            return normal(f"{self.root}/{relative}")
        except PathError as error:
            raise Rejected(f"{self.root or '.'}: {relative!r} leaves the tree") from error

    def read(self, relative: str, *, sealed: bool = False) -> bytes:
        """The bytes of a file; `sealed`: as they are, where it is encrypted. Raises `Rejected` naming it."""
        path = self.path(relative)
        if self.restricted:
            self._restrict(path)
        if not self.is_file(relative):
            raise Rejected(self._missing(relative, "no such file"))
        return self.tree.read(path, sealed=sealed)

    def is_file(self, relative: str) -> bool:
        """True when it names a file."""
        found = self.tree.find(self.path(relative))
        return found is not None and hasattr(found, "size")

    def is_folder(self, relative: str) -> bool:
        """True when it names a folder."""
        found = self.tree.find(self.path(relative))
        return found is not None and not hasattr(found, "size")

    def below(self, relative: str) -> Loader:
        """A loader for a folder. Raises `Rejected` for a missing one and for a cycle, naming the chain."""
        if not relative:
            raise Rejected(f"{self.root or '.'}: an empty path in resources or components")
        if not self.is_folder(relative):
            raise Rejected(self._missing(relative, "no such file or folder"))
        path = self.path(relative)
        chain = [path, *self._chain()]
        if len(chain) > MAX_CHAIN:
            raise Rejected(f"{path}: kustomizations refer to one another over more than {MAX_CHAIN} folders")
        if any(_holds(path, visited) for visited in chain[1:]):
            shown = " -> ".join(p or "." for p in reversed(chain))
            raise Rejected(f"cycle detected: {shown}; a folder cannot be built from inside itself")
        origin = self.origin_of(relative)
        return Loader(self.tree, path, restricted=self.restricted, above=self, origin=origin)

    def origin_of(self, relative: str) -> str:
        """The path of something named in this folder, from the built folder on."""
        return origins.joined(self.origin, relative)

    def file(self) -> str:
        """The name of the kustomization file here; '' when there is none. Raises `Rejected` for several."""
        found = [name for name in kustomization.NAMES if self.is_file(name)]
        if len(found) > 1:
            raise Rejected(
                f"Found multiple kustomization files under: {self.root or '.'} ({', '.join(found)}); keep one"
            )
        return found[0] if found else ""

    def shown(self, name: str) -> str:
        """A name in this folder, for messages."""
        return f"{self.root}/{name}" if self.root else name

    def _chain(self) -> list[str]:
        return [self.root, *(self.above._chain() if self.above else ())]

    def _missing(self, relative: str, what: str) -> str:
        if _REMOTE.search(relative):
            return (
                f"{self.root or '.'}: {relative!r} is remote, and remote resources are not fetched; "
                "copy it into the repository, or declare it as a source of its own"
            )
        return f"{self.shown(relative)}: {what}"

    def _restrict(self, path: str) -> None:
        real = self._real(path)
        if not _holds(self.root, real):
            raise Rejected(
                f"security; file {path!r} is not in or below {self.root or '.'!r}; "
                "move it there, or build with --load-restrictor none"
            )

    def _real(self, path: str) -> str:
        """The path with its symbolic links resolved; unchanged where it does not exist."""
        todo, walked, links = path.split("/")[::-1], list[str](), 0
        while todo:
            name = todo.pop()
            if name == "..":
                walked = walked[:-1]
            elif name not in {"", "."}:
                entry = self._entry("/".join(walked), name)
                if isinstance(entry, Link) and links < _LIMIT_LINKS:
                    links += 1
                    todo.extend(entry.target.split("/")[::-1])
                else:
                    walked.append(name)
        return "/".join(walked)

    def _entry(self, folder: str, name: str) -> object:
        if folder not in self._listed:
            try:
                self._listed[folder] = self.tree.list(folder)
            except PathError:
                self._listed[folder] = {}
        return self._listed[folder].get(name)


def _holds(folder: str, path: str) -> bool:
    return not folder or path == folder or path.startswith(folder + "/")
