"""Texts that were parsed before, by the digest of their bytes: what several apps or revisions share is parsed once.

A worker process lives as long as gitopsd does, so that the memory has a bound. Kept is a compact form from which fresh
values are made each time: whoever gets them may change them.
"""

from __future__ import annotations

import hashlib
import marshal
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final

from gitopsd.plugin import yaml
from gitopsd.plugin.yaml import Dialect, Document

MOST_BYTES = 32 * 1024 * 1024
Path = tuple[str | int, ...]


class Parsed:
    """The newest parsed texts, up to `most` bytes of their compact form; `size` is how many bytes they have now."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self.size = 0
        self._known: OrderedDict[bytes, bytes] = OrderedDict()

    def read_all(self, data: bytes | str, file: str, dialect: Dialect) -> list[Document]:
        """The documents of a text, as `yaml.read_all`."""
        encoded = data.encode() if isinstance(data, str) else data
        key = hashlib.blake2b(encoded, digest_size=20, key=b"json" if dialect.through_json else b"plain").digest()
        if (known := self._known.get(key)) is not None:
            self._known.move_to_end(key)
            return [_document(*parts) for parts in marshal.loads(known)]
        found = yaml.read_all(encoded, file=file, dialect=dialect)
        self._keep(key, marshal.dumps([(d.value, d.line, _paths(d)) for d in found]))
        return found

    def clear(self) -> None:
        """Forget all of them."""
        self._known.clear()
        self.size = 0

    def _keep(self, key: bytes, compact: bytes) -> None:
        self._known[key] = compact
        self.size += len(compact)
        while self.size > self._most and self._known:
            self.size -= len(self._known.popitem(last=False)[1])


def _document(value: Any, line: int, paths: list[Path]) -> Document:
    return Document(value, line, [(_at(value, path[:-1]), str(path[-1])) for path in paths])


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _paths(document: Document) -> list[Path]:
    """Where the blanks are; places in memory mean nothing to a copy."""
    if not document.blanks:
        return []
    wanted = {(id(holder), key) for holder, key in document.blanks}
    return [path for holder, path in _fields(document.value, ()) if (holder, path[-1]) in wanted]


def _fields(value: Any, path: Path) -> Iterator[tuple[int, Path]]:
    """Every field of every map: the map's place in memory, and the path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield id(value), (*path, key)
            yield from _fields(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _fields(item, (*path, index))


SHARED: Final = Parsed()
"""Of this process."""
