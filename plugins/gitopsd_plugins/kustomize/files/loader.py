"""Reads files for one kustomization folder out of a tree, and opens the folders that it refers to.

It knows paths and what may be read, nothing of what files say. Paths cannot leave the tree. A *restricted* loader reads
files only at or below its own folder, symbolic links resolved, as the kustomize binary does by default; folders may be
anywhere in the tree. A folder that is above one being built would be a cycle and is refused with the chain. An address leads to
a tree of its own, where files are always restricted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gitopsd.plugin import Entry, Folder, Link, PathError, Rejected, Remote, Tree
from gitopsd.plugin.tree import normal
from gitopsd_plugins.kustomize.files import kustomization
from gitopsd_plugins.kustomize.objects import address, origins
from gitopsd_plugins.kustomize.objects.address import Repository
from gitopsd_plugins.kustomize.objects.origins import TOP, Place

_LIMIT_LINKS = 40
MAX_CHAIN = 100


class Loader:
    """One folder of a tree; `above` is the loader of the kustomization that refers to it, at the place `origin` from the top.

    `named`: it was referred to by this address, of this `repository`.
    """

    def __init__(
        self,
        tree: Tree,
        root: str,
        *,
        restricted: bool = False,
        above: Loader | None = None,
        origin: Place = TOP,
        named: str = "",
        repository: Repository | None = None,
    ) -> None:
        self.tree = tree
        self.root = normal(root)
        self.origin = origin
        self.restricted = restricted
        self.above = above
        self._named = named
        self._repository = repository
        self._listed: dict[str, Mapping[str, Entry]] = above._listed if above and not named else {}

    @property
    def here(self) -> str:
        """This folder, for messages."""
        return self.shown("") or "."

    def path(self, relative: str) -> str:
        """The path in the tree of something named in this folder. Raises `Rejected` for remote and absolute names."""
        if relative.startswith("/"):
            raise Rejected(f"{self.here}: {relative!r} is absolute; write it relative to this folder")
        try:
            return normal(f"{self.root}/{relative}")
        except PathError as error:
            raise Rejected(f"{self.here}: {relative!r} leaves the tree") from error

    def read(self, relative: str, *, sealed: bool = False) -> bytes:
        """The bytes of a file, also of one elsewhere; `sealed`: as they are, where it is encrypted. Raises `Rejected` naming it."""
        if address.is_url(relative):
            data = self.fetched(relative)
            if data is None:
                raise Rejected(f"{address.bare(relative)}: the server answers that nothing is there")
            return data
        path = self.path(relative)
        if self.restricted:
            self._restrict(path)
        data = self.tree.content(path, sealed=sealed)
        if data is None:
            raise Rejected(f"{self.shown(relative)}: no such file")
        return data

    def content(self, relative: str) -> bytes | None:
        """The bytes of a file of this tree; None for what names none. Raises `Rejected` for one that may not be read."""
        path = self.path(relative)
        if self.restricted and self.is_file(relative):
            self._restrict(path)
        return self.tree.content(path)

    def fetched(self, url: str) -> bytes | None:
        """The bytes of a file at an URL; None where nothing is. Raises `Rejected` where nothing may be fetched."""
        tree = self._elsewhere(address.file(url), url)
        return None if tree is None else tree.read(next(iter(tree.list())))

    def need(self, entries: Iterable[str]) -> None:
        """Have all that these entries ask for first fetched at once, where that is allowed."""
        if self.tree.reaches:
            self.tree.need(_first_asked(entries))

    def is_file(self, relative: str) -> bool:
        """True when it names a file."""
        found = self.tree.find(self.path(relative))
        return found is not None and hasattr(found, "size")

    def is_folder(self, relative: str) -> bool:
        """True when it names a folder."""
        found = self.tree.find(self.path(relative))
        return found is not None and not hasattr(found, "size")

    def below(self, relative: str) -> Loader:
        """A loader for a folder, also of one elsewhere. Raises `Rejected` for a missing one and for a cycle, naming the chain."""
        if not relative:
            raise Rejected(f"{self.here}: an empty path in resources or components")
        if repository := address.repository(relative):
            return self._in_repository(repository, relative)
        if not self.is_folder(relative):
            raise Rejected(f"{self.shown(relative)}: no such file or folder")
        path = self.path(relative)
        chain = [path, *self._chain()]
        if len(chain) > MAX_CHAIN:
            raise Rejected(f"{path}: kustomizations refer to one another over more than {MAX_CHAIN} folders")
        if any(_holds(path, visited) for visited in chain[1:]):
            shown = " -> ".join(p or "." for p in reversed(chain))
            raise Rejected(f"cycle detected: {shown}; a folder cannot be built from inside itself")
        origin = self.origin_of(relative)
        return Loader(
            self.tree, path, restricted=self.restricted, above=self, origin=origin, repository=self._repository
        )

    def _in_repository(self, repository: Repository, entry: str) -> Loader:
        for loader in self._all_above():
            if loader._named.startswith(entry) and loader._named:
                raise Rejected(
                    f"cycle detected: {address.bare(entry)!r} is referred to from inside of {address.bare(loader._named)!r}"
                )
        tree = self._elsewhere(repository.remote, entry)
        if tree is None or not isinstance(tree.find(repository.folder), Folder):
            raise Rejected(f"{repository.shown}: {repository.folder!r} is no folder of this repository")
        return Loader(
            tree,
            repository.folder,
            restricted=True,
            above=self,
            origin=self.origin_of(entry),
            named=entry,
            repository=repository,
        )

    def _all_above(self) -> Iterator[Loader]:
        at: Loader | None = self
        while at is not None:
            yield at
            at = at.above

    def _elsewhere(self, remote: Remote, entry: str) -> Tree | None:
        if not self.tree.reaches:
            raise Rejected(
                f"{self.here}: {address.bare(entry)!r} is remote, and remote resources are not fetched; allow its host "
                "(the setting remoteResources.hosts, or --remote-host), copy it into the repository, or declare it as a source"
            )
        return self.tree.remote(remote)

    def origin_of(self, relative: str) -> Place:
        """The place of something named in this folder, from the built folder on."""
        return origins.joined(self.origin, relative)

    def file(self) -> str:
        """The name of the kustomization file here; '' when there is none. Raises `Rejected` for several."""
        found = [name for name in kustomization.NAMES if self.is_file(name)]
        if len(found) > 1:
            raise Rejected(f"Found multiple kustomization files under: {self.here} ({', '.join(found)}); keep one")
        return found[0] if found else ""

    def shown(self, name: str) -> str:
        """A name in this folder, for messages."""
        if address.is_url(name):
            return address.bare(name)
        path = "/".join(part for part in (self.root, name) if part)
        return f"{self._repository.shown}//{path}" if self._repository else path

    def _chain(self) -> list[str]:
        """This folder and those above it, as far as they are in the same tree."""
        return [self.root, *(self.above._chain() if self.above and not self._named else ())]

    def _restrict(self, path: str) -> None:
        real = self._real(path)
        if not _holds(self.root, real):
            raise Rejected(
                f"security; file {path!r} is not in or below {self.here!r}; "
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


def _first_asked(entries: Iterable[str]) -> Iterator[Remote]:
    """What each address is asked for first: a file, where it could be one."""
    for entry in entries:
        repository = address.repository(entry)
        if address.is_url(entry) and not (repository and repository.certain):
            yield address.file(entry)
        elif repository:
            yield repository.remote


def _holds(folder: str, path: str) -> bool:
    return not folder or path == folder or path.startswith(folder + "/")
