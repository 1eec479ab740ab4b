"""Answers without what no two servers have in common: uids, versions, times and addresses become numbers of first sight.

So the pattern stays: whether a write changed the version, whether an object is still the same one, is compared.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from contract.differential.servers import Answer, Json

_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_RECORD = re.compile(r"(in record|RV in record) \(?(\d+)\)?")
_ADDRESS = re.compile(r"10\.0\.\d+\.\d+")
_PORT = re.compile(r"\b3[0-2]\d\d\d\b")
_SUFFIX = re.compile(r"(gen-)[a-z0-9]{5}\b")
_OBJECT = re.compile(r'"(\{|map\[)(?:[^"\\]|\\.)*[\]}]"')
_CONVERTED = re.compile(r"OBJECT: .*(cannot convert|cannot unmarshal|error decoding|illegal base64).*")
"""How Go tells a wrong type depends on the way by which it came to it."""
_UNTYPED = re.compile(r"(failed to create typed patch object [^:]*): .*", re.DOTALL)
"""Which of several errors are told depends on the order of Go's maps."""
_DUMP = re.compile(r"Invalid value: \{.*\}: field is immutable")
"""An object as Go's internal types have it, field names and all."""
"""An object that is quoted as a text inside a message, with all its versions and times."""


_WRITTEN = ("endpoints", "limits", "ports", "rules")
"""Lists that are written when they are empty, as `[]` or as null: a real server shows now the one, now the other."""


@dataclass(slots=True)
class Names:
    """The numbers that one server's values got in one sequence."""

    seen: dict[str, str] = field(default_factory=dict)

    def of(self, kind: str, value: str) -> str:
        """The same for the same value, another for each other."""
        count = sum(name.startswith(kind) for name in self.seen.values())
        return self.seen.setdefault(f"{kind} {value}", f"{kind}-{count}")

    def answer(self, answer: Answer) -> Any:
        """Status, body and warnings, comparable between servers."""
        return [answer.status, self._refusal(self.clean(answer.body)), sorted(map(self._text, answer.warnings))]

    def _refusal(self, body: Any) -> Any:
        """A refusal with causes tells them in its message again, in an order that is Go's map order in places."""
        if not isinstance(body, dict) or body.get("kind") != "Status":
            return body
        causes = (body.get("details") or {}).get("causes") or []
        return {**body, "message": ""} if causes else body

    def clean(self, value: Any, key: str = "") -> Any:
        """The value without what differs."""
        if isinstance(value, dict):
            return {name: self._field(name, value[name]) for name in sorted(value)}
        if isinstance(value, list):
            items = [self.clean(item) for item in value]
            if key == "causes":  # a real server finds some twice, by its old rules and by its new ones
                return sorted(unique(items), key=_text)
            return sorted(items, key=_text) if key == "managedFields" else items
        return self._text(value) if isinstance(value, str) else value

    def _field(self, name: str, item: Any) -> Any:
        if name == "resourceVersion" and isinstance(item, str) and item:
            return self.of("version", item)
        if name in ("nodePort", "healthCheckNodePort") and isinstance(item, int) and item >= 30000:
            return "PORT"
        if item == [] and name in _WRITTEN:
            return None
        if name == "continue":
            return bool(item)
        return self.clean(item, name)

    def _text(self, value: str) -> str:
        value = _UID.sub(lambda found: self.of("uid", found[0]), value)
        value = _ADDRESS.sub("ADDRESS", value)
        value = _RECORD.sub(r"\1 (VERSION)", _TIME.sub("TIME", value))
        value = _UNTYPED.sub(r"\1", value)
        value = _DUMP.sub("Invalid value: OBJECT: field is immutable", value)
        value = value.partition("\n@@")[0]  # a difference of two Go structs, which only Go can print
        value = _OBJECT.sub("OBJECT", _SUFFIX.sub(r"\1SUFFIX", value))
        return _CONVERTED.sub("OBJECT: WRONG TYPE", value)


def unique(items: list[Any]) -> list[Any]:
    """The items without repetitions."""
    return [item for index, item in enumerate(items) if item not in items[:index]]


def _text(item: Any) -> str:
    return json.dumps(item, sort_keys=True)


def listed(body: Json) -> Json:
    """A list without its own version, which other writes of a server move too."""
    return {**body, "metadata": {key: item for key, item in body["metadata"].items() if key != "resourceVersion"}}
