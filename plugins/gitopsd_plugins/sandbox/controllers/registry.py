"""Which controllers look at which kind of object, and who is told when one is gone."""

from __future__ import annotations

from collections.abc import Callable

from gitopsd_plugins.sandbox.cluster import Cluster
from gitopsd_plugins.sandbox.store import CollectionKey, Stored

Controller = Callable[[Cluster, Stored], float | None]

_OF: dict[CollectionKey, tuple[Controller, ...]] = {}


def of(collection: CollectionKey) -> tuple[Controller, ...]:
    """The controllers of a collection, in order."""
    return _OF.get(collection, ())


def after_removal(cluster: Cluster, last: Stored) -> None:
    """Tell those who care that an object is gone."""
