"""Get, list and the start of a watch: selection, paging and resource versions as the API server has them.

A list with `limit` is consistent over its pages: the first page keeps the objects that it saw (they are never changed in
place, so that costs references only) for later pages. It knows no HTTP; it answers with bytes and watchers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.requests import list_options, negotiation, status
from gitopsd_plugins.sandbox.requests.call import Call, flag, whole
from gitopsd_plugins.sandbox.storage.store import Stored, encode
from gitopsd_plugins.sandbox.views import selectors, views
from gitopsd_plugins.sandbox.views.views import View
from gitopsd_plugins.sandbox.views.watch import Watcher

if TYPE_CHECKING:
    from gitopsd_plugins.sandbox.views.tables import Printer


def found(cluster: Cluster, call: Call) -> Stored:
    """The object that a request names. Raises `Refused` (404)."""
    target = call.target
    stored = cluster.store.get(target.resource.key, (target.namespace, target.name))
    if stored is None:
        raise status.not_found(target.resource.group, target.resource.plural, target.name)
    return stored


def selected(cluster: Cluster, call: Call, version: int) -> list[Stored]:
    """The objects of a collection that the request selects, as they were at a version, by namespace and name."""
    target = call.target
    predicate = selectors.combined(
        target.resource, call.query.get("labelSelector", ""), call.query.get("fieldSelector", "")
    )
    objects = [
        stored
        for key, stored in cluster.store.at(version, target.resource.key).items()
        if (not target.namespace or key[0] == target.namespace) and (predicate is None or predicate(stored.body))
    ]
    objects.sort(key=_key)
    return objects


def _key(stored: Stored) -> tuple[str, str]:
    return stored.key


class Page(Struct, frozen=True):
    """Objects of a list, all or as many as were wanted, and the metadata of the list."""

    objects: list[Stored]
    metadata: dict[str, object]


def page(cluster: Cluster, call: Call) -> Page:
    """What a list shows. Raises `Refused`."""
    list_options.check(call)
    if token := call.query.get("continue"):
        version, objects = cluster.pages.rest(token)
    else:
        version = _listed_version(cluster, call)
        objects = selected(cluster, call, version)
    limit = _limit(call)
    metadata: dict[str, object] = {"resourceVersion": str(version)}
    if 0 < limit < len(objects):
        metadata["continue"] = cluster.pages.keep(version, objects[limit:])
        if not call.query.get("labelSelector") and not call.query.get("fieldSelector"):
            metadata["remainingItemCount"] = len(objects) - limit
        objects = objects[:limit]
    return Page(objects, metadata)


def listed(cluster: Cluster, call: Call) -> bytes:
    """The answer to a list."""
    found = page(cluster, call)
    if _wants_table(call):
        return _printer(cluster, call).many(call.resource, found.objects, found.metadata)
    return shown(call, found)


def shown(call: Call, found: Page) -> bytes:
    """A list as JSON."""
    resource, kind, version = call.resource, call.resource.kind, call.resource.api_version
    view: View = views.item
    if _is_partial(call.form):
        view, kind, version = views.partial(call.form.version), negotiation.PARTIAL, call.form.version
    items = b",".join([view(resource, stored) for stored in found.objects])
    metadata = {"continue": "", **found.metadata} if resource.custom else found.metadata
    start = b'{"kind":"%sList","apiVersion":"%s","metadata":' % (kind.encode(), version.encode())
    return b"".join((start, encode(metadata), b',"items":[', items, b"]}"))


def _is_partial(form: negotiation.Form) -> bool:
    """Whether only metadata is wanted."""
    return form.shape in (negotiation.PARTIAL, negotiation.PARTIAL_LIST)


def view(cluster: Cluster, call: Call) -> View:
    """How single objects are shown in the answer."""
    if _wants_table(call):
        return _printer(cluster, call).one
    return views.partial(call.form.version) if _is_partial(call.form) else views.whole


def _printer(cluster: Cluster, call: Call) -> Printer:
    from gitopsd_plugins.sandbox.views import tables

    include = call.query.get("includeObject", "")
    return tables.Printer(cluster.settings.clock, include, call.form.version, repeats=call.verb != "watch")


def _wants_table(call: Call) -> bool:
    """Whether a read is for people: kubectl asks for a table first."""
    return call.form.shape == negotiation.TABLE and call.verb in ("get", "list", "watch")


def _limit(call: Call) -> int:
    """How many objects of a list are wanted, 0 for all. Whoever takes any version gets what is at hand, which is all of it."""
    limit = whole(call.query, "limit")
    return 0 if call.query.get("resourceVersion") == "0" else limit


def _asked_version(call: Call) -> int | None:
    """The resourceVersion option; None when it is not set. Raises `Refused`."""
    text = call.query.get("resourceVersion", "")
    if not text:
        return None
    is_whole = text.isascii() and text.isdigit()
    if is_whole and len(text) <= _LONGEST_VERSION and int(text) < 2**64:
        return int(text)
    why = f'strconv.ParseUint: parsing "{text}": {"value out of range" if is_whole else "invalid syntax"}'
    told = f'resourceVersion: Invalid value: "{text}": {why}'
    if call.verb in ("get", "watch"):
        raise status.Refused(500, "", told)
    raise status.bad_request(f"invalid resource version: {told}")


_LONGEST_VERSION = 40
"""Digits, more than any number of 64 bits needs."""


def check_version(cluster: Cluster, call: Call) -> None:
    """Refuse to show a version that the cluster has not reached; one that is past is met by any later one. Raises `Refused`."""
    asked, now = _asked_version(call), cluster.store.version
    if asked is not None and asked > now:
        raise too_large(asked, now)


def _listed_version(cluster: Cluster, call: Call) -> int:
    """The version that a list shows: an exact one, or now. Raises `Refused` for one that is ahead, or an exact one that is forgotten."""
    check_version(cluster, call)
    asked, match = _asked_version(call), call.query.get("resourceVersionMatch", "")
    if not asked or not (match == "Exact" or (not match and whole(call.query, "limit") > 0)):
        return cluster.store.version
    if asked < cluster.store.forgotten:
        raise status.expired("The resourceVersion for the provided list is too old.")
    return asked


def too_large(asked: int, now: int) -> status.Refused:
    """504 for a version that the server has not reached."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    details = {"causes": [cause], "retryAfterSeconds": 1}
    message = f"Timeout: Too large resource version: {asked}, current: {now}"
    return status.Refused(504, "Timeout", message, details=details, retry_after=1)


def watch(cluster: Cluster, call: Call) -> Watcher:
    """An open watch with all that it must send first. Raises `Refused`."""
    list_options.check_watch(call)
    target = call.target
    predicate = selectors.combined(
        target.resource, call.query.get("labelSelector", ""), call.query.get("fieldSelector", "")
    )
    namespace = target.namespace
    watcher = Watcher(target.resource, namespace, predicate, view(cluster, call))
    asked, bookmarks = _asked_version(call), flag(call.query, "allowWatchBookmarks")
    initial = call.query.get("sendInitialEvents")
    now = cluster.store.version
    if flag(call.query, "sendInitialEvents") or (initial is None and asked in (None, 0)):
        watcher.begin_with(selected(cluster, call, now))
        if initial and bookmarks:
            watcher.bookmark(now, initial_end=True)
    elif asked and asked < cluster.store.forgotten:
        body = status.expired(f"too old resource version: {asked} ({cluster.store.forgotten})").body
        watcher.push(views.event("ERROR", encode(body)))
        watcher.end()
    else:
        watcher.catch_up(cluster.store.since(now if asked is None else asked, target.resource.key))
    cluster.watchers.add(watcher)
    return watcher
