"""Opens a file: the data key, every value at its place, and the code over all of them.

Nothing of a value is ever part of a message: they name the file, the document and the place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitopsd.plugin import Opened
from gitopsd_plugins.sops import cipher, metadata
from gitopsd_plugins.sops.cipher import Code, Damaged
from gitopsd_plugins.sops.document import KEY, Branch, Comment, Part, SopsError
from gitopsd_plugins.sops.formats import Format
from gitopsd_plugins.sops.metadata import Metadata

MARKER = "kustomize.toolkit.fluxcd.io/decrypt"
_OF_THE_OBJECT = frozenset({"apiVersion", "kind", "metadata"})
"""What names an object is no secret, even where SOPS was told to encrypt all."""
DataKey = Callable[[Metadata], bytes]


def opened(form: Format, data: bytes, data_key: DataKey, *, verify: bool) -> Opened:
    """The file with all of it readable. Raises `SopsError`; and what `data_key` raises."""
    parts = form.load(data)
    values: set[str] = set()
    branches: list[Branch] = []
    for together in _together(parts):
        if together[0].metadata is None or _left_alone(together[0]):
            branches.extend(part.whole for part in together)
            continue
        found = metadata.read(together[0].metadata)
        walk = _Walk(metadata=found, key=data_key(found))
        branches.extend(walk.branch(part.branch, ()) for part in together)
        values |= walk.values
        if verify:
            _verify(walk, found)
    return Opened(data=form.dump(branches), values=frozenset(values))


def is_left_alone(form: Format, data: bytes) -> bool:
    """Whether every document of it says that it is not to be decrypted."""
    return all(map(_left_alone, form.load(data)))


def _left_alone(part: Part) -> bool:
    found = part.whole.get("metadata")
    annotations = found.get("annotations") if isinstance(found, Branch) else None
    return isinstance(annotations, Branch) and str(annotations.get(MARKER)).lower() == "disabled"


def _together(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Documents that were encrypted in one go have one code over all of them."""
    group: list[Part] = []
    for part in parts:
        if group and (part.metadata != group[0].metadata or _left_alone(part) != _left_alone(group[0])):
            yield group
            group = []
        group.append(part)
    if group:
        yield group


def _verify(walk: _Walk, found: Metadata) -> None:
    try:
        code = cipher.opened_with(found.code, walk.key, found.modified)
    except Damaged as error:
        raise SopsError(f"its code over all values (mac) {error}") from None
    if not isinstance(code, str) or not walk.code.is_right(code):
        raise SopsError(
            "its code over all values (mac) does not fit: something was added, removed or changed since it was encrypted; "
            f"encrypt it again with sops, or set the annotation gitopsd.io/{KEY}-mac: ignore"
        )


@dataclass(slots=True)
class _Walk:
    """Through the values in their order; `values` are those that were encrypted."""

    metadata: Metadata
    key: bytes
    code: Code = field(init=False)
    values: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.code = Code(only_encrypted=self.metadata.only_encrypted)

    def branch(self, branch: Branch, path: tuple[str, ...], comments: tuple[list[str], ...] = ()) -> Branch:
        """The branch with all values readable."""
        found, before = Branch(), list[str]()
        for key, value in branch:
            if isinstance(key, Comment):
                before.append(key.text)
                found.append((self._comment(key, path, (*comments, before)), None))
                continue
            found.append((key, self._value(value, (*path, key), (*comments, before))))
            before = []
        return found

    def _value(self, value: Any, path: tuple[str, ...], comments: tuple[list[str], ...]) -> Any:
        if isinstance(value, Branch):
            return self.branch(value, path, comments)
        if isinstance(value, list):
            return self._list(value, path, comments)
        return None if value is None else self._leaf(value, path, comments)

    def _list(self, items: list[Any], path: tuple[str, ...], comments: tuple[list[str], ...]) -> list[Any]:
        found, before = [], list[str]()
        for item in items:
            if isinstance(item, Comment):
                before.append(item.text)
                found.append(self._comment(item, path, (*comments, before)))
                continue
            found.append(self._value(item, path, (*comments, before)))
            before = []
        return found

    def _leaf(self, value: Any, path: tuple[str, ...], comments: tuple[list[str], ...]) -> Any:
        encrypted = self.metadata.rule.holds(path, comments, comment=False)
        if encrypted:
            if not isinstance(value, str):
                raise SopsError(f"{_place(path)} is not encrypted and should be")
            try:
                value = cipher.opened(value, self.key, path)
            except Damaged as error:
                raise SopsError(f"{_place(path)} {error}") from None
            self._note(value, path)
        if encrypted or not self.metadata.only_encrypted:
            self.code.add(value)
        return value

    def _comment(self, comment: Comment, path: tuple[str, ...], comments: tuple[list[str], ...]) -> Comment:
        """Older versions of SOPS left comments as they were; so does this one, where it finds one."""
        if not self.metadata.rule.holds(path, comments, comment=True):
            return comment
        try:
            found = cipher.opened(comment.text, self.key, path)
        except Damaged:
            return comment
        return found if isinstance(found, Comment) else Comment(str(found))

    def _note(self, value: Any, path: tuple[str, ...]) -> None:
        if isinstance(value, str) and path[0] not in _OF_THE_OBJECT:
            self.values.add(str(value))


def _place(path: tuple[str, ...]) -> str:
    return ".".join(path).encode("utf-8", "replace").decode()
