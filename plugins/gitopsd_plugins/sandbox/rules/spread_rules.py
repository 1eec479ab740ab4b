"""What is wrong with how a pod asks to be spread over nodes (`topologySpreadConstraints`)."""

from __future__ import annotations

from collections.abc import Iterator

from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import causes
from gitopsd_plugins.sandbox.requests.status import Cause

_STRICT = "DoNotSchedule"
_WAYS = (_STRICT, "ScheduleAnyway")
_POLICIES = ("Honor", "Ignore")


def of(constraints: list[Json], path: str) -> Iterator[Cause]:
    """All of a pod's."""
    pairs = [(constraint.get("topologyKey", ""), constraint.get("whenUnsatisfiable", "")) for constraint in constraints]
    for index, constraint in enumerate(constraints):
        where = f"{path}[{index}]"
        key, way = pairs[index]
        if constraint.get("maxSkew", 0) <= 0:
            yield causes.wrong(f"{where}.maxSkew", constraint.get("maxSkew", 0), "must be greater than zero")
        if not key:
            yield causes.required(f"{where}.topologyKey", "can not be empty")
        if way not in _WAYS:
            yield causes.unsupported(f"{where}.whenUnsatisfiable", way, _WAYS)
        if (key, way) in pairs[index + 1 :]:
            pair = f'Duplicate value: "{{{key}, {way}}}"'
            yield Cause(f"{where}.{{topologyKey, whenUnsatisfiable}}", "FieldValueDuplicate", pair)
        yield from _refined(constraint, way, where)


def _refined(constraint: Json, way: str, where: str) -> Iterator[Cause]:
    least = constraint.get("minDomains")
    if least is not None and least <= 0:
        yield causes.wrong(f"{where}.minDomains", least, "must be greater than zero")
    if least is not None and way != _STRICT:
        why = f"can only use minDomains if whenUnsatisfiable={_STRICT}, not {way}"
        yield causes.wrong(f"{where}.minDomains", least, why)
    for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        if constraint.get(field) is not None and constraint[field] not in _POLICIES:
            yield causes.unsupported(f"{where}.{field}", constraint[field], _POLICIES)
    if constraint.get("matchLabelKeys") and constraint.get("labelSelector") is None:
        why = "Forbidden: must not be specified when labelSelector is not set"
        yield Cause(f"{where}.matchLabelKeys", "FieldValueForbidden", why)
