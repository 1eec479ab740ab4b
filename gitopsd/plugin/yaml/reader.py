"""The reader: a text to its documents, or one error with the place and the remedy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from yaml.error import YAMLError
from yaml.events import Event

from gitopsd.plugin.yaml import events, position
from gitopsd.plugin.yaml.builder import Builder, DuplicateKey
from gitopsd.plugin.yaml.dialect import KUBERNETES, Dialect
from gitopsd.plugin.yaml.errors import YamlError
from gitopsd.plugin.yaml.limits import DEFAULT, Limits


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a stream: its value, and the line (from 1) on which that value begins.

    `blanks` are the places, map and key, whose value is null because nothing is written there (`key:`).
    """

    value: Any
    line: int
    blanks: Sequence[tuple[dict[str, Any], str]] = field(default=(), repr=False, compare=False)


def read_all(
    data: bytes | str,
    *,
    file: str = "",
    limits: Limits = DEFAULT,
    dialect: Dialect = KUBERNETES,
    unique_keys: bool = True,
) -> list[Document]:
    """Read every document of a stream; documents that say nothing but comments are left out.

    Values are what JSON can say, in dicts and lists that share nothing. `file` is only named in messages.
    `dialect` says whose reading counts, kubectl's or kustomize's.
    With `unique_keys` off the last of several equal keys wins, as Go's non-strict reading has it. Everything that
    is wrong with the text is a `YamlError`.
    """
    encoded = _limited(data, file, limits)
    with _translated(encoded, file, dialect):
        builder = _builder(encoded, file, limits, dialect, unique_keys=unique_keys)
        return _documents(builder, file, limits)


def read(
    data: bytes | str,
    *,
    file: str = "",
    limits: Limits = DEFAULT,
    dialect: Dialect = KUBERNETES,
    unique_keys: bool = True,
) -> Any:
    """Read a text of exactly one document; None when it says nothing, an error when there is a second one."""
    documents = read_all(data, file=file, limits=limits, dialect=dialect, unique_keys=unique_keys)
    if len(documents) > 1:
        what, remedy = "a second document begins here, and one is expected", "remove it, or keep it in its own file"
        raise YamlError(what, remedy=remedy, line=documents[1].line, column=1, file=file)
    return documents[0].value if documents else None


def read_first(
    data: bytes | str,
    *,
    file: str = "",
    limits: Limits = DEFAULT,
    dialect: Dialect = KUBERNETES,
    unique_keys: bool = True,
) -> Any:
    """The first document of a stream, None where it is empty; what comes after it is not looked at, as in Go."""
    encoded = _limited(data, file, limits)
    with _translated(encoded, file, dialect):
        builder = _builder(encoded, file, limits, dialect, unique_keys=unique_keys)
        built = builder.document()
    return built[0] if built is not None else None


def _documents(builder: Builder, file: str, limits: Limits) -> list[Document]:
    documents: list[Document] = []
    while (built := builder.document()) is not None:
        value, root = built
        if events.is_empty(root):
            continue
        if len(documents) == limits.max_documents:
            raise _refused(f"the text has more than {limits.max_documents:,} documents", "split the file", root, file)
        documents.append(Document(value, events.place(root)[0], builder.blanks))
    return documents


def _builder(encoded: bytes, file: str, limits: Limits, dialect: Dialect, *, unique_keys: bool) -> Builder:
    source, size = events.source(encoded), len(encoded)
    return Builder(source, size=size, file=file, limits=limits, dialect=dialect, unique_keys=unique_keys)


def _limited(data: bytes | str, file: str, limits: Limits) -> bytes:
    encoded = events.encoded(data, file)
    if len(encoded) > limits.max_bytes:
        what = f"the text has {len(encoded):,} bytes, more than {limits.max_bytes:,}"
        raise YamlError(what, remedy="split the file", line=1, column=1, file=file)
    return encoded


@contextmanager
def _translated(encoded: bytes, file: str, dialect: Dialect) -> Iterator[None]:
    try:
        yield
    except YAMLError as error:
        raise events.translate(error, encoded, file) from error
    except DuplicateKey as error:
        raise _duplicate(error, encoded, file, dialect) from None


def _refused(what: str, remedy: str, event: Event, file: str) -> YamlError:
    line, column = events.place(event)
    return YamlError(what, remedy=remedy, line=line, column=column, file=file)


def _duplicate(error: DuplicateKey, encoded: bytes, file: str, dialect: Dialect) -> YamlError:
    line, column = position.first_key(encoded, error.start, error.key, dialect)
    what = f"key {error.key[:80]!r} is there already, at line {line}, column {column}"
    return _refused(what, "keep one of them", error.event, file)
