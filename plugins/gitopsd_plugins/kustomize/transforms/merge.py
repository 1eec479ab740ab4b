"""Strategic merge as kustomize does it, on plain values.

`$patch: delete | replace | merge` in maps and in lists that are merged by key, null deletes, what a patch adds to a list
goes before what is there. Both sides are changed and may end up in the result: hand over copies of what is needed again.

kustomize walks what a patch does not mention, too, and so this does: duplicates in a keyed list are joined there. Its
rules for lists with several keys (ports: number and protocol) are followed to the letter, odd ones included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from gitopsd.plugin import Rejected
from gitopsd_plugins.kustomize.objects import typefacts
from gitopsd_plugins.kustomize.objects.identity import text
from gitopsd_plugins.kustomize.objects.typefacts import BUILT_IN, Fact, TypeFacts

ABSENT: Final[Any] = object()
_DIRECTIVE = "$patch"
_DIRECTIVES = {"delete", "replace", "merge"}
Values = list[str]
Blanks = Sequence[tuple[dict[str, Any], str]]


def drop_blanks(target: dict[str, Any], blanks: Blanks, types: TypeFacts = BUILT_IN) -> None:
    """Remove the keys for which nothing is written, where merging would come by: kustomize takes them for absent."""
    _drop(target, {(id(holder), key) for holder, key in blanks}, None, types)


def _drop(value: Any, blanks: set[tuple[int, str]], fact: Fact, types: TypeFacts) -> None:
    if isinstance(value, dict):
        fact = fact or _fact_of(types, value)
        for key in [key for key, item in value.items() if item is None and (id(value), key) in blanks]:
            del value[key]
        for key, item in value.items():
            _drop(item, blanks, types.of_field(fact, key), types)
    elif isinstance(value, list) and typefacts.merge_keys(fact) is not None:
        for item in value:
            _drop(item, blanks, fact.get("of") if isinstance(fact, dict) else None, types)


def merge(target: dict[str, Any], patch: dict[str, Any], types: TypeFacts = BUILT_IN) -> dict[str, Any] | None:
    """The target with the patch in it; None when the patch deletes it."""
    result = _walk(types, target, patch, None, "")
    return result if isinstance(result, dict) else None


def _walk(types: TypeFacts, target: Any, patch: Any, fact: Fact, path: str) -> Any:
    first = next((v for v in (target, patch) if v is not ABSENT and v is not None), None)
    match first:
        case None:
            return target if patch is ABSENT else ABSENT
        case dict():
            _same_sort(dict, target, patch, path)
            return _maps(types, target, patch, fact or _fact_of(types, target) or _fact_of(types, patch), path)
        case list():
            _same_sort(list, target, patch, path)
            return _lists(types, target, patch, fact, path)
    if isinstance(patch, dict | list):
        raise Rejected(f"strategic merge: {path or '.'} is a scalar in the target and a list or map in the patch")
    return ABSENT if patch is None else target if patch is ABSENT else patch


def _fact_of(types: TypeFacts, value: Any) -> Fact:
    """What is known of a whole object; kustomize looks at the patch's kind where it does not know the target's."""
    return types.of_kind(value.get("apiVersion"), value.get("kind")) if isinstance(value, dict) else None


def _same_sort(sort: type, target: Any, patch: Any, path: str) -> None:
    if not all(v is ABSENT or v is None or isinstance(v, sort) for v in (target, patch)):
        word = "map" if sort is dict else "list"
        raise Rejected(f"strategic merge: {path or '.'} must be a {word} on both sides, in the target and in the patch")


def _maps(types: TypeFacts, target: Any, patch: Any, fact: Fact, path: str) -> Any:
    if target is ABSENT or target is None:
        if _take_directive(patch, path) == "delete":
            return ABSENT
        target = patch
    elif patch is None:
        return ABSENT
    elif patch is not ABSENT:
        match _take_directive(patch, path):
            case "delete":
                return ABSENT
            case "replace":
                target = patch
    for key in list(target) if patch is ABSENT or patch is target else sorted(target.keys() | patch.keys()):
        theirs = ABSENT if patch is ABSENT else patch.get(key, ABSENT)
        below = types.of_child(fact, key, target, patch)
        value = _walk(types, target.get(key, ABSENT), theirs, below, f"{path}.{key}" if path else key)
        if value is ABSENT:
            target.pop(key, None)
        else:
            target[key] = value
    return target


def _take_directive(patch: dict[str, Any], path: str) -> str:
    directive = text(patch.pop(_DIRECTIVE, "merge"))
    if directive not in _DIRECTIVES:
        raise Rejected(f"strategic merge: {path or '.'}: unknown patch strategy {directive!r}")
    return directive


def _lists(types: TypeFacts, target: Any, patch: Any, fact: Fact, path: str) -> Any:
    keys = typefacts.merge_keys(fact)
    if keys is None:
        return ABSENT if patch is None else target if patch is ABSENT else patch
    if target is ABSENT or target is None:
        target = patch
    elif patch is None:
        return ABSENT
    elif patch is not ABSENT:
        match _take_list_directive(patch, path):
            case "delete":
                return ABSENT
            case "replace":
                target = patch
    below = fact.get("of") if isinstance(fact, dict) else None
    return _KeyedList(types, target, patch, keys or [""], below, path).merged()


def _take_list_directive(patch: list[Any], path: str) -> str:
    """An element that says nothing but a directive speaks for the list."""
    marked = next((e for e in patch if isinstance(e, dict) and _DIRECTIVE in e), None)
    if marked is None or len(marked) > 1:
        return "merge"
    directive = text(marked[_DIRECTIVE])
    if directive not in _DIRECTIVES:
        raise Rejected(f"strategic merge: {path}: unknown patch strategy {directive!r}")
    patch[:] = [e for e in patch if not (isinstance(e, dict) and text(e.get(_DIRECTIVE)) == directive)]
    return directive


class _KeyedList:
    """One merge of two lists by keys; the key "" stands for scalars themselves."""

    def __init__(
        self, types: TypeFacts, target: list[Any], patch: Any, keys: list[str], below: Fact, path: str
    ) -> None:
        self.types = types
        self.target = target
        self.patch = patch
        self.keys = keys
        self.below = below
        self.path = path

    def merged(self) -> list[Any]:
        identities = self._identities()
        if not identities:
            return self.target
        added: list[Any] = []
        keys: Sequence[str] = self.keys
        for values in identities:
            keys, values = _used(identities, values, self.keys)
            result = _walk(
                self.types,
                self._find(self.target, keys, values),
                self._find(self.patch, keys, values),
                self.below,
                self.path,
            )
            if result is ABSENT or result is None or result == {}:
                self.target[:] = _put(self.target, ABSENT, keys, values)
                continue
            if isinstance(result, dict):
                for key, value in zip(keys, values, strict=False):
                    if key not in result and value:
                        result[key] = value
            added = _put(added, result, keys, values)
        return self._joined(added, keys)

    def _identities(self) -> list[Values]:
        """What tells elements apart, the patch's first, each once; halves of several keys are completed."""
        seen: list[Values] = []
        for source in (self.patch, self.target):
            for element in source if isinstance(source, list) else ():
                values = [text(element)] if self.keys == [""] else [_key(element, key) for key in self.keys]
                if values not in seen:
                    seen.append(values)
        return _completed(seen) if len(self.keys) > 1 else seen

    def _find(self, source: Any, keys: Sequence[str], values: Values) -> Any:
        if not isinstance(source, list):
            return ABSENT
        keys, values = _used([values], values, keys)
        if keys[0] == "":
            return next((e for e in source if text(e) == values[0]), ABSENT)
        pairs = list(zip(keys, values, strict=False))
        return next(
            (e for e in source if isinstance(e, dict) and all(k in e and text(e[k]) == v for k, v in pairs)), ABSENT
        )

    def _joined(self, added: list[Any], keys: Sequence[str]) -> list[Any]:
        """What was merged, then the target's elements in their order, each in its merged place where it has one."""
        for element in list(self.target):
            if keys[0] == "":
                added = _put(added, element, [""], [text(element)])
                continue
            values: Values = []
            for key in keys:
                if isinstance(element, dict) and key in element:
                    values.append(text(element[key]))
                else:
                    added.append(element)
            if len(keys) > 1:
                added = _put(added, ABSENT, keys, values)
            added = _put(added, element, keys, values)
        return added


def _key(element: Any, key: str) -> str:
    return text(element.get(key)) if isinstance(element, dict) else ""


def _used(identities: list[Values], values: Values, keys: Sequence[str]) -> tuple[Sequence[str], Values]:
    """Only the keys that some element has, and the values that belong to them."""
    used = {key for each in identities for key, value in zip(keys, each, strict=False) if value}
    if not used:
        return keys, values
    pairs = zip(keys, values, strict=False)
    return [key for key in keys if key in used], [value for key, value in pairs if value or key in used]


def _completed(identities: list[Values]) -> list[Values]:
    """A port without protocol is the one with it, when there is one."""
    for i, one in enumerate(identities):
        for j in range(len(identities)):
            if (both := _matched(one, identities[j])) is not None:
                identities[i] = identities[j] = both
    return identities


def _matched(one: Values, other: Values) -> Values | None:
    common = False
    both: Values = []
    for a, b in zip(one, other, strict=False):
        if a == b:
            common = True
        elif a and b:
            return None
        both.append(a or b)
    return both if common else None


def _put(items: list[Any], element: Any, keys: Sequence[str], values: Values) -> list[Any]:
    """The list with `element` in the place of those with these values, at the end where there is none."""
    result: list[Any] = []
    matched = False
    keyed = bool(keys and keys[0] and values and values[0])
    for item in items:
        if item is None or item == {}:
            continue
        if not isinstance(item, dict) and keyed:
            result.append(item)
        elif not _has(item, keys, values):
            if values:
                result.append(item)
        else:
            matched = True
            if element is not ABSENT:
                result.append(element)
    if element is not ABSENT and element is not None and not matched:
        result.append(element)
    return result


def _has(item: Any, keys: Sequence[str], values: Values) -> bool:
    found = False
    for index, key in enumerate(keys):
        if index < len(values):
            wanted = values[index]
            if key == "":
                found = text(item) == wanted
            elif not isinstance(item, dict):
                raise Rejected(f"strategic merge: an element of a list merged by {key!r} is not a map")
            else:
                found = key in item and (not wanted or text(item[key]) == wanted)
        if not found:
            return False
    return found
