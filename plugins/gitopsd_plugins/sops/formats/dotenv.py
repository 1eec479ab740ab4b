"""Files of `NAME=value` lines; a line break in a value is written as `\\n`."""

from __future__ import annotations

from gitopsd_plugins.sops.cipher import spelled
from gitopsd_plugins.sops.document import KEY, Branch, Comment, Part, SopsError
from gitopsd_plugins.sops.formats import flat

_PREFIX = f"{KEY}_"


def load(data: bytes) -> list[Part]:
    """Read one. Raises `SopsError` naming the line."""
    branch = Branch()
    for number, line in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), start=1):
        if line.startswith("#"):
            branch.append((Comment(line[1:]), None))
        elif line:
            name, equals, value = line.partition("=")
            if not equals:
                raise SopsError(f"line {number} has no '='; a dotenv file has NAME=value in each line")
            branch.append((name, value.replace("\\n", "\n")))
    metadata = {name.removeprefix(_PREFIX): value for name, value in branch.named() if name.startswith(_PREFIX)}
    values = Branch((k, v) for k, v in branch if not (isinstance(k, str) and k.startswith(_PREFIX)))
    return [Part(branch=values, whole=branch, metadata=flat.nested(metadata) if metadata else None)]


def dump(branches: list[Branch]) -> bytes:
    """Write it as `sops --decrypt` does."""
    lines = (
        f"#{key.text}\n" if isinstance(key, Comment) else f"{key}={_text(value)}\n"
        for branch in branches
        for key, value in branch
    )
    return "".join(lines).encode("utf-8", "surrogateescape")


def _text(value: object) -> str:
    return value.replace("\n", "\\n") if isinstance(value, str) else spelled(value).decode()
