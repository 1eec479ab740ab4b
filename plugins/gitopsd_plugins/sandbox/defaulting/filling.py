"""Fills in what is missing: defaults of schemas, and the small steps of which the defaults of kinds are made.

Nothing is changed in place; parts that need nothing keep their identity, so that applying the same again costs little. Most of a
schema needs nothing, which is found out once for each (`Plan`). It knows schemas and no kinds (`defaults.py`, `pod_defaults.py`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal

from msgspec import Struct, field

from gitopsd_plugins.sandbox.facts.schema import Json, Schema


def fill(value: Any, schema: Schema) -> Any:
    """`value` with the defaults of its schema, everywhere below."""
    return _carried_out("fill", value, schema)


def zeroed(value: Any, schema: Schema) -> Any:
    """`value` with what Go writes for fields that nobody set, everywhere below."""
    return _carried_out("zero", value, schema)


def hollowed(value: Any, schema: Schema) -> Any:
    """`value` as it comes back from storage, which does not tell an empty list that is always written from none."""
    return _carried_out("hollow", value, schema)


def _carried_out(purpose: Purpose, value: Any, schema: Schema) -> Any:
    plan = _plan(purpose, schema)
    return value if plan is None else plan.carried_out(value)


Purpose = Literal["fill", "zero", "hollow"]


class Plan(Struct, eq=False):
    """What is to be done with values of one schema. It has the places below where there is something to do, and no others."""

    added: Mapping[str, Any] = field(default_factory=dict)
    """What fields get that are not there; a null counts as a value."""
    emptied: frozenset[str] = frozenset()
    """Fields of which an empty list or map becomes null."""
    below: dict[str, Plan | None] = field(default_factory=dict)
    others: Plan | None = None
    """For keys of a map that are not in `below`."""
    items: Plan | None = None
    """For the items of a list."""

    def carried_out(self, value: Any) -> Any:
        """The value after the plan; itself where nothing was to be done."""
        if isinstance(value, dict):
            return self._in_map(value)
        if not isinstance(value, list) or self.items is None:
            return value
        items = [self.items.carried_out(item) for item in value]
        return value if all(map(operator.is_, items, value)) else items

    def _in_map(self, value: Json) -> Json:
        result = value
        if not self.added.keys() <= value.keys():
            result = {**value, **{name: _copy(each) for name, each in self.added.items() if name not in value}}
        below, others, emptied = self.below, self.others, self.emptied
        changed: Json = {}
        for name, item in result.items():
            if not isinstance(item, _CONTAINERS):
                continue  # most of what objects hold
            if not item and name in emptied:
                changed[name] = None
            elif (plan := below.get(name, others)) is not None and (new := plan.carried_out(item)) is not item:
                changed[name] = new
        return {**result, **changed} if changed else result


_CONTAINERS = (dict, list)


@lru_cache(maxsize=1024)
def _plan(purpose: Purpose, schema: Schema) -> Plan | None:
    """The plan for values of a schema; None where there is nothing to do."""
    nodes = _reachable(schema)
    own = {node: _own(purpose, node) for node in nodes}
    plans = {node: plan for node, plan in own.items() if plan.added or plan.emptied}
    while more := [node for node in nodes if node not in plans and any(each in plans for each in nodes[node])]:
        plans |= {node: own[node] for node in more}
    for node, plan in plans.items():
        _link(node, plan, plans)
    return plans.get(schema)


def _own(purpose: Purpose, schema: Schema) -> Plan:
    """What is to be done at one place."""
    if schema.shape != "map":
        return Plan()
    match purpose:
        case "fill":
            return Plan(added=schema.defaults)
        case "zero":
            return Plan(added=schema.zeros)
    return Plan(emptied=frozenset(name for name in schema.zeros if _may_be_empty(schema.child(name))))


def _may_be_empty(schema: Schema | None) -> bool:
    return schema is not None and schema.shape != "scalar"


def _link(schema: Schema, plan: Plan, plans: Mapping[Schema, Plan]) -> None:
    below = plans.get(schema.element) if schema.element is not None else None
    if schema.shape == "list":
        plan.items = below
    elif schema.shape == "map":
        plan.others = below
        plan.below = {
            name: plans.get(each) for name, each in schema.fields.items() if below is not None or each in plans
        }


def _reachable(schema: Schema) -> dict[Schema, list[Schema]]:
    """All nodes from here on, with those directly below each."""
    found: dict[Schema, list[Schema]] = {}
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found[node] = [*node.fields.values(), *([node.element] if node.element is not None else [])]
            waiting.extend(found[node])
    return found


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copy(item) for name, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def with_missing(value: Json, **defaults: Any) -> Json:
    """`value` with those of `defaults` that it lacks."""
    if defaults.keys() <= value.keys():
        return value
    return {**defaults, **value}


def changed(value: Json, name: str, change: Callable[[Any], Any]) -> Json:
    """`value` with one field changed, where it has it."""
    if name not in value:
        return value
    new = change(value[name])
    return value if new is value[name] else {**value, name: new}


def each(change: Callable[[Json], Json]) -> Callable[[list[Json]], list[Json]]:
    """The change of a list that changes each item."""

    def change_all(items: list[Json]) -> list[Json]:
        result = [change(item) for item in items]
        return items if all(new is old for new, old in zip(result, items, strict=True)) else result

    return change_all


@lru_cache(maxsize=256)
def skeleton(schema: Schema) -> Json:
    """An object of this type with nothing in it but what Go always writes: plain structs and zeros.

    Fields are compared with it to see what a create adds. Not to be changed.
    """
    return _bare(schema)


def _bare(schema: Schema) -> Json:
    result: Json = dict(schema.zeros)
    for name, below in schema.fields.items():
        if schema.defaults.get(name) == {}:
            result[name] = _bare(below)
    return result
