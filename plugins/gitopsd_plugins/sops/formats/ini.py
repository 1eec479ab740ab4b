"""Files of sections with `name = value` lines, read and written as the library does that SOPS uses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gitopsd_plugins.sops.cipher import spelled
from gitopsd_plugins.sops.document import KEY, Branch, Comment, Part, SopsError
from gitopsd_plugins.sops.formats import flat

_TOP = "DEFAULT"
_SIGN = re.compile(r"[=:]")


def load(data: bytes) -> list[Part]:
    """Read one. Raises `SopsError` naming the line."""
    sections = Branch([(_TOP, Branch())])
    comments: list[str] = []
    lines = _lines(data.decode("utf-8", "surrogateescape"))
    for number, line in lines:
        if not line:
            continue
        if line[0] in "#;":
            comments.append(line.lstrip("#; "))
        elif line[0] == "[":
            if "]" not in line:
                raise SopsError(f"line {number}: the section's name has no end")
            sections.append((line[1 : line.rindex("]")].strip(), Branch(_comment(comments))))
            comments = []
        else:
            sections[-1][1].extend(_item(line, number, comments))
            comments = []
    found = sections.get(KEY)
    metadata = None
    if isinstance(found, Branch):
        metadata = flat.nested({name: str(value).replace("\\n", "\n") for name, value in found.named()})
    return [Part(branch=sections.without(KEY), whole=sections, metadata=metadata)]


def dump(branches: list[Branch]) -> bytes:
    """Write it as `sops --decrypt` does: equal signs below one another, a comment before what it belongs to."""
    written = [text for name, section in branches[0].named() for text in _section(name, section)]
    return "\n".join(written).encode("utf-8", "surrogateescape")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without blanks around them; a value in three quotes that goes on is one line."""
    held, begun = "", 0
    for number, line in enumerate(text.split("\n"), start=1):
        held = f"{held}\n{line}" if held else line.strip()
        begun = begun or number
        if held.count('"""') == 1:
            continue
        yield begun, held
        held, begun = "", 0
    if held:
        raise SopsError(f"line {begun}: a value in three quotes has no end; was the file cut off?")


def _item(line: str, number: int, comments: list[str]) -> Branch:
    """The value, and behind it the comment that stood before it or in its line."""
    quote = next((q for q in ('"""', "`", '"') if line.startswith(q)), "")
    end = line.find(quote, len(quote)) if quote else 0
    found = _SIGN.search(line, end + len(quote) if quote else 0)
    if found is None or end < 0 or found.start() == 0:
        raise SopsError(f"line {number} is neither a section nor NAME = VALUE")
    name = line[len(quote) : end].strip() if quote else line[: found.start()].strip()
    value, behind = _value(line[found.end() :].strip())
    return Branch([(name, value), *_comment([*comments, *([behind] if behind else [])])])


def _value(text: str) -> tuple[str, str]:
    for quote in ('"""', "`"):
        if text.startswith(quote) and (end := text.rfind(quote)) >= len(quote):
            return text[len(quote) : end], ""
    found = re.search(r"[#;]", text)
    value, behind = (text[: found.start()].strip(), text[found.start() :].lstrip("#; ")) if found else (text, "")
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" and value[0] not in value[1:-1]:
        value = value[1:-1]
    return value, behind


def _comment(comments: list[str]) -> Iterator[tuple[Comment, None]]:
    if comments:
        yield Comment("\n".join(comments)), None


def _section(name: str, section: Any) -> Iterator[str]:
    if not isinstance(section, Branch):
        raise SopsError(f"{name} is no section")
    if name == _TOP and not any(section.named()):
        return
    lines: list[str] = []
    items = list(section)
    if items and isinstance(items[0][0], Comment):
        lines.extend(f"; {text}" for text in items.pop(0)[0].text.split("\n"))  # type: ignore[union-attr]  # is one
    if name != _TOP:
        lines.append(f"[{name}]")
    width = max((len(_name(key)) for key, _ in items if isinstance(key, str)), default=0)
    for index, (key, value) in enumerate(items):
        if isinstance(key, Comment):
            continue
        behind = items[index + 1][0] if index + 1 < len(items) else None
        if isinstance(behind, Comment):
            lines.extend(f"; {text.strip()}" for text in behind.text.split("\n"))
        lines.append(f"{_name(key):{width}} = {_quoted(value)}")
    yield "".join(f"{line}\n" for line in lines)


def _name(key: str) -> str:
    if '"' in key or _SIGN.search(key):
        return f"`{key}`"
    return f'"""{key}"""' if "`" in key else key


def _quoted(value: Any) -> str:
    text = value if isinstance(value, str) else spelled(value).decode()
    if "\n" in text or "`" in text:
        return f'"""{text}"""'
    if "#" in text or ";" in text:
        return f"`{text}`"
    return text if text.strip() == text else f'"{text}"'
