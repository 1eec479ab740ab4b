"""Manifests as trees of choices, and the hypothesis strategies of whole manifests, partial ones and JSON patches.

In a tree a dict is a map whose keys ending in `?` may be missing, a list is a list of items of which any may be missing and in
any order, `All` is a list whose items are all there but for those that are `Maybe`, a tuple is a choice, everything else stands
for itself. One tree of a kind gives all bodies that are sent for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Tree = Any
Strategy = st.SearchStrategy[Any]


@dataclass(frozen=True)
class Maybe:
    """An item that may be missing."""

    item: Tree


@dataclass(frozen=True)
class Fixed:
    """A value that is sent whole or not at all."""

    value: Any


class All:
    """A list of items that are all there, in any order, but for those that are `Maybe`."""

    def __init__(self, *items: Tree) -> None:
        self.certain = [item for item in items if not isinstance(item, Maybe)]
        self.possible = [item.item for item in items if isinstance(item, Maybe)]

    def __repr__(self) -> str:
        return f"All({self.certain}, {self.possible})"


def whole(tree: Tree) -> Strategy:
    """Values with everything that the tree requires."""
    match tree:
        case dict():
            required = {name: whole(item) for name, item in tree.items() if not name.endswith("?")}
            optional = {name[:-1]: whole(item) for name, item in tree.items() if name.endswith("?")}
            return st.fixed_dictionaries(required, optional=optional)
        case list():
            return _some(tree).flatmap(lambda items: st.tuples(*map(whole, items)).map(list))
        case All():
            return _some(tree.possible).flatmap(lambda more: _each([*tree.certain, *more]))
        case tuple():
            return st.one_of(*map(whole, tree))
        case Fixed():
            return st.just(tree.value)
    return st.just(tree)


def partial(tree: Tree, *, strategic: bool = False) -> Strategy:
    """Merge patches: any fields, nulls where a field may be missing; strategic ones merge and delete items too."""
    match tree:
        case dict():
            fields = {name.rstrip("?"): _field(name, item, strategic) for name, item in tree.items()}
            return st.fixed_dictionaries({}, optional=fields)
        case All() if strategic and all(isinstance(item, dict) and "name" in item for item in tree.certain):
            return partial([*tree.certain, *tree.possible], strategic=True)
        case list() if strategic and tree and all(isinstance(item, dict) and "name" in item for item in tree):
            return _some(tree).flatmap(lambda items: st.tuples(*map(_item, items)).map(list))
        case tuple():
            return st.one_of(*(partial(item, strategic=strategic) for item in tree))
    return whole(tree)


def _field(name: str, item: Tree, strategic: bool) -> Strategy:
    below = partial(item, strategic=strategic)
    return st.one_of(below, below, below, st.none()) if name.endswith("?") else below


def _item(item: dict[str, Tree]) -> Strategy:
    """An item of a strategic merge patch: its required fields name it."""
    named = {name: whole(value) for name, value in item.items() if not name.endswith("?")}
    others = {name[:-1]: partial(value, strategic=True) for name, value in item.items() if name.endswith("?")}
    merged = st.fixed_dictionaries(named, optional=others)
    deleted = st.fixed_dictionaries({**named, "$patch": st.just("delete")})
    return st.one_of(merged, merged, deleted)


def _each(items: list[Tree]) -> Strategy:
    return st.permutations(items).flatmap(lambda order: st.tuples(*map(whole, order)).map(list))


def _some(items: list[Tree]) -> st.SearchStrategy[list[Tree]]:
    indexes = st.lists(st.sampled_from(range(len(items))), unique=True) if items else st.just([])
    return indexes.map(lambda chosen: [items[index] for index in chosen])


def operations(tree: Tree) -> Strategy:
    """JSON patches of one to three operations on places that the tree has."""
    places = list(_places(tree, ""))
    one = st.sampled_from(places).flatmap(lambda place: _operation(*place))
    return st.lists(one, min_size=1, max_size=3)


def _operation(path: str, tree: Tree) -> Strategy:
    valued = st.sampled_from(["add", "add", "replace", "test"])
    with_value = st.fixed_dictionaries({"op": valued, "path": st.just(path), "value": whole(tree)})
    return st.one_of(with_value, with_value, st.just({"op": "remove", "path": path}))


def _places(tree: Tree, path: str) -> Iterator[tuple[str, Tree]]:
    if isinstance(tree, All):
        tree = [*tree.certain, *tree.possible]
    match tree:
        case dict():
            for name, item in tree.items():
                below = f"{path}/{name.rstrip('?').replace('~', '~0').replace('/', '~1')}"
                yield below, item
                yield from _places(item, below)
        case list() if tree:
            yield f"{path}/0", tree[0]
            yield f"{path}/-", tree[-1]
            yield from _places(tree[0], f"{path}/0")
        case tuple():
            for item in tree:
                if isinstance(item, dict | list):
                    yield from _places(item, path)
