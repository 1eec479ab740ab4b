"""Tables: what `kubectl get` asks for, one row per object with the columns of its kind.

Built-in kinds have the columns of `columns.py`, custom resources those of their definition; all others have name and age. It
knows objects and no requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from gitopsd_plugins.sandbox.facts.resources import Resource
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.storage.store import Stored, encode
from gitopsd_plugins.sandbox.views import columns, views
from gitopsd_plugins.sandbox.views.columns import AGE, Column


def _of(resource: Resource) -> tuple[Column, ...]:
    """The columns of a resource after the name."""
    if resource.columns:
        return tuple(map(_declared, resource.columns))
    if resource.custom:
        return (Column("Age", AGE.cell, "date"),)
    return columns.OF.get(resource.key, (AGE,))


def _declared(column: Json) -> Column:
    """A column of a custom resource's definition."""
    kind = column.get("type", "string")

    def cell(body: Json, now: datetime) -> Any:
        value = columns.at(body, column["jsonPath"])
        return columns.age(value, now) if kind == "date" and value is not None else value

    return Column(column["name"], cell, kind, column.get("priority", 0))


def _definition(column: Column) -> Json:
    form = "name" if column.name == "Name" else ""
    return {"name": column.name, "type": column.kind, "format": form, "description": "", "priority": column.priority}


NAME = Column("Name", lambda body, _: body["metadata"]["name"])


@dataclass(slots=True)
class Printer:
    """Prints tables for one request; a watch names its columns in the first one only."""

    now: Callable[[], datetime]
    include: str = ""
    """What rows carry beside their cells: `None`, `Object`, or the metadata."""
    version: str = "meta.k8s.io/v1"
    repeats: bool = True
    _printed: bool = False

    def one(self, resource: Resource, stored: Stored) -> bytes:
        """One object as a table."""
        return self.many(resource, [stored], {"resourceVersion": str(stored.version)})

    def many(self, resource: Resource, objects: Iterable[Stored], metadata: Json) -> bytes:
        """The objects as a table."""
        now = self.now()
        shown = (NAME, *_of(resource))
        rows = [
            {"cells": [column.cell(each.body, now) for column in shown], **self._object(resource, each)}
            for each in objects
        ]
        definitions = list(map(_definition, shown)) if self.repeats or not self._printed else None
        self._printed = True
        start = {"kind": "Table", "apiVersion": self.version, "metadata": metadata}
        return encode({**start, "columnDefinitions": definitions, "rows": rows})

    def _object(self, resource: Resource, stored: Stored) -> Json:
        if self.include == "None":
            return {}
        if self.include == "Object":
            return {"object": msgspec.Raw(views.whole(resource, stored))}
        return {"object": msgspec.Raw(views.partial(self.version)(resource, stored))}
