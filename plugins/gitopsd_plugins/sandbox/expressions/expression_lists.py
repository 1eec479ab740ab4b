"""What Kubernetes adds to the lists of CEL, but for macros. Functions raise ValueError in the API server's words."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

LARGEST = 10_000
"""Numbers of a range: what a list in an object cannot have more of."""


def is_sorted(items: list[Any]) -> bool:
    """Whether no item is less than the one before it."""
    return all(left <= right for left, right in itertools.pairwise(items))


def extreme(name: str, choose: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
    """The least or the greatest item."""

    def chosen(items: list[Any]) -> Any:
        if not items:
            raise ValueError(f"{name} called on empty list")
        return choose(items)

    return chosen


def index(items: list[Any], item: Any) -> int:
    """Where an item is first, or -1."""
    return items.index(item) if item in items else -1


def last_index(items: list[Any], item: Any) -> int:
    """Where an item is last, or -1."""
    return len(items) - 1 - items[::-1].index(item) if item in items else -1


def flatten(items: list[Any], depth: int = 1) -> list[Any]:
    """The items of the lists in a list, in those too as deep as is said."""
    if depth < 0:
        raise ValueError("level must be non-negative")
    if depth == 0:
        return items
    nested = (flatten(item, depth - 1) if isinstance(item, list) else [item] for item in items)
    return list(itertools.chain.from_iterable(nested))


def part(items: list[Any], start: int, end: int) -> list[Any]:
    """From one index to before another."""
    shown = f"cannot slice({start}, {end})"
    if start < 0 or end < 0:
        raise ValueError(f"{shown}, negative indexes not supported")
    if start > end:
        raise ValueError(f"{shown}, start index must be less than or equal to end index")
    if end > len(items):
        raise ValueError(f"{shown}, list is length {len(items)}")
    return items[start:end]


def distinct(items: list[Any]) -> list[Any]:
    """Each item once, where it is first."""
    found: list[Any] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


def numbers(count: int) -> list[int]:
    """From 0 to before a number."""
    if count > LARGEST:
        raise ValueError("operation cancelled: actual cost limit exceeded")
    return list(range(count))
