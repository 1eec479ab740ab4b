"""Marked secrets, and the search for them in everything that a program leaves behind: plain and encoded, packed or not."""

from __future__ import annotations

import base64
import json
import secrets
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import quote, quote_plus


@dataclass(slots=True)
class Canaries:
    """Each name has one secret, unlike all others; `find` says which of them stand in some bytes."""

    values: dict[str, str] = field(default_factory=dict)

    def secret(self, name: str) -> str:
        """The secret of this place. It holds what base64, URLs and JSON write in another way."""
        return self.values.setdefault(name, f"c4n+{secrets.token_hex(9)}/~{secrets.token_hex(4)}?")

    def find(self, content: bytes, *names: str) -> set[str]:
        """The names of the secrets that stand in it, in any form; of all, or of these."""
        wanted = names or tuple(self.values)
        return {name for name in wanted if any(form in content for form in _forms(self.values[name]))}


@cache
def _forms(value: str) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(_written(value)))


def _written(value: str) -> Iterator[bytes]:
    for text in {value, quote(value), quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1]}:
        yield text.encode()
    raw = value.encode()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw + b"\0" * 3)
        inner = encoded[4 if before else 0 : (before + len(raw)) // 3 * 4]
        yield inner
        yield inner.replace(b"+", b"-").replace(b"/", b"_")
    yield raw.hex().encode()


def contents(folder: Path, *, without: tuple[str, ...] = ()) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder with what is in it; of a database each cell, unpacked where it is packed."""
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if not file.is_file() or name.startswith(without):
            continue
        data = file.read_bytes()
        yield name, data
        yield f"{name} (unpacked)", _unpacked(data)
        if data.startswith(b"SQLite format 3\0"):
            yield from _cells(file, name)


def _cells(file: Path, name: str) -> Iterator[tuple[str, bytes]]:
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                for cell in row:
                    data = cell.encode() if isinstance(cell, str) else cell if isinstance(cell, bytes) else b""
                    yield f"{name}:{table}", data
                    yield f"{name}:{table} (unpacked)", _unpacked(data)
    finally:
        connection.close()


def _unpacked(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data)
    except zlib.error:
        return b""
