"""`spec.recurseSubmodules`: the files of other repositories that a commit names, each through a cache of its own.

At most one cache is held at a time: two repositories that hold each other as submodules would else wait for one another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dulwich.repo import Repo

from gitopsd.plugin import Intake, Rejected
from gitopsd.plugin.sources import ignore
from gitopsd_plugins.git import bring, cached, content, gitmodules, listing
from gitopsd_plugins.git.content import NOBODY, Guests
from gitopsd_plugins.git.listing import Leaf, Listing, Trees, shown
from gitopsd_plugins.git.order import FetchOrder
from gitopsd_plugins.git.packs.objects import GitObjects
from gitopsd_plugins.git.reference import FAILED

MAX_DEPTH = 10
MAX_COUNT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Nest:
    """A commit whose submodules are wanted: what it names, below which path it stands, and what led here."""

    order: FetchOrder
    found: Listing
    modules: str
    prefix: str = ""
    led_by: tuple[tuple[str, str], ...] = ()
    """Address and commit of each repository on the way, the outermost first."""


def modules_of(objects: GitObjects, found: Listing) -> str:
    """The text of `.gitmodules`; '' without one. Raises `Rejected` for one that is too large."""
    leaf = found.leaves.get(gitmodules.FILE)
    if leaf is None:
        return ""
    data = objects.blob(leaf.oid)
    if len(data) > gitmodules.MAX_BYTES:
        raise Rejected(f"{gitmodules.FILE}: more than {gitmodules.MAX_BYTES >> 20} MiB", reason=FAILED)
    return data.decode("utf-8", "replace")


def gather(nest: Nest, intake: Intake) -> Guests:
    """The files of all submodules, and of theirs. Raises `Rejected` naming the path of the first that cannot be had."""
    guests, todo, count = NOBODY, [nest], 0
    ignores = dict(nest.found.ignores)
    while todo:
        at = todo.pop()
        urls = gitmodules.parse(at.modules)
        rules = ignore.rules(ignores, nest.order.rules.ignore)
        for path in at.found.submodules:
            if rules.excludes((at.prefix + path).split("/")):
                continue
            count += 1
            if count > MAX_COUNT:
                raise Rejected(
                    f"{nest.order.place}: more than {MAX_COUNT} submodules; leave some out with spec.ignore",
                    reason=FAILED,
                )
            inner, files = _brought(at, path, urls, ignores, intake)
            guests = guests.joined(files)
            ignores.update(files.ignores)
            if len(guests.entries) > nest.order.limits.entries:
                most = f"{nest.order.limits.entries:,}"
                raise Rejected(
                    f"{nest.order.place}: more than {most} files with all submodules; leave some out with spec.ignore",
                    reason=FAILED,
                )
            todo.append(inner)
    return guests


def _brought(
    at: Nest, path: str, urls: Mapping[str, str], ignores: Mapping[str, str], intake: Intake
) -> tuple[Nest, Guests]:
    whole = at.prefix + path
    given = _order(at, path, whole, urls)
    led_by = (*at.led_by, (at.order.remote.address.url, at.order.commit))
    if (given.remote.address.url, given.commit) in led_by:
        raise Rejected(f"submodule {shown(whole)!r}: it holds itself", reason=FAILED)
    if len(led_by) > MAX_DEPTH:
        raise Rejected(
            f"submodule {shown(whole)!r}: deeper than {MAX_DEPTH} submodules; leave it out with spec.ignore",
            reason=FAILED,
        )

    def read(repo: Repo, objects: GitObjects) -> tuple[Nest, Guests]:
        if not objects.has(given.commit):
            bring.commit(repo, objects, given)
        found = listing.read(Trees(objects), given)
        nest = Nest(order=given, found=found, modules=modules_of(objects, found), prefix=f"{whole}/", led_by=led_by)
        return nest, _files(objects, nest, ignores, intake)

    return cached.through(given, read)


def _files(objects: GitObjects, nest: Nest, ignores: Mapping[str, str], intake: Intake) -> Guests:
    own = {f"{nest.prefix}{folder}".rstrip("/"): text for folder, text in nest.found.ignores.items()}
    rules = ignore.rules({**ignores, **own}, nest.order.rules.ignore)
    leaves: dict[str, Leaf] = {nest.prefix + path: leaf for path, leaf in nest.found.leaves.items()}
    placed = Listing(leaves=leaves, ignores={})
    return Guests(entries=content.entries(objects, placed, rules, nest.order, intake), ignores=own)


def _order(at: Nest, path: str, whole: str, urls: Mapping[str, str]) -> FetchOrder:
    parent = at.order.remote
    if path not in urls:
        raise Rejected(f"submodule {shown(whole)!r}: {gitmodules.FILE} has no url for it", reason=FAILED)
    place = gitmodules.resolve(urls[path], whole, parent.address)
    opened = gitmodules.opening(place, parent.address, parent.access, whole)
    return FetchOrder(
        remote=replace(parent, address=place, access=opened),
        cache=at.order.cache,
        commit=at.found.leaves[path].oid,
        rules=at.order.rules,
        limits=at.order.limits,
    )
