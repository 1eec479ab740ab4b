"""PURE. Which rights the plans of an app need: exactly the verbs, kinds and namespaces that occur in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gitopsd.model.change import Action, Change
from gitopsd.model.rights import Need

_READ = ("get", "list", "watch")
_WRITES: Mapping[Action, tuple[str, ...]] = {
    # a server-side apply of what is not there yet is a patch that creates
    Action.CREATE: ("create", "patch"),
    Action.UPDATE: ("patch",),
    Action.ADOPT: ("patch",),
    Action.RECREATE: ("create", "patch", "delete"),
    Action.DELETE: ("delete",),
}
_ORDER = (*_READ, "create", "patch", "delete")


def of_records(namespace: str, *, exists: bool) -> tuple[Need, ...]:
    """What gitopsd needs for its own records and its lease; the namespace is made where it is not there."""
    records = Need(
        group="",
        version="v1",
        kind="ConfigMap",
        namespace=namespace,
        verbs=("get", "list", "create", "update", "delete"),
    )
    lease = Need(
        group="coordination.k8s.io",
        version="v1",
        kind="Lease",
        namespace=namespace,
        verbs=("get", "create", "update"),
    )
    made = Need(group="", version="v1", kind="Namespace", namespace="", verbs=("create",))
    return (records, lease) if exists else (records, lease, made)


def of(changes: Iterable[Change], *, write: bool) -> tuple[Need, ...]:
    """What these changes need, reading included, once for each kind and namespace; without `write` only that."""
    verbs: dict[tuple[str, str, str, str], set[str]] = {}
    for change in changes:
        version = change.manifest.version if change.manifest else change.live.version if change.live else ""
        key = (change.id.group, version, change.id.kind, change.id.namespace)
        verbs.setdefault(key, set(_READ)).update(_WRITES.get(change.action, ()) if write else ())
    return tuple(
        Need(group=group, version=version, kind=kind, namespace=namespace, verbs=tuple(v for v in _ORDER if v in found))
        for (group, version, kind, namespace), found in sorted(verbs.items())
    )
