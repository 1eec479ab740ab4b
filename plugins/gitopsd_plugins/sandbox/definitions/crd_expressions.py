"""Checks custom resources by the rules in CEL of their schema (`x-kubernetes-validations`), with the object before where there is one.

A rule that a value broke before, and that is broken as before, is a warning only. What is said follows the API server's words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gitopsd_plugins.sandbox.definitions import crd, crd_rules
from gitopsd_plugins.sandbox.expressions import expression_process, expression_values, expressions
from gitopsd_plugins.sandbox.expressions.expressions import Expression, Variables
from gitopsd_plugins.sandbox.facts.resources import Resource
from gitopsd_plugins.sandbox.facts.schema import ANY, Json, Schema
from gitopsd_plugins.sandbox.requests.status import Cause
from gitopsd_plugins.sandbox.storage.store import encode

KEYWORD = "x-kubernetes-validations"
BUDGET = 50_000
"""Evaluations for one object."""
BLOCKING = {
    "FieldValueNotSupported",
    "FieldValueRequired",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
}
UNCHECKED = Cause(
    "<nil>",
    "FieldValueInvalid",
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)
SPENT = "validation failed due to running out of cost budget, no further validation rules will be run"
MESSAGE_LIMIT = 5 * 1024
"""Bytes that a rule's own message may have."""


def of(resource: Resource, body: Json, live: Json | None, warnings: list[str], found: Sequence[Cause]) -> list[Cause]:
    """What is wrong with a custom resource beyond `found`; warnings are added to `warnings`."""
    if not resource.schema.has_expressions:
        return []
    if any(cause.reason in BLOCKING for cause in found):
        return [UNCHECKED]
    if expressions.missing():  # then nothing is evaluated, and each rule is told
        return judged(body, live, resource.schema, warnings)
    return _asked({"schema": resource.declared, "value": body, "old": live}, resource.schema, warnings)


def of_value(value: Any, schema: Json, path: str) -> list[Cause]:
    """What is wrong with a value that stands alone, such as a default; its schema is the definition's."""
    node = crd.node_of(schema)
    if not node.has_expressions or expressions.missing():
        return []
    return _asked({"schema": schema, "value": value, "path": path}, node, [])


def _asked(question: Json, schema: Schema, warnings: list[str]) -> list[Cause]:
    """What the process for it says of the rules (`expression_process.py`), or that they take more than there is for one object."""
    try:
        answer = msgspec.json.decode(expression_process.process().ask(encode(question)))
    except expression_process.Ended:
        return [_invalid(question.get("path") or "", schema, SPENT)]
    warnings.extend(answer["warnings"])
    return [Cause(*each) for each in answer["causes"]]


def judged(body: Json, live: Json | None, schema: Schema, warnings: list[str]) -> list[Cause]:
    """What is wrong with an object, evaluated here: for the process whose memory and time are bounded."""
    place = _Place(value=body, old=live, correlated=live is not None, path="", is_root=True)
    return sorted(_Check(warnings=warnings).node(place, schema), key=lambda cause: cause.field)


def judged_alone(value: Any, schema: Schema, path: str) -> list[Cause]:
    """As `judged`, for a value that stands alone."""
    return list(_Check(warnings=[]).node(_Place(value=value, old=None, correlated=False, path=path), schema))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A value, what stood there before (None for nothing), and whether that is known to be the same place."""

    value: Any
    old: Any
    correlated: bool
    path: str
    was_same: bool = False
    """Whether the nearest place above that is known from before did not change."""
    is_root: bool = False

    @property
    def is_same(self) -> bool:
        """Whether nothing changed here."""
        return self.value == self.old if self.correlated else self.was_same

    def below(self, path: str, value: Any, old: Any, *, correlated: bool) -> _Place:
        """A place below; None for `old` where it is new."""
        return _Place(value=value, old=old, correlated=self.correlated and correlated, path=path, was_same=self.is_same)


@dataclass(slots=True)
class _Check:
    """The check of one object."""

    warnings: list[str]
    left: int = BUDGET
    unknown: set[str] = field(default_factory=set)

    def node(self, place: _Place, schema: Schema) -> Iterator[Cause]:
        """What is wrong at a place and below."""
        if place.value is None or not schema.has_expressions:
            return
        for rule in schema.rules.get(KEYWORD, ()):
            yield from self._rule(rule, place, schema)
        if isinstance(place.value, dict):
            yield from self._map(place, schema)
        elif isinstance(place.value, list):
            yield from self._list(place, schema)

    def _map(self, place: _Place, schema: Schema) -> Iterator[Cause]:
        held = place.old if isinstance(place.old, dict) else {}
        for name, item in place.value.items():
            below = schema.fields.get(name)
            path = f"{place.path}.{name}" if place.path else name
            if below is None:
                below, path = schema.element or ANY, f"{place.path}[{name}]"
            old = None if schema.atomic else held.get(name)
            yield from self.node(place.below(path, item, old, correlated=not schema.atomic), below)

    def _list(self, place: _Place, schema: Schema) -> Iterator[Cause]:
        held = {}
        if schema.keys and isinstance(place.old, list):
            held = {crd_rules.identity(item, schema): item for item in place.old}
        for index, item in enumerate(place.value):
            old = held.get(crd_rules.identity(item, schema)) if schema.keys else None
            path = f"{place.path}[{index}]"
            yield from self.node(place.below(path, item, old, correlated=bool(schema.keys)), schema.element or ANY)

    def _rule(self, rule: Json, place: _Place, schema: Schema) -> Iterator[Cause]:
        try:
            expression = expressions.compiled(rule.get("rule", ""), optional=bool(rule.get("optionalOldSelf")))
        except expressions.Unreadable as error:  # a definition of an earlier version of the sandbox
            yield _invalid(place.path, schema, f"rule compile error: {error}")
            return
        except expressions.Unknown as error:
            self._skip(rule, str(error))
            return
        if expression.uses_old and place.old is None and not expression.optional:
            return
        self.left -= 1
        if self.left <= 0:
            if self.left == 0:
                yield _invalid(place.path, schema, SPENT)
            return
        yield from self._judged(rule, expression, place, schema)

    def _skip(self, rule: Json, why: str) -> None:
        """A rule that is not checked is told, once."""
        text = rule.get("rule", "").strip()
        if text not in self.unknown:
            self.unknown.add(text)
            self.warnings.append(f"the sandbox did not check the rule {encode(text).decode()}: {why}")

    def _judged(self, rule: Json, expression: Expression, place: _Place, schema: Schema) -> Iterator[Cause]:
        seen = _seen(place, schema)
        try:
            holds = expressions.evaluated(expression, seen)
        except expressions.Failed as error:
            yield _invalid(place.path, schema, _failure(str(error), rule))
            return
        if holds is True:
            return
        cause = _broken(rule, place, _message(rule, seen))
        if place.is_same and not expression.uses_old:
            self.warnings.append(f"{cause.field}: {cause.message}")
        else:
            yield cause


def _seen(place: _Place, schema: Schema) -> Variables:
    shown = _whole if place.is_root else expression_values.of
    old = () if place.old is None else (shown(place.old, schema),)
    return Variables(value=shown(place.value, schema), old=old)


def _whole(body: Json, schema: Schema) -> Any:
    """The object itself, without what is not its own."""
    return expression_values.of({name: item for name, item in body.items() if name in schema.fields}, schema)


def _told(rule: Json) -> str:
    return str(rule.get("message") or rule.get("rule", "")).strip()


def _failure(error: str, rule: Json) -> str:
    if error.startswith("no such overload"):
        why = "call arguments did not match a supported operator, function or macro signature for rule"
        return f"'{error}': {why}: {_told(rule)}"
    if error.startswith("operation cancelled"):
        why = "no further validation rules will be run due to call cost exceeds limit for rule"
        return f"'{error}': {why}: {_told(rule)}"
    return f"{error} evaluating rule: {_told(rule)}"


def _message(rule: Json, seen: Variables) -> str:
    """What the rule says when it is broken: by its expression, else by its text, else itself."""
    if text := rule.get("messageExpression"):
        try:
            found = expressions.evaluated(expressions.compiled(text), seen)
        except (expressions.Failed, expressions.Unknown, expressions.Unreadable):
            found = None  # as the API server: the text takes its place
        found = found.strip() if isinstance(found, str) else ""
        if found and "\n" not in found and len(found.encode()) <= MESSAGE_LIMIT:
            return found
    return _told(rule) if rule.get("message") else f"failed rule: {_told(rule)}"


def _invalid(path: str, schema: Schema, why: str) -> Cause:
    """An error of the rule itself, which tells the type in the place of the value."""
    kind = {"map": "object", "list": "array"}.get(schema.shape, schema.scalar)
    shown = encode("" if kind == "int-or-string" else kind).decode()
    return Cause(path or "<nil>", "FieldValueInvalid", f"Invalid value: {shown}: {why}")


def _broken(rule: Json, place: _Place, message: str) -> Cause:
    path = place.path
    if rule.get("fieldPath"):
        path = f"{path}.{normalized(rule['fieldPath'])}" if path else normalized(rule["fieldPath"])
    value = "" if isinstance(place.value, dict | list) else f": {encode(place.value).decode()}"
    reason = rule.get("reason") or "FieldValueInvalid"
    return Cause(path or "<nil>", reason, _REASONS[reason](value, message))


_REASONS: dict[str, Callable[[str, str], str]] = {
    "FieldValueDuplicate": lambda value, _: f"Duplicate value{value}",
    "FieldValueForbidden": lambda _, message: f"Forbidden: {message}",
    "FieldValueInvalid": lambda value, message: f"Invalid value{value}: {message}",
    "FieldValueRequired": lambda _, message: f"Required value: {message}",
}
REASONS = tuple(_REASONS)
"""What a rule may give as its reason."""


def normalized(path: str) -> str:
    """A rule's `fieldPath` as causes show it."""
    return path.replace("['", ".").replace("']", "").replace("\\'", "'").lstrip(".")
