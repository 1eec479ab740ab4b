"""Answers without what differs from server to server: uids, times, versions, addresses."""

from __future__ import annotations

import json
import re
from typing import Any

UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
RECORD = re.compile(r"in record \(\d+\)")
ADDRESS = re.compile(r"10\.0\.\d+\.\d+")


def answer(status: int, body: bytes, warnings: list[str]) -> Any:
    """Status, body and warnings of one answer, comparable between servers."""
    try:
        value = json.loads(body)
    except ValueError:
        value = body.decode()
    return [status, clean(value), warnings]


def unique(items: list[Any]) -> list[Any]:
    return [item for index, item in enumerate(items) if item not in items[:index]]


def text(item: Any) -> str:
    return json.dumps(item, sort_keys=True)


def clean(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: clean(item, name) for name, item in value.items() if name != "storageVersionHash"}
    if isinstance(value, list):
        items = [clean(item) for item in value]
        # a real server lists conflicts in random order, and some causes twice
        if key == "managedFields":  # they are in the order of their times, which two runs do not have in common
            return sorted(items, key=text)
        return sorted(unique(items), key=text) if key == "causes" else items
    if isinstance(value, str):
        if key in ("resourceVersion", "continue"):
            return key if value else ""
        for pattern, name in ((UID, "UID"), (TIME, "TIME"), (ADDRESS, "ADDRESS"), (RECORD, "in record (VERSION)")):
            value = pattern.sub(name, value)
        return value
    if key == "nodePort":
        return "PORT"
    return value
