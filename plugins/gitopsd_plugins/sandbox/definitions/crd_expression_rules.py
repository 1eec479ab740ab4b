"""Whether the rules in CEL of a custom resource definition's schema can be used: texts, reasons, paths, and that they compile.

It sees one place of a schema as the definition has it. What a rule costs at worst is not estimated, and fields have no types.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gitopsd_plugins.sandbox.definitions import crd_expressions
from gitopsd_plugins.sandbox.expressions import expression_process, expressions
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import causes
from gitopsd_plugins.sandbox.requests.status import Cause


def of_node(schema: Json, path: str, lost: str) -> Iterator[Cause]:
    """What is wrong with the rules of one place.

    `lost` is the path of the list or map above in which values of before cannot be found again; '' for none.
    """
    for index, rule in enumerate(schema.get(crd_expressions.KEYWORD) or ()):
        where = f"{path}.{crd_expressions.KEYWORD}[{index}]"
        yield from _texts(rule, where)
        shown = rule.get("fieldPath")
        if shown and not _leads_somewhere(shown, schema):
            yield causes.wrong(f"{where}.fieldPath", shown, "must be a valid path")
        if rule.get("rule", "").strip():
            yield from _compiled(rule, where, lost)


def unchecked(definition: Json) -> Iterator[str]:
    """What a definition asks for that the sandbox will not check, as warnings."""
    for version in (definition.get("spec") or {}).get("versions") or ():
        schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
        for rule in _all(schema):
            try:
                expressions.compiled(rule.get("rule", ""), optional=bool(rule.get("optionalOldSelf")))
            except expressions.Unknown as error:
                yield f"the sandbox does not check the rule {causes.in_order(rule.get('rule', ''))}: {error}"


def _all(schema: Any) -> Iterator[Json]:
    if isinstance(schema, dict):
        yield from schema.get(crd_expressions.KEYWORD) or ()
        for value in (
            *(schema.get("properties") or {}).values(),
            schema.get("items"),
            schema.get("additionalProperties"),
        ):
            yield from _all(value)


def _texts(rule: Json, where: str) -> Iterator[Cause]:
    text, message, told = rule.get("rule", ""), rule.get("message", ""), rule.get("messageExpression", "")
    if not text.strip():
        yield causes.required(f"{where}.rule", "rule is not specified")
    if message and not message.strip():
        yield causes.wrong(f"{where}.message", message, "must be non-empty if specified")
    elif "\n" in message.strip():
        yield causes.wrong(f"{where}.message", message, "must not contain line breaks")
    elif "\n" in text.strip() and not message:
        yield causes.required(f"{where}.message", "message must be specified if rule contains line breaks")
    if told and not told.strip():
        yield causes.required(f"{where}.messageExpression", "messageExpression must be non-empty if specified")
    if (reason := rule.get("reason")) is not None and reason not in crd_expressions.REASONS:
        yield causes.unsupported(f"{where}.reason", reason, crd_expressions.REASONS)


def _compiled(rule: Json, where: str, lost: str) -> Iterator[Cause]:
    optional = bool(rule.get("optionalOldSelf"))
    try:
        found = expressions.compiled(rule["rule"], optional=optional)
        expression_process.process().start()  # for the first object, which would wait for it
    except expressions.Unknown:
        return  # said in a warning
    except expressions.Unreadable as error:
        yield _unusable(f"{where}.rule", rule, f"compilation failed: {error}")
        return
    if found.gives not in ("BOOL", "DYN"):
        yield _unusable(f"{where}.rule", rule, "cel expression must evaluate to a bool")
    if found.uses_old and lost:
        why = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {lost}"
        yield causes.wrong(f"{where}.rule", rule["rule"], why)
    if optional and not found.uses_old:
        yield causes.wrong(f"{where}.optionalOldSelf", True, "may not be set if oldSelf is not used in rule")
    if rule.get("messageExpression", "").strip():
        yield from _message(rule, f"{where}.messageExpression")


def _message(rule: Json, where: str) -> Iterator[Cause]:
    try:
        found = expressions.compiled(rule["messageExpression"])
    except expressions.Unknown:
        return
    except expressions.Unreadable as error:
        yield _unusable(where, rule, f"messageExpression compilation failed: {error}")
        return
    if found.gives not in ("STRING", "DYN"):
        yield _unusable(where, rule, "messageExpression must evaluate to a string")


_GO_NAMES = ("rule", "message", "messageExpression", "reason", "fieldPath", "optionalOldSelf")
_NOTHING = {"reason": None, "optionalOldSelf": None}


def _unusable(where: str, rule: Json, why: str) -> Cause:
    """An error that shows the whole rule, as Go's type has it."""
    whole = {name[0].upper() + name[1:]: rule.get(name, _NOTHING.get(name, "")) for name in _GO_NAMES}
    shown = causes.in_order(whole)
    for sign in "<>&":
        shown = shown.replace(sign, f"\\u{ord(sign):04x}")
    return Cause(where, "FieldValueInvalid", f"Invalid value: {shown}: {why}")


_STEP = re.compile(r"\.([^.\[\]]+)|\['((?:[^'\\]|\\.)*)'\]")


def _leads_somewhere(path: str, schema: Json) -> bool:
    """Whether a rule's `fieldPath` names a field of its schema."""
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            return False
        name, at = step[1] or step[2].replace("\\'", "'"), step.end()
        below = (schema.get("properties") or {}).get(name)
        if not schema.get("properties"):
            below = schema.get("additionalProperties")
        if not isinstance(below, dict):
            return False
        schema = below
    return True
